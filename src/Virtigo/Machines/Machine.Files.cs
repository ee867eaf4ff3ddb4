using Virtigo.Host;

namespace Virtigo.Machines;

public sealed partial class Machine
{
    /// <summary>Copies a file or a folder's whole content into the machine, within ten minutes.</summary>
    /// <inheritdoc cref="CopyInAsync(string, string, CopyOptions, CancellationToken)"/>
    public Task CopyInAsync(string hostPath, string guestPath, CancellationToken cancellationToken) =>
        CopyInAsync(hostPath, guestPath, new CopyOptions(), cancellationToken);

    /// <summary>
    /// Copies a file or a folder's whole content into the machine, owned by its root: modes, times, symbolic links and holes are kept,
    /// content is streamed. Files that exist are replaced.
    /// </summary>
    /// <param name="hostPath">The file or folder on the host. Devices and sockets in a folder are left out.</param>
    /// <param name="guestPath">
    /// What it is to be called in the guest, absolute; folders on the way are made. A file's may end in <c>/</c> to keep its name.
    /// </param>
    /// <param name="options">How long it may take.</param>
    /// <param name="cancellationToken">Gives up; what was copied until then stays.</param>
    /// <exception cref="VirtigoException">
    /// <see cref="FailureKind.Usage"/> when there is no such file, <see cref="FailureKind.Guest"/> when the guest cannot take it, is off or ends,
    /// <see cref="FailureKind.Host"/> when it cannot be read, <see cref="FailureKind.TimedOut"/> after the limit.
    /// </exception>
    public async Task CopyInAsync(string hostPath, string guestPath, CopyOptions options, CancellationToken cancellationToken)
    {
        bool folder = Directory.Exists(hostPath);
        if (!folder && !File.Exists(hostPath))
        {
            throw new VirtigoException(FailureKind.Usage, $"There is no file or folder {Path.GetFullPath(hostPath)} to copy into machine {Name}.");
        }

        string source = Path.GetFullPath(hostPath);
        string target = Absolute(guestPath.EndsWith('/') && !folder ? guestPath + Path.GetFileName(source) : guestPath);
        string where = ShellQuote.Word(folder ? target : target[..(target.LastIndexOf('/') + 1)]);
        string check = folder ? "" : $"if test -d {ShellQuote.Word(target)}; then echo 'it is a folder there' >&2; exit 1; fi; ";
        string command = $"{check}mkdir -p {where} && exec tar -x -p -f - -C {where}";
        await CopyingAsync(options, $"{source} was not copied to {target}", async token =>
        {
            await SendAsync(source, target, command, token);
            return true;
        }, cancellationToken);
    }

    /// <summary>Copies a file or a folder's whole content out of the machine, within ten minutes.</summary>
    /// <inheritdoc cref="CopyOutAsync(string, string, CopyOptions, CancellationToken)"/>
    public Task<IReadOnlyList<string>> CopyOutAsync(string guestPath, string hostPath, CancellationToken cancellationToken) =>
        CopyOutAsync(guestPath, hostPath, new CopyOptions(), cancellationToken);

    /// <summary>
    /// Copies a file or a folder's whole content out of the machine: modes, times, symbolic links and holes are kept, content is streamed.
    /// The guest is not trusted: nothing is written outside of the target, special permission bits are dropped, and more than a million
    /// entries or 64 GiB are refused.
    /// </summary>
    /// <param name="guestPath">The file or folder in the guest, absolute.</param>
    /// <param name="hostPath">
    /// What it is to be called on the host. A folder must not exist, or be empty; a file is replaced, and keeps its name in a folder that exists.
    /// </param>
    /// <param name="options">How long it may take.</param>
    /// <param name="cancellationToken">Gives up; nothing is left then.</param>
    /// <returns>What was left out: devices, pipes, and symbolic links that lead out of the folder; at most 1000 names.</returns>
    /// <exception cref="VirtigoException">
    /// <see cref="FailureKind.Usage"/> when the target is in the way, <see cref="FailureKind.Guest"/> when there is no such file, the guest sends
    /// something else than a proper archive, is off or ends, <see cref="FailureKind.Host"/> when the host cannot store it,
    /// <see cref="FailureKind.TimedOut"/> after the limit.
    /// </exception>
    public async Task<IReadOnlyList<string>> CopyOutAsync(
        string guestPath, string hostPath, CopyOptions options, CancellationToken cancellationToken)
    {
        string source = ShellQuote.Word(Absolute(guestPath));
        string kind = (await ExecuteAsync($"test -d {source} && echo folder || {{ test -e {source} && echo file; }}", cancellationToken)).Output.Trim();
        bool folder = kind == "folder";
        if (!folder && kind != "file")
        {
            throw new VirtigoException(FailureKind.Guest, $"There is no {guestPath} in machine {Name} to copy out.");
        }

        string target = Target(guestPath, hostPath, folder);
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            using var draft = new HostDraft(target);
            IReadOnlyList<string> leftOut = await CopyingAsync(options, $"{guestPath} was not copied to {target}",
                token => Copier().OutAsync(Absolute(guestPath), folder, draft.Path, null, token), cancellationToken);
            if (folder)
            {
                draft.MoveTree();
            }
            else if (!draft.MoveFile())
            {
                throw new VirtigoException(FailureKind.Guest, $"{guestPath} of machine {Name} is not copied: the guest sent something else than one file.");
            }

            return leftOut;
        }
        catch (Exception error) when (error is UnauthorizedAccessException or IOException)
        {
            throw new VirtigoException(FailureKind.Host, $"{guestPath} of machine {Name} cannot be stored as {target}: {error.Message}", inner: error);
        }
    }

    private GuestCopy Copier() => new(Name, (command, token) => StartProcessAsync(command, new CommandOptions(), token));

    private async Task<T> CopyingAsync<T>(CopyOptions options, string failure, Func<CancellationToken, Task<T>> copy, CancellationToken cancellationToken)
    {
        MachineRun run = Running();
        await ShellAsync(run, cancellationToken);
        return await WithinAsync(run, options.Limit, copy, waited => $"{Name}: {failure} within {waited.TotalSeconds:0} s.", cancellationToken);
    }

    private async Task SendAsync(string source, string target, string command, CancellationToken cancellationToken)
    {
        await using GuestProcess tar = await StartProcessAsync(command, new CommandOptions(), cancellationToken);
        Task<string> complaint = GuestCopy.ComplaintAsync(tar, cancellationToken);
        try
        {
            await TreeSender.SendAsync(source, target[(target.LastIndexOf('/') + 1)..], tar.Input, cancellationToken);
        }
        catch (Exception error) when (error is UnauthorizedAccessException or FileNotFoundException or DirectoryNotFoundException)
        {
            throw new VirtigoException(FailureKind.Host, $"{source} cannot be read: {error.Message}", inner: error);
        }
        catch (IOException)
        {
            // It ended before it had read all, and says why; or the archive is cut off, and it complains.
        }

        await tar.Input.DisposeAsync();
        int code = await tar.Exited.WaitAsync(cancellationToken);
        if (code != 0)
        {
            throw new VirtigoException(FailureKind.Guest, $"{source} cannot be copied to {target} of machine {Name}: {await complaint} (exit code {code})");
        }
    }

    private static string Target(string guestPath, string hostPath, bool folder)
    {
        string target = Path.GetFullPath(hostPath);
        if (!folder && Directory.Exists(target))
        {
            target = Path.Combine(target, Path.GetFileName(guestPath));
        }

        target = Path.TrimEndingDirectorySeparator(target);
        bool inTheWay = folder ? File.Exists(target) || (Directory.Exists(target) && Directory.EnumerateFileSystemEntries(target).Any()) : Directory.Exists(target);
        return inTheWay
            ? throw new VirtigoException(FailureKind.Usage, $"{target} is in the way of {guestPath}: it exists, and is not an empty folder.", "Name another place, or remove it.")
            : target;
    }

    private string Absolute(string guestPath) => guestPath.StartsWith('/') && !guestPath.Contains('\0', StringComparison.Ordinal)
        ? guestPath.Length > 1 ? guestPath.TrimEnd('/') is { Length: > 0 } path ? path : "/" : guestPath
        : throw new VirtigoException(FailureKind.Usage, $"The path \"{guestPath}\" in machine {Name} is not absolute.", "Write it from / on.");
}

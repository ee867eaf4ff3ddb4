using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Virtigo.Host;

namespace Virtigo.Images;

/// <summary>
/// Writes to what a guest sees on a disk, through one <c>qemu-io</c> that holds QEMU's own lock on the file from the first look to the last
/// write: no running machine has it meanwhile, and qcow2's tables are kept by who knows them.
/// </summary>
internal sealed class DiskEdit : IAsyncDisposable
{
    private const int MostAnswer = 64 << 10;
    private const string Prompt = "qemu-io> ";
    private readonly ChildProcess _child;
    private readonly string _path;
    private readonly DirectoryInfo _folder;
    private readonly FileLock _held;
    private string _lockFile = "";

    private DiskEdit(ChildProcess child, string path, DirectoryInfo folder, FileLock held) =>
        (_child, _path, _folder, _held) = (child, path, folder, held);

    /// <summary>Opens a disk for writing.</summary>
    /// <exception cref="VirtigoException">It is in use (<see cref="FailureKind.Usage"/>), or cannot be written (<see cref="FailureKind.Host"/>).</exception>
    public static async Task<DiskEdit> OpenAsync(string path, string format, CancellationToken cancellationToken)
    {
        path = Path.GetFullPath(path);

        // QEMU's own lock lets two of these in; ours, of another kind, only one.
        FileLock held = Lock(path, out string lockFile);
        DirectoryInfo folder = Directory.CreateTempSubdirectory("virtigo-edit-");
        DiskEdit? edit = null;
        try
        {
            ChildProcess child = await ChildProcess.StartAsync(
                new ChildCommand("qemu-io", ["-f", format, path])
                {
                    PipeInput = true, PipeOutput = true, WorkingDirectory = folder.FullName,
                    Environment = new Dictionary<string, string> { ["LC_ALL"] = "C.UTF-8" },
                }, cancellationToken);
            edit = new DiskEdit(child, path, folder, held) { _lockFile = lockFile };
            await edit.ReadToPromptAsync(cancellationToken);
            return edit;
        }
        catch
        {
            if (edit is not null)
            {
                await edit.DisposeAsync();
            }
            else
            {
                folder.Delete(recursive: true);
                held.Dispose();
            }

            throw;
        }
    }

    /// <summary>Writes changes one after the other and waits until all of them are on storage.</summary>
    public async Task WriteAsync(IEnumerable<DiskChange> changes, CancellationToken cancellationToken)
    {
        string bytes = Path.Combine(_folder.FullName, "bytes");
        foreach (DiskChange change in changes)
        {
            await File.WriteAllBytesAsync(bytes, change.Bytes, cancellationToken);
            string size = change.Bytes.Length.ToString(CultureInfo.InvariantCulture);
            await DoAsync($"write -s bytes {change.Offset.ToString(CultureInfo.InvariantCulture)} {size}", $"wrote {size}/{size} bytes", cancellationToken);
        }

        await DoAsync("flush", "", cancellationToken);
    }

    /// <summary>Closes the disk.</summary>
    public async ValueTask DisposeAsync()
    {
        try
        {
            await _child.Input.WriteAsync("quit\n"u8.ToArray());
            await _child.Input.DisposeAsync();
            await _child.Exited.WaitAsync(TimeSpan.FromSeconds(30));
        }
        catch (Exception error) when (error is IOException or TimeoutException)
        {
            // It has ended already, or does not end by itself: it is killed next.
        }

        await _child.DisposeAsync();
        _folder.Delete(recursive: true);
        File.Delete(_lockFile);
        _held.Dispose();
    }

    /// <summary>A lock on a name made of the disk's: .NET itself locks every file that it reads, so the disk's own is taken.</summary>
    private static FileLock Lock(string path, out string lockFile)
    {
        string real = File.ResolveLinkTarget(path, returnFinalTarget: true)?.FullName ?? path;
        string name = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(real)))[..16];
        lockFile = Path.Combine(Path.GetTempPath(), $"virtigo-edit-{Environment.UserName}-{name}.lock");
        return FileLock.TryAcquire(lockFile) ?? throw InUse(path);
    }

    private static VirtigoException InUse(string path) =>
        new(FailureKind.Usage, $"The disk {path} is in use by a running machine, or another program.", "Power it off first.");

    /// <summary>
    /// Gives one command and waits for the prompt that follows it: a second one that came with the first would wait in a buffer that is not polled.
    /// </summary>
    private async Task DoAsync(string command, string answer, CancellationToken cancellationToken)
    {
        try
        {
            await _child.Input.WriteAsync(Encoding.ASCII.GetBytes(command + "\n"), cancellationToken);
            await _child.Input.FlushAsync(cancellationToken);
        }
        catch (IOException)
        {
            // It ended: what it said is read below.
        }

        string said = await ReadToPromptAsync(cancellationToken);
        if (!said.Contains(answer, StringComparison.Ordinal))
        {
            throw new VirtigoException(FailureKind.Host, $"The disk {_path} cannot be written: {said.Trim()}", "Look at the space that is free.");
        }
    }

    private async Task<string> ReadToPromptAsync(CancellationToken cancellationToken)
    {
        var said = new StringBuilder();
        byte[] buffer = new byte[MostAnswer];
        while (said.Length < MostAnswer)
        {
            int count = await _child.Output.ReadAsync(buffer, cancellationToken);
            if (count == 0)
            {
                await _child.Exited.WaitAsync(cancellationToken);
                string error = _child.ErrorTail.Trim();
                throw error.Contains("lock", StringComparison.Ordinal)
                    ? InUse(_path)
                    : new VirtigoException(FailureKind.Host, $"The disk {_path} cannot be written: {error}", "Look at its permissions, and at the space that is free.");
            }

            said.Append(Encoding.ASCII.GetString(buffer, 0, count));
            if (said.ToString().EndsWith(Prompt, StringComparison.Ordinal))
            {
                return said.ToString(0, said.Length - Prompt.Length);
            }
        }

        throw new VirtigoException(FailureKind.Host, $"The disk {_path} cannot be written: qemu-io says too much.");
    }
}

using Virtigo.Host;

namespace Virtigo.Images;

/// <summary>Writes definitions to files of the user's.</summary>
public static class DefinitionFolder
{
    /// <summary>Writes one file, or for a seed a folder of them with the volume <c>seed.iso</c> where the host has a program that makes one.</summary>
    /// <param name="files">The files.</param>
    /// <param name="path">The file; for more than one file, the folder.</param>
    /// <param name="force">Replace what is there.</param>
    /// <param name="cancellationToken">Ends the writing.</param>
    /// <returns>The files written.</returns>
    /// <exception cref="VirtigoException">A file exists (<see cref="FailureKind.Usage"/>), or the program failed (<see cref="FailureKind.Host"/>).</exception>
    public static Task<IReadOnlyList<string>> WriteAsync(
        IReadOnlyList<DefinitionFile> files, string path, bool force = false, CancellationToken cancellationToken = default) =>
        WriteAsync(files, path, force, HostTools.Find, cancellationToken);

    internal static async Task<IReadOnlyList<string>> WriteAsync(
        IReadOnlyList<DefinitionFile> files, string path, bool force, Func<string, string?> find, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(files);
        path = Path.GetFullPath(path);
        bool isFolder = files.Count > 1;
        string? program = isFolder ? CloudSeed.Program(find) : null;
        var targets = files.Select(file => (File: file, Path: isFolder ? Path.Combine(path, file.Name) : path)).ToList();
        string volume = Path.Combine(path, CloudSeed.VolumeName);
        if (targets.Select(target => target.Path).Append(volume).FirstOrDefault(one => Path.Exists(one) && !(force && File.Exists(one))) is { } there)
        {
            throw new VirtigoException(FailureKind.Usage, $"{there} exists.", "Give another name, or --force to replace a file.");
        }

        var written = new List<string>();
        foreach ((DefinitionFile file, string target) in targets)
        {
            await AtomicFile.WriteTextAsync(target, file.Content, cancellationToken);
            if (file.IsScript)
            {
                File.SetUnixFileMode(target, File.GetUnixFileMode(target) | UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute);
            }

            written.Add(target);
        }

        if (program is not null)
        {
            var command = new ChildCommand(find(program)!, CloudSeed.Arguments(files)) { WorkingDirectory = path };
            ToolResult result = await Tool.TryRunAsync(command, ReadOnlyMemory<byte>.Empty, cancellationToken);
            if (result.ExitCode != 0)
            {
                throw new VirtigoException(FailureKind.Host, $"{program} could not make {volume}: {result.Error.Trim()}", "Rerun: " + command);
            }

            written.Add(volume);
        }

        return written;
    }
}

using Virtigo.Host;

namespace Virtigo.Images;

/// <summary>
/// <c>SHA256SUMS</c> for an exported file and, if wished, its signature by a tool of the user's. Both are made in a folder beside the file and
/// moved from there only when all is well.
/// </summary>
internal sealed class ExportSums : IDisposable
{
    public const string Name = "SHA256SUMS";

    private const int MostBytes = 16 << 20;
    private readonly string _target;
    private readonly string _staging;

    private ExportSums(string target, string staging) => (_target, _staging) = (target, staging);

    /// <summary>Makes sums and signature.</summary>
    /// <param name="path">The exported file's final name.</param>
    /// <param name="sha256">Its hash.</param>
    /// <param name="signCommand">The user's command line, or null.</param>
    /// <param name="cancellationToken">Ends the making.</param>
    /// <exception cref="VirtigoException">The tool failed (<see cref="FailureKind.Host"/>).</exception>
    public static async Task<ExportSums> PrepareAsync(string path, string sha256, string? signCommand, CancellationToken cancellationToken)
    {
        string folder = Path.GetDirectoryName(path)!;
        string staging = Path.Combine(folder, $".{Name}.{Guid.NewGuid():N}");
        ExportSums? made = new(folder, staging);
        try
        {
            Directory.CreateDirectory(staging);
            string old = Path.Combine(folder, Name);
            string text = File.Exists(old) && new FileInfo(old).Length <= MostBytes ? await File.ReadAllTextAsync(old, cancellationToken) : "";
            await File.WriteAllTextAsync(Path.Combine(staging, Name), Merge(text, Path.GetFileName(path), sha256), cancellationToken);
            if (signCommand is not null)
            {
                await SignAsync(staging, signCommand, cancellationToken);
            }

            (ExportSums result, made) = (made, null);
            return result;
        }
        finally
        {
            made?.Dispose();
        }
    }

    /// <summary>The lines of a file of sums with that of one file added, or put in place of the old one. Sorted by name.</summary>
    internal static string Merge(string lines, string name, string sha256)
    {
        // GNU's rule for a name with a line end or a backslash in it.
        bool escape = name.AsSpan().ContainsAny('\n', '\r', '\\');
        string shown = !escape ? name : name.Replace("\\", "\\\\", StringComparison.Ordinal)
            .Replace("\n", "\\n", StringComparison.Ordinal).Replace("\r", "\\r", StringComparison.Ordinal);
        string line = $"{(escape ? "\\" : "")}{sha256}  {shown}";
        return string.Concat(lines.Split('\n')
            .Where(old => old.Length > 0 && NameIn(old) != shown)
            .Append(line)
            .OrderBy(NameIn, StringComparer.Ordinal)
            .Select(each => each + "\n"));
    }

    /// <summary>Moves what was made beside the exported file.</summary>
    /// <returns>The files.</returns>
    public IReadOnlyList<string> Publish()
    {
        var moved = new List<string>();
        foreach (string file in Directory.EnumerateFiles(_staging).Order(StringComparer.Ordinal).ToArray())
        {
            string target = Path.Combine(_target, Path.GetFileName(file));
            DiskFile.Flush(file);
            File.Move(file, target, overwrite: true);
            moved.Add(target);
        }

        DiskFile.FlushFolder(_target);
        return moved;
    }

    public void Dispose()
    {
        if (Directory.Exists(_staging))
        {
            Directory.Delete(_staging, recursive: true);
        }
    }

    private static string NameIn(string line) => line.IndexOf(' ', StringComparison.Ordinal) is > 0 and var at && at + 2 <= line.Length ? line[(at + 2)..] : line;

    private static async Task SignAsync(string staging, string signCommand, CancellationToken cancellationToken)
    {
        var command = new ChildCommand("/bin/sh", ["-c", signCommand + " \"$@\"", "sh", Name]) { WorkingDirectory = staging };
        await using ChildProcess child = await ChildProcess.StartAsync(command, cancellationToken);
        int code = await child.Exited.WaitAsync(cancellationToken);
        if (code != 0)
        {
            throw new VirtigoException(FailureKind.Host,
                $"The signing tool ended with {code}: {signCommand} {Name}. It said: {child.ErrorTail.Trim()}",
                "Nothing was exported. Run it by hand on a file; it must not need a terminal.");
        }

        if (!Directory.EnumerateFiles(staging).Any(file => Path.GetFileName(file) != Name))
        {
            throw new VirtigoException(FailureKind.Host, $"The signing tool made no file beside {Name}: {signCommand} {Name}",
                "Nothing was exported. Use a command that writes a detached signature, for instance: gpg --detach-sign --armor");
        }
    }
}

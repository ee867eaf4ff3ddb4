using Virtigo.Images;
using Virtigo.Machines;

namespace Virtigo.Appliances;

/// <summary>The files of a machine, wherever they are read from. All names and contents are a stranger's words.</summary>
internal interface IFileTree
{
    /// <summary>A file's content, links followed; null when it is not there, no file, or longer than the limit.</summary>
    byte[]? Read(string path, int limit);

    /// <summary>The names of what is in a folder, in the order of their characters; none when it is no folder.</summary>
    IReadOnlyList<string> List(string folder);

    /// <summary>Where a link leads; null when it is none.</summary>
    string? Target(string path);

    /// <summary>The permissions of a file; null when it is not there.</summary>
    int? Mode(string path);
}

/// <summary>The files on an image's disk.</summary>
internal sealed class ImageTree(ImageFiles files) : IFileTree
{
    private const int MostNames = 20_000;

    public byte[]? Read(string path, int limit) => files.Find(path) is { } file ? files.Read(file, limit) : null;

    public IReadOnlyList<string> List(string folder) => files.Find(folder) is { Kind: ImageEntryKind.Directory } found
        ? [.. files.List(found).Take(MostNames).Select(entry => entry.Path[(entry.Path.LastIndexOf('/') + 1)..])]
        : [];

    public string? Target(string path)
    {
        int slash = path.LastIndexOf('/');
        return files.Find(path[..Math.Max(1, slash)]) is { Kind: ImageEntryKind.Directory } folder
            ? files.List(folder).FirstOrDefault(entry => entry.Path.EndsWith(path[slash..], StringComparison.Ordinal))?.Target
            : null;
    }

    public int? Mode(string path) => files.Find(path)?.Mode;
}

/// <summary>Files that came as a tar archive.</summary>
internal sealed class TarTree : IFileTree
{
    private const int MostEntries = 50_000;
    private const long MostBytes = 256L << 20;
    private const int MostFileBytes = 64 << 20;
    private const int MostLinks = 40;
    private readonly SortedDictionary<string, (int Mode, byte[]? Content, string? Target)> _entries = new(StringComparer.Ordinal);

    private TarTree()
    {
    }

    /// <summary>Reads an archive whole.</summary>
    /// <exception cref="InvalidDataException">It is malformed, or larger than any machine's settings.</exception>
    public static async Task<TarTree> ReadAsync(Stream archive, CancellationToken cancellationToken)
    {
        var tree = new TarTree();
        var reader = new HostileTarReader(archive);
        long bytes = 0;
        while (await reader.NextAsync(cancellationToken) is { } entry)
        {
            if (entry.Kind is TarKind.HardLink or TarKind.Special || entry.SparseSize is not null)
            {
                continue;
            }

            bytes += entry.Size;
            if (tree._entries.Count >= MostEntries || bytes > MostBytes || entry.Size > MostFileBytes)
            {
                throw new InvalidDataException("the machine's files are more than its settings can be");
            }

            byte[] content = new byte[entry.Size];
            for (int at = 0, read; at < content.Length && (read = await reader.ReadAsync(content.AsMemory(at), cancellationToken)) > 0; at += read)
            {
            }

            tree._entries[Clean(entry.Name)] = (entry.Mode, entry.Kind == TarKind.File ? content : null, entry.Kind == TarKind.Symlink ? entry.Target : null);
        }

        return tree;
    }

    public byte[]? Read(string path, int limit) => Follow(path) is { } found && _entries[found].Content is { } content && content.Length <= limit ? content : null;

    public IReadOnlyList<string> List(string folder)
    {
        string prefix = Clean(folder).TrimEnd('/') + "/";
        return [.. _entries.Keys.Where(path => path.StartsWith(prefix, StringComparison.Ordinal) && path.Length > prefix.Length)
            .Select(path => path[prefix.Length..].Split('/')[0]).Distinct()];
    }

    public string? Target(string path) => _entries.TryGetValue(Clean(path), out var entry) ? entry.Target : null;

    public int? Mode(string path) => Follow(path) is { } found ? _entries[found].Mode : null;

    private static string Clean(string name)
    {
        var parts = new List<string>();
        foreach (string part in name.Split('/'))
        {
            if (part == "..")
            {
                parts.RemoveRange(Math.Max(0, parts.Count - 1), Math.Min(1, parts.Count));
            }
            else if (part is not ("" or "."))
            {
                parts.Add(part);
            }
        }

        return "/" + string.Join('/', parts);
    }

    private string? Follow(string path)
    {
        path = Clean(path);
        for (int links = 0; links < MostLinks; links++)
        {
            if (!_entries.TryGetValue(path, out var entry))
            {
                return null;
            }

            if (entry.Target is not { } target)
            {
                return path;
            }

            path = Clean(target.StartsWith('/') ? target : path[..(path.LastIndexOf('/') + 1)] + target);
        }

        return null;
    }
}

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
    private readonly SortedDictionary<string, (int Mode, byte[]? Content, string? Target)> _entries = new(StringComparer.Ordinal);

    // Those too that have no entry of their own.
    private readonly HashSet<string> _folders = new(StringComparer.Ordinal);
    private long _bytes;

    private TarTree()
    {
    }

    /// <summary>Reads an archive whole.</summary>
    /// <exception cref="InvalidDataException">It is malformed, or larger than any machine's settings.</exception>
    public static async Task<TarTree> ReadAsync(Stream archive, CancellationToken cancellationToken)
    {
        var tree = new TarTree();
        var reader = new HostileTarReader(archive);
        while (await reader.NextAsync(cancellationToken) is { } entry)
        {
            if (entry.Kind is TarKind.HardLink or TarKind.Special || entry.SparseSize is not null)
            {
                continue;
            }

            string path = string.Concat(GuestPath.Names(entry.Name).Select(name => "/" + name));
            tree.Count(path, entry.Size);
            byte[] content = new byte[entry.Size];
            for (int at = 0, read; at < content.Length && (read = await reader.ReadAsync(content.AsMemory(at), cancellationToken)) > 0; at += read)
            {
            }

            tree._entries[path] = (entry.Mode, entry.Kind == TarKind.File ? content : null, entry.Kind == TarKind.Symlink ? entry.Target : null);
            for (string folder = Parent(path); folder.Length > 0 && tree._folders.Add(folder); folder = Parent(folder))
            {
                tree.Count(folder, 0);
            }
        }

        return tree;
    }

    public byte[]? Read(string path, int limit) => Entry(path)?.Content is { } content && content.Length <= limit ? content : null;

    public IReadOnlyList<string> List(string folder) => Follow(folder) is { } found
        ? [.. _entries.Keys.Where(path => path.StartsWith(found + "/", StringComparison.Ordinal)).Select(path => path[(found.Length + 1)..].Split('/')[0]).Distinct()]
        : [];

    public string? Target(string path) =>
        Follow(Parent(path)) is { } folder && _entries.TryGetValue(folder + path[path.LastIndexOf('/')..], out var entry) ? entry.Target : null;

    public int? Mode(string path) => Entry(path)?.Mode;

    private void Count(string path, long size)
    {
        if (size > MostFileBytes || (_bytes += path.Length + size) > MostBytes || _entries.Count + _folders.Count >= MostEntries)
        {
            throw new InvalidDataException("the machine's files are more than its settings can be");
        }
    }

    private static string Parent(string path) => path[..Math.Max(0, path.LastIndexOf('/'))];

    private (int Mode, byte[]? Content, string? Target)? Entry(string path) =>
        Follow(path) is { } found && _entries.TryGetValue(found, out var entry) ? entry : null;

    private string? Follow(string path) => GuestPath.Follow("", path,
        (folder, name) => _entries.ContainsKey($"{folder}/{name}") || _folders.Contains($"{folder}/{name}") ? $"{folder}/{name}" : null,
        at => _entries.TryGetValue(at, out var entry) ? entry.Target : null);
}

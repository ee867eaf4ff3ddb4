using System.Text;

namespace Virtigo.Images;

/// <summary>
/// The files on an image's disk, read as an ordinary user straight from the disk: nothing is mounted, started or copied first.
/// ext2, ext3 and ext4 on plain partitions can be read, put together as the image's own <c>fstab</c> says. All names, sizes and contents are
/// a guest's words. Not safe for concurrent use.
/// </summary>
internal sealed partial class ImageFiles : IDisposable
{
    private const int MostLinks = 40;
    private const int MostDepth = 256;
    private const int MostEntries = 10_000_000;
    private const int MostTableBytes = 64 << 10;
    private readonly string _path;
    private readonly DiskContent _disk;
    private readonly IReadOnlyList<ExtVolume> _volumes;
    private readonly Dictionary<string, ExtVolume> _mounted = new(StringComparer.Ordinal);
    private readonly ExtVolume? _root;

    private ImageFiles(string path, DiskContent disk)
    {
        (_path, _disk) = (path, disk);
        var whole = new DiskRange(disk, 0, disk.Length);
        IReadOnlyList<Partition> partitions = PartitionTable.Read(whole);
        (Partition Partition, ExtVolume Volume)[] read =
        [
            .. partitions.Select(one => (one, ExtVolume.TryOpen(new DiskRange(disk, one.Start, one.Length)))).Where(one => one.Item2 is not null)
                .Select(one => (one.one, one.Item2!)),
        ];
        _volumes = [.. read.Select(one => one.Volume)];
        _root = _volumes.FirstOrDefault(HasRoot);
        if (_root is not null)
        {
            Partition root = read.First(one => one.Volume == _root).Partition;
            (RootPartition, RootUuid) = (root.Number, FileSystemProbe.Look(new DiskRange(disk, root.Start, root.Length))?.Uuid);
            Mount(_root);
        }

        Unread = partitions.Count - _volumes.Count;
    }

    /// <summary>How many partitions hold nothing that can be read here: swap, boot loaders, other file systems.</summary>
    public int Unread { get; }

    /// <summary>Whether the root file system can be read. When not, the volumes are seen one by one with <see cref="Find"/>.</summary>
    public bool HasRootVolume => _root is not null;

    /// <summary>The number of the partition with the root file system; 0 when that fills the disk, null when it cannot be read.</summary>
    public int? RootPartition { get; }

    /// <summary>The UUID of the root file system; null when that cannot be read.</summary>
    public string? RootUuid { get; }

    /// <summary>Opens the files of a disk.</summary>
    /// <param name="path">The disk: raw, or qcow2 that is self-contained. It must not change.</param>
    /// <exception cref="VirtigoException">The disk cannot be read, or is damaged (<see cref="FailureKind.Host"/>).</exception>
    public static ImageFiles Open(string path)
    {
        var disk = DiskContent.Open(path);
        ImageFiles? files = null;
        try
        {
            return files = Guarded(path, () => new ImageFiles(path, disk));
        }
        finally
        {
            if (files is null)
            {
                disk.Dispose();
            }
        }
    }

    /// <summary>Demands that the root file system can be read.</summary>
    /// <exception cref="VirtigoException">It cannot (<see cref="FailureKind.Usage"/>).</exception>
    public void RequireRoot()
    {
        if (_root is null)
        {
            throw new VirtigoException(FailureKind.Usage, $"No root file system that can be read is on {_path}: files are read from ext2, ext3 and ext4 "
                + "on plain partitions, not from LVM, encrypted disks or other file systems.", "Look into a running copy instead: virtigo run");
        }
    }

    /// <summary>What a path names, symbolic links followed within the image; null when there is nothing.</summary>
    /// <param name="path">A path from the root. Without a root file system, every volume is looked at as if it were one.</param>
    public ImageEntry? Find(string path) => Guarded(_path, () =>
        (_root is { } root ? [root] : _volumes).Select(volume => Resolve(volume, path)).FirstOrDefault(entry => entry is not null));

    /// <summary>The names in a directory, in the order of their characters.</summary>
    public IReadOnlyList<ImageEntry> List(ImageEntry directory) => Guarded(_path, () => Below(directory));

    /// <summary>Everything below a directory, each directory before what is in it, in the order of the characters.</summary>
    /// <param name="path">The directory.</param>
    /// <param name="enter">Whether to look into a directory; null for all.</param>
    public IEnumerable<ImageEntry> Tree(string path = "/", Func<ImageEntry, bool>? enter = null)
    {
        if (Find(path) is not { Kind: ImageEntryKind.Directory } top)
        {
            yield break;
        }

        var open = new Stack<(ImageEntry Entry, int Depth)>();
        var seen = new HashSet<(ExtVolume, uint)>();
        int count = 0;
        open.Push((top, 0));
        while (open.TryPop(out (ImageEntry Entry, int Depth) next))
        {
            if (next.Depth > 0)
            {
                yield return next.Entry;
            }

            if (next.Entry.Kind != ImageEntryKind.Directory || (next.Depth > 0 && enter is not null && !enter(next.Entry)))
            {
                continue;
            }

            // A directory that is named twice, or within itself, is no tree.
            if (!seen.Add((next.Entry.Volume, next.Entry.Inode.Number)) || next.Depth > MostDepth)
            {
                throw Damaged($"the directory {Shown(next.Entry.Path)} is named twice, or too deep");
            }

            IReadOnlyList<ImageEntry> below = List(next.Entry);
            count = count + below.Count <= MostEntries ? count + below.Count : throw Damaged("it has too many files");
            foreach (ImageEntry entry in below.Reverse())
            {
                open.Push((entry, next.Depth + 1));
            }
        }
    }

    /// <summary>The content of a file, at most so many bytes of it; null when it is longer or no file.</summary>
    public byte[]? Read(ImageEntry file, int limit)
    {
        if (file.Kind != ImageEntryKind.File || file.Size > limit)
        {
            return null;
        }

        using var content = new MemoryStream();
        Copy(file, content, CancellationToken.None);
        return content.ToArray();
    }

    /// <summary>A text file, or null when it is not there, is longer than the limit or no file.</summary>
    public string? ReadText(string path, int limit) => Find(path) is { } file && Read(file, limit) is { } bytes ? Encoding.UTF8.GetString(bytes) : null;

    /// <summary>Writes a file's content to a stream. Its size is the guest's to say, but not more than the disk's.</summary>
    public void Copy(ImageEntry file, Stream target, CancellationToken cancellationToken)
    {
        if (file.Kind != ImageEntryKind.File || file.Size > _disk.Length)
        {
            throw Damaged($"{Shown(file.Path)} is larger than the disk, or no file");
        }

        Guarded(_path, () =>
        {
            file.Volume.Copy(file.Inode, target, cancellationToken);
            return true;
        });
    }

    /// <summary>Closes the disk.</summary>
    public void Dispose() => _disk.Dispose();

    /// <summary>A guest's word in a message of ours.</summary>
    private static string Shown(string path) => string.Concat(path.Take(200).Select(c => char.IsControl(c) ? '?' : c));

    private static T Guarded<T>(string path, Func<T> read)
    {
        try
        {
            return read();
        }
        catch (Exception error) when (error is DamagedDiskException or OverflowException)
        {
            throw new VirtigoException(FailureKind.Host, $"A file system on {path} is damaged: {error.Message}.",
                "Check it in a running copy: virtigo run", error);
        }
    }

    private static bool HasRoot(ExtVolume volume) =>
        Named(volume, volume.Inode(ExtVolume.RootInode), "etc") is { IsDirectory: true } etc && Named(volume, etc, "fstab") is not null;

    private static ExtInode? Named(ExtVolume volume, ExtInode directory, string name)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(name);
        ExtVolume.Entry found = volume.Entries(directory).FirstOrDefault(entry => entry.Name.AsSpan().SequenceEqual(bytes));
        return found.Inode == 0 ? null : volume.Inode(found.Inode);
    }

    private static ImageEntry Make(string path, ExtVolume volume, ExtInode inode) => new(
        path,
        inode.IsFile ? ImageEntryKind.File : inode.IsDirectory ? ImageEntryKind.Directory : inode.IsLink ? ImageEntryKind.Link : ImageEntryKind.Special,
        inode.Mode & 0xFFF, inode.User, inode.Group, inode.Size, inode.Modified,
        inode.IsLink ? GuestName.Text(volume.Target(inode), isPath: true) : null) { Volume = volume, Inode = inode };

    private VirtigoException Damaged(string why) => new(FailureKind.Host, $"A file system on {_path} is damaged: {why}.",
        "Check it in a running copy: virtigo run");

    private List<ImageEntry> Below(ImageEntry directory)
    {
        string prefix = directory.Path == "/" ? "/" : directory.Path + "/";
        var found = new List<ImageEntry>();
        foreach (ExtVolume.Entry entry in directory.Volume.Entries(directory.Inode))
        {
            string path = prefix + GuestName.Text(entry.Name);
            found.Add(_mounted.TryGetValue(path, out ExtVolume? other) && _root is not null
                ? Make(path, other, other.Inode(ExtVolume.RootInode))
                : Make(path, directory.Volume, directory.Volume.Inode(entry.Inode)));
        }

        found.Sort((a, b) => string.CompareOrdinal(a.Path, b.Path));
        return found;
    }

    private void Mount(ExtVolume root)
    {
        string table = Resolve(root, "/etc/fstab") is { } file && Read(file, MostTableBytes) is { } bytes ? Encoding.UTF8.GetString(bytes) : "";
        foreach (string line in table.Split('\n'))
        {
            string[] words = line.Split([' ', '\t'], StringSplitOptions.RemoveEmptyEntries);
            if (words.Length > 2 && words[1].Length > 1 && words[1][0] == '/' && words[0].StartsWith("UUID=", StringComparison.Ordinal)
                && Guid.TryParse(words[0].AsSpan(5).Trim('"'), out Guid id) && _volumes.FirstOrDefault(volume => volume.Id == id) is { } volume
                && volume != root)
            {
                _mounted[words[1].TrimEnd('/')] = volume;
            }
        }
    }

    private ImageEntry? Resolve(ExtVolume volume, string path)
    {
        var todo = new Stack<string>(Words(path).Reverse());
        var at = new List<ImageEntry> { Make("/", volume, volume.Inode(ExtVolume.RootInode)) };
        int links = 0;
        while (todo.TryPop(out string? word))
        {
            if (word == "..")
            {
                at.RemoveRange(Math.Max(1, at.Count - 1), at.Count > 1 ? 1 : 0);
                continue;
            }

            if (at[^1].Kind != ImageEntryKind.Directory || Below(at[^1]).FirstOrDefault(entry => NameOf(entry) == word) is not { } next)
            {
                return null;
            }

            if (next.Target is not { } target)
            {
                at.Add(next);
                continue;
            }

            if (++links > MostLinks)
            {
                return null;
            }

            if (target.StartsWith('/'))
            {
                at.RemoveRange(1, at.Count - 1);
            }

            foreach (string part in Words(target).Reverse())
            {
                todo.Push(part);
            }
        }

        return at[^1];
    }

    private static string NameOf(ImageEntry entry) => entry.Path[(entry.Path.LastIndexOf('/') + 1)..];

    private static string[] Words(string path) => [.. path.Split('/', StringSplitOptions.RemoveEmptyEntries).Where(word => word != ".")];
}

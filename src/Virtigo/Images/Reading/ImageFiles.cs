using System.Text;

namespace Virtigo.Images;

/// <summary>
/// The files on an image's disk, read as an ordinary user straight from the disk: nothing is mounted, started or copied first.
/// ext2, ext3, ext4, xfs and btrfs can be read, on partitions and on linear logical volumes, put together as the image's own <c>fstab</c> says. All names,
/// sizes and contents are a guest's words. Not safe for concurrent use.
/// </summary>
internal sealed partial class ImageFiles : IDisposable
{
    private const int MostDepth = 256;
    private const int MostEntries = 10_000_000;
    private const int MostTableBytes = 64 << 10;
    private const string SubvolumeOption = "subvol=";
    private readonly string _path;
    private readonly DiskContent _disk;
    private readonly IReadOnlyList<Place> _places;
    private readonly Dictionary<string, Top> _mounted = new(StringComparer.Ordinal);
    private readonly Top? _root;

    private ImageFiles(string path, DiskContent disk)
    {
        (_path, _disk) = (path, disk);
        Place[] all = [.. PartitionTable.Read(new DiskRange(disk, 0, disk.Length)).SelectMany(partition => PlacesOn(partition, disk))];
        _places = [.. all.Where(place => place.Volume is not null)];
        Unread = all.Length - _places.Count;
        foreach (Place place in _places)
        {
            if (place.Volume!.Roots.FirstOrDefault(root => IsRoot(place.Volume, root)) is { Path: { } at } root)
            {
                _root = new Top(place.Volume, root.Inode);
                (RootPartition, RootPath, RootSystem) = (place.Partition, at, FileSystemProbe.Look(place.Range));
                Mount(_root);
                break;
            }
        }
    }

    /// <summary>How many partitions and logical volumes hold nothing that can be read here: swap, boot loaders, other file systems.</summary>
    public int Unread { get; }

    /// <summary>Whether the root file system can be read. When not, the volumes are seen one by one with <see cref="Find"/>.</summary>
    public bool HasRootVolume => _root is not null;

    /// <summary>The number of the partition with the root file system; 0 when that fills the disk, null when it is on none, or cannot be read.</summary>
    public int? RootPartition { get; }

    /// <summary>The subvolume that is the root file system, as a path on its file system; empty when that is the root itself.</summary>
    public string RootPath { get; } = "";

    /// <summary>The root file system; null when it cannot be read.</summary>
    public FileSystemProbe? RootSystem { get; }

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
            throw new VirtigoException(FailureKind.Usage, $"No root file system that can be read is on {_path}: files are read from ext2, ext3, ext4, xfs and btrfs "
                + "on partitions and linear logical volumes, not from encrypted disks or other file systems.", "Look into a running copy instead: virtigo run");
        }
    }

    /// <summary>What a path names, symbolic links followed within the image; null when there is nothing.</summary>
    /// <param name="path">A path from the root. Without a root file system, every volume is looked at as if it were one.</param>
    public ImageEntry? Find(string path) => Guarded(_path, () =>
        (_root is { } root ? [root] : _places.Select(place => new Top(place.Volume!, place.Volume!.Root))).Select(top => Resolve(top, path))
            .FirstOrDefault(entry => entry is not null));

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
        var seen = new HashSet<(FileVolume, InodeId)>();
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
            if (!seen.Add((next.Entry.Volume, next.Entry.Inode.Id)) || next.Depth > MostDepth)
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

    private static IEnumerable<Place> PlacesOn(Partition partition, DiskContent disk)
    {
        var range = new DiskRange(disk, partition.Start, partition.Length);
        LogicalVolume[] logical = LvmVolumes.IsPhysicalVolume(range) ? [.. LvmVolumes.Read(range)] : [];
        return logical.Length == 0 ? [new Place(FileVolume.TryOpen(range), range, partition.Number, null)]
            : logical.Select(one => one.Content is { } content && new DiskRange(content, 0, content.Length) is var part
                ? new Place(FileVolume.TryOpen(part), part, null, "/dev/mapper/" + one.Name[LvmVolumes.Prefix.Length..])
                : new Place(null, range, null, null));
    }

    private static bool IsRoot(FileVolume volume, VolumeRoot root) =>
        volume.Named(volume.Inode(root.Inode), "etc") is { IsDirectory: true } etc && volume.Named(etc, "fstab") is not null;

    private static ImageEntry Make(string path, FileVolume volume, VolumeInode inode) => new(
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
        foreach (VolumeEntry entry in directory.Volume.Entries(directory.Inode))
        {
            string path = prefix + GuestName.Text(entry.Name);
            found.Add(_mounted.TryGetValue(path, out Top? other)
                ? Make(path, other.Volume, other.Volume.Inode(other.Inode))
                : Make(path, directory.Volume, directory.Volume.Inode(entry.Inode)));
        }

        found.Sort((a, b) => string.CompareOrdinal(a.Path, b.Path));
        return found;
    }

    private void Mount(Top root)
    {
        string table = Resolve(root, "/etc/fstab") is { } file && Read(file, MostTableBytes) is { } bytes ? Encoding.UTF8.GetString(bytes) : "";
        foreach (string line in table.Split('\n'))
        {
            string[] words = line.Split([' ', '\t'], StringSplitOptions.RemoveEmptyEntries);
            if (words.Length > 2 && words[1].Length > 1 && words[1][0] == '/' && _places.FirstOrDefault(place => IsNamed(place, words[0])) is { Volume: { } volume })
            {
                string? option = words.ElementAtOrDefault(3)?.Split(',').FirstOrDefault(one => one.StartsWith(SubvolumeOption, StringComparison.Ordinal));
                if (Subvolume(volume, option?[SubvolumeOption.Length..] ?? "") is { } top && top != root)
                {
                    _mounted[words[1].TrimEnd('/')] = top;
                }
            }
        }
    }

    private static bool IsNamed(Place place, string source) =>
        source.StartsWith("UUID=", StringComparison.Ordinal) ? Guid.TryParse(source.AsSpan(5).Trim('"'), out Guid id) && place.Volume!.Id == id : place.Mapped == source;

    private static Top? Subvolume(FileVolume volume, string path)
    {
        VolumeInode? at = volume.Inode(volume.Root);
        foreach (string name in GuestPath.Names(path))
        {
            at = at is null ? null : volume.Named(at, name);
        }

        return at is { IsDirectory: true } ? new Top(volume, at.Id) : null;
    }

    private ImageEntry? Resolve(Top top, string path) => GuestPath.Follow(Make("/", top.Volume, top.Volume.Inode(top.Inode)), path,
        (directory, name) => directory.Kind == ImageEntryKind.Directory ? Below(directory).FirstOrDefault(entry => NameOf(entry) == name) : null,
        entry => entry.Target);

    private static string NameOf(ImageEntry entry) => entry.Path[(entry.Path.LastIndexOf('/') + 1)..];

    /// <summary>A partition or a logical volume.</summary>
    /// <param name="Volume">The file system on it; null when none can be read.</param>
    /// <param name="Range">Its bytes.</param>
    /// <param name="Partition">The partition's number; null for a logical volume.</param>
    /// <param name="Mapped">The logical volume's device, as <c>fstab</c> names it; null for a partition.</param>
    private sealed record Place(FileVolume? Volume, DiskRange Range, int? Partition, string? Mapped);

    /// <summary>A directory that is the top of a part of the tree.</summary>
    private sealed record Top(FileVolume Volume, InodeId Inode);
}

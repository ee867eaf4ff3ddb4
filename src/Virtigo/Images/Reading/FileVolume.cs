using System.Text;

namespace Virtigo.Images;

/// <summary>Names an inode on a volume.</summary>
/// <param name="Tree">The subvolume that it is in; 0 where there are none.</param>
/// <param name="Number">Its number there.</param>
internal readonly record struct InodeId(ulong Tree, ulong Number);

/// <summary>An inode of a file system: everything is a guest's word.</summary>
/// <param name="Id">What names it.</param>
/// <param name="Mode">Type and permissions, as <c>st_mode</c> has them.</param>
/// <param name="User">The owner's number.</param>
/// <param name="Group">The group's number.</param>
/// <param name="Size">The size in bytes, not negative.</param>
/// <param name="Modified">When the content was last changed, in seconds since 1970.</param>
internal abstract record VolumeInode(InodeId Id, ushort Mode, uint User, uint Group, long Size, long Modified)
{
    private const int TypeMask = 0xF000;

    public bool IsDirectory => (Mode & TypeMask) == 0x4000;

    public bool IsFile => (Mode & TypeMask) == 0x8000;

    public bool IsLink => (Mode & TypeMask) == 0xA000;
}

/// <summary>A name in a directory.</summary>
/// <param name="Name">The name's bytes.</param>
/// <param name="Inode">What it names.</param>
internal readonly record struct VolumeEntry(byte[] Name, InodeId Inode);

/// <summary>A directory of a volume that may be the root of a system.</summary>
/// <param name="Path">Its path on the volume; empty for the volume's own root.</param>
/// <param name="Inode">What names it.</param>
internal readonly record struct VolumeRoot(string Path, InodeId Inode);

/// <summary>A part of a file's content, in bytes.</summary>
/// <param name="At">Where in the file it begins.</param>
/// <param name="Length">How long it is.</param>
/// <param name="Place">Where on the volume it is.</param>
/// <param name="Bytes">The content itself, where it is not on the volume as it is.</param>
internal readonly record struct ContentRun(long At, long Length, long Place, byte[]? Bytes = null);

/// <summary>
/// Reads a file system: inodes, directories and content. It changes nothing, and everything on the disk is taken for a stranger's word. A journal that was
/// not played back is not either: images are sealed after a clean power-off.
/// </summary>
/// <param name="disk">The part of a disk that it is on.</param>
internal abstract class FileVolume(DiskRange disk)
{
    private const int MostLinkBytes = 4096;
    private const int MostNames = 10_000_000;
    private const int Piece = 1 << 20;

    /// <summary>The UUID, as <c>fstab</c> names the file system.</summary>
    public abstract Guid Id { get; }

    /// <summary>The topmost directory.</summary>
    public abstract InodeId Root { get; }

    /// <summary>What may be the root of a system, the likeliest first.</summary>
    public virtual IReadOnlyList<VolumeRoot> Roots => [new VolumeRoot("", Root)];

    /// <summary>The part of a disk that it is on.</summary>
    protected DiskRange Disk { get; } = disk;

    /// <summary>Opens the file system on a part of a disk.</summary>
    /// <returns>Null when there is none that can be read.</returns>
    public static FileVolume? TryOpen(DiskRange disk) => ExtVolume.TryOpen(disk) ?? XfsVolume.TryOpen(disk) ?? (FileVolume?)BtrfsVolume.TryOpen(disk);

    /// <summary>Reads an inode.</summary>
    /// <exception cref="DamagedDiskException">There is no such inode.</exception>
    public abstract VolumeInode Inode(InodeId id);

    /// <summary>The names in a directory, in the order of the disk, without <c>.</c> and <c>..</c>.</summary>
    public abstract List<VolumeEntry> Entries(VolumeInode directory);

    /// <summary>What a name in a directory stands for; null when it is not there.</summary>
    public VolumeInode? Named(VolumeInode directory, string name)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(name);
        foreach (VolumeEntry entry in directory.IsDirectory ? Entries(directory) : [])
        {
            if (entry.Name.AsSpan().SequenceEqual(bytes))
            {
                return Inode(entry.Inode);
            }
        }

        return null;
    }

    /// <summary>What a symbolic link points to.</summary>
    public byte[] Target(VolumeInode link)
    {
        if (!link.IsLink || link.Size > MostLinkBytes)
        {
            throw new DamagedDiskException($"inode {link.Id.Number} is no symbolic link");
        }

        using var content = new MemoryStream();
        Copy(link, Ascending(link, LinkRuns(link)), content, CancellationToken.None);
        return content.ToArray();
    }

    /// <summary>Writes a file's content, holes as zeros. The size was the guest's to set: bound it first.</summary>
    public void Copy(VolumeInode file, Stream target, CancellationToken cancellationToken) => Copy(file, Content(file), target, cancellationToken);

    /// <summary>Where content is stored, as the disk says: what is not named reads as zeros.</summary>
    protected abstract IEnumerable<ContentRun> Runs(VolumeInode inode);

    /// <summary>The same of a symbolic link, where that is another thing.</summary>
    protected virtual IEnumerable<ContentRun> LinkRuns(VolumeInode link) => Runs(link);

    /// <summary>Adds a name of a directory's, unless it is the directory itself or the one above.</summary>
    protected static void Add(List<VolumeEntry> found, ReadOnlySpan<byte> name, InodeId inode)
    {
        if (found.Count >= MostNames)
        {
            throw new DamagedDiskException("a directory has too many names");
        }

        if (!name.IsEmpty && !name.SequenceEqual("."u8) && !name.SequenceEqual(".."u8))
        {
            found.Add(new VolumeEntry(name.ToArray(), inode));
        }
    }

    /// <summary>Where content is stored, in ascending order.</summary>
    /// <exception cref="DamagedDiskException">It is not: two parts are said to be at one place.</exception>
    protected IEnumerable<ContentRun> Content(VolumeInode inode) => Ascending(inode, Runs(inode));

    private static IEnumerable<ContentRun> Ascending(VolumeInode inode, IEnumerable<ContentRun> runs)
    {
        long next = 0;
        foreach (ContentRun run in runs)
        {
            next = run.At >= next && run.Length >= 0 ? checked(run.At + run.Length)
                : throw new DamagedDiskException($"the content of inode {inode.Id.Number} lies twice at one place");
            yield return run;
        }
    }

    private void Copy(VolumeInode file, IEnumerable<ContentRun> runs, Stream target, CancellationToken cancellationToken)
    {
        byte[] buffer = new byte[(int)Math.Min(Piece, Math.Max(1, file.Size))];
        long at = 0;
        foreach (ContentRun run in runs)
        {
            long start = Math.Min(file.Size, run.At);
            Fill(target, buffer, start - at, cancellationToken);
            at = start;
            long end = Math.Min(file.Size, run.At + run.Length);
            while (at < end)
            {
                cancellationToken.ThrowIfCancellationRequested();
                int count = (int)Math.Min(buffer.Length, end - at);
                if (run.Bytes is { } bytes)
                {
                    target.Write(bytes, (int)(at - start), count);
                }
                else
                {
                    Disk.Read(run.Place + at - start, buffer.AsSpan(0, count));
                    target.Write(buffer, 0, count);
                }

                at += count;
            }
        }

        Fill(target, buffer, file.Size - at, cancellationToken);
    }

    private static void Fill(Stream target, byte[] buffer, long count, CancellationToken cancellationToken)
    {
        if (count > 0)
        {
            Array.Clear(buffer);
        }

        for (; count > 0; count -= Math.Min(buffer.Length, count))
        {
            cancellationToken.ThrowIfCancellationRequested();
            target.Write(buffer, 0, (int)Math.Min(buffer.Length, count));
        }
    }
}

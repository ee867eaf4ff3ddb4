using System.Buffers.Binary;
using System.Numerics;

namespace Virtigo.Images;

/// <summary>An inode of an XFS file system.</summary>
/// <param name="Id">What names it.</param>
/// <param name="Mode">Type and permissions, as <c>st_mode</c> has them.</param>
/// <param name="User">The owner's number.</param>
/// <param name="Group">The group's number.</param>
/// <param name="Size">The size in bytes.</param>
/// <param name="Modified">When the content was last changed, in seconds since 1970.</param>
/// <param name="Format">How the content is stored.</param>
/// <param name="Extents">How many extents the inode itself has.</param>
/// <param name="Fork">Where the content is stored, or the content.</param>
internal sealed record XfsInode(InodeId Id, ushort Mode, uint User, uint Group, long Size, long Modified, XfsFormat Format, long Extents, byte[] Fork)
    : VolumeInode(Id, Mode, User, Group, Size, Modified);

/// <summary>How XFS stores the content of an inode.</summary>
internal enum XfsFormat
{
    Device,
    Local,
    Extents,
    Tree,
}

/// <summary>
/// Reads XFS, versions 4 and 5. Written from the description of the format by its authors ("XFS Algorithms and Data Structures").
/// </summary>
internal sealed class XfsVolume : FileVolume
{
    private const int SuperblockBytes = 512;
    private const int MostInodeBytes = 2048;
    private const int MostBlockBytes = 65536;
    private const int MostDepth = 8;

    // What is newer may lie on the disk in a way that nobody has described yet.
    private const uint KnownFeatures = 0xFF;
    private const uint TypesInDirectories = 0x1;
    private const uint OldTypesInDirectories = 0x200;
    private const ushort MoreFeatures = 0x8000;
    private const ushort InodeMagic = 0x494E;
    private const ushort OnRealtimeDevice = 0x1;
    private const ulong BigTime = 0x8;
    private const ulong ManyExtents = 0x10;

    // Above these bytes a directory has what finds its names by their hashes.
    private const long DirectoryIndexAt = 32L << 30;
    private readonly bool _isNew;
    private readonly bool _hasTypes;
    private readonly int _blockBytes;
    private readonly int _inodeBytes;
    private readonly int _inodesPerBlockLog;
    private readonly int _groupBlocksLog;
    private readonly uint _groupBlocks;
    private readonly uint _groups;
    private readonly int _directoryBlockBytes;

    private XfsVolume(DiskRange disk, ReadOnlySpan<byte> super)
        : base(disk)
    {
        _isNew = (Short(super, 100) & 0xF) == 5;
        _hasTypes = _isNew ? (Number(super, 216) & TypesInDirectories) != 0
            : (Short(super, 100) & MoreFeatures) != 0 && (Number(super, 200) & OldTypesInDirectories) != 0;
        _blockBytes = (int)Number(super, 4);
        _inodeBytes = Short(super, 104);
        _inodesPerBlockLog = super[123];
        _groupBlocksLog = super[124];
        _groupBlocks = Number(super, 84);
        _groups = Number(super, 88);
        _directoryBlockBytes = _blockBytes << super[192];
        Id = new Guid(super.Slice(32, 16), bigEndian: true);
        Root = new InodeId(0, Long(super, 56));
    }

    /// <inheritdoc/>
    public override Guid Id { get; }

    /// <inheritdoc/>
    public override InodeId Root { get; }

    /// <summary>Opens an XFS; null when it is none, or has something that cannot be read here.</summary>
    public static new XfsVolume? TryOpen(DiskRange disk)
    {
        byte[] super = new byte[SuperblockBytes];
        if (!disk.Has(0, SuperblockBytes))
        {
            return null;
        }

        disk.Read(0, super);
        int version = Short(super, 100) & 0xF;
        uint block = Number(super, 4), inode = Short(super, 104), groupBlocks = Number(super, 84);
        return super.AsSpan(0, 4).SequenceEqual("XFSB"u8) && (version == 4 || (version == 5 && (Number(super, 216) & ~KnownFeatures) == 0))
            && BitOperations.IsPow2(block) && block is >= 512 and <= MostBlockBytes && super[192] <= 7 && (block << super[192]) <= MostBlockBytes
            && BitOperations.IsPow2(inode) && inode is >= 256 and <= MostInodeBytes && inode <= block && super[123] == BitOperations.Log2(block / inode)
            && groupBlocks > 0 && super[124] is > 0 and < 32 && groupBlocks <= 1UL << super[124] && Number(super, 88) > 0
            ? new XfsVolume(disk, super) : null;
    }

    /// <inheritdoc/>
    public override XfsInode Inode(InodeId id)
    {
        int within = _groupBlocksLog + _inodesPerBlockLog;
        ulong group = id.Number >> within, local = id.Number & ((1UL << within) - 1);
        if (group >= _groups || local >> _inodesPerBlockLog >= _groupBlocks)
        {
            throw new DamagedDiskException($"there is no inode {id.Number}");
        }

        byte[] inode = new byte[_inodeBytes];
        Disk.Read(checked(((long)group * _groupBlocks * _blockBytes) + ((long)local * _inodeBytes)), inode);
        if (Short(inode, 0) != InodeMagic || inode[4] > 3 || Long(inode, 56) > long.MaxValue)
        {
            throw new DamagedDiskException($"there is no inode {id.Number}");
        }

        bool isNew = inode[4] == 3;
        int start = isNew ? 176 : 100;
        int length = inode[82] == 0 ? _inodeBytes - start : inode[82] * 8;
        ulong more = isNew ? Long(inode, 120) : 0;
        if (length > _inodeBytes - start)
        {
            throw new DamagedDiskException($"inode {id.Number} is larger than it may be");
        }

        if ((Short(inode, 90) & OnRealtimeDevice) != 0)
        {
            throw new DamagedDiskException($"inode {id.Number} is on a real-time device, which is not read here");
        }

        long modified = (more & BigTime) != 0 ? (long)(Long(inode, 40) / 1_000_000_000) + int.MinValue : (int)Number(inode, 40);
        long extents = (long)Math.Min((more & ManyExtents) != 0 ? Long(inode, 24) : Number(inode, 76), long.MaxValue);
        return new XfsInode(id, Short(inode, 2), Number(inode, 8), Number(inode, 12), (long)Long(inode, 56), modified, (XfsFormat)inode[5], extents,
            inode.AsSpan(start, length).ToArray());
    }

    /// <inheritdoc/>
    public override List<VolumeEntry> Entries(VolumeInode directory)
    {
        var inode = (XfsInode)directory;
        if (!inode.IsDirectory)
        {
            throw new DamagedDiskException($"inode {inode.Id.Number} is no directory");
        }

        var found = new List<VolumeEntry>();
        if (inode.Format == XfsFormat.Local)
        {
            AddShort(inode.Fork, found);
            return found;
        }

        byte[] block = new byte[_directoryBlockBytes];
        int filled = 0;
        foreach (ContentRun run in Content(inode))
        {
            for (long i = 0; i < run.Length && run.At + i < DirectoryIndexAt; i += _blockBytes)
            {
                // A block of a directory may be several of the file system, which need not be neighbours.
                int at = (int)((run.At + i) % _directoryBlockBytes);
                filled = at == 0 ? 0 : filled;
                Disk.Read(run.Place + i, block.AsSpan(at, _blockBytes));
                filled += _blockBytes;
                if (filled == _directoryBlockBytes && at + _blockBytes == _directoryBlockBytes)
                {
                    AddBlock(block, found);
                }
            }
        }

        return found;
    }

    /// <inheritdoc/>
    protected override IEnumerable<ContentRun> Runs(VolumeInode inode)
    {
        var of = (XfsInode)inode;
        return of.Format switch
        {
            XfsFormat.Local when of.Size <= of.Fork.Length => [new ContentRun(0, of.Size, 0, of.Fork)],
            XfsFormat.Extents when of.Extents <= of.Fork.Length / 16 => Extents(of.Fork, 0, (int)of.Extents),
            XfsFormat.Tree => Tree(of.Fork),
            _ => throw new DamagedDiskException($"inode {of.Id.Number} has no content"),
        };
    }

    /// <inheritdoc/>
    protected override IEnumerable<ContentRun> LinkRuns(VolumeInode link)
    {
        if (!_isNew || ((XfsInode)link).Format == XfsFormat.Local)
        {
            return Runs(link);
        }

        // Each part begins with a header that names its owner, and its content follows that of the part before.
        const int header = 56;
        long at = 0;
        return Runs(link).Select(run =>
        {
            var part = new ContentRun(at, run.Length - header, run.Place + header);
            at += part.Length;
            return part;
        });
    }

    private static ulong Long(ReadOnlySpan<byte> bytes, int at) => BinaryPrimitives.ReadUInt64BigEndian(bytes[at..]);

    private static uint Number(ReadOnlySpan<byte> bytes, int at) => BinaryPrimitives.ReadUInt32BigEndian(bytes[at..]);

    private static ushort Short(ReadOnlySpan<byte> bytes, int at) => BinaryPrimitives.ReadUInt16BigEndian(bytes[at..]);

    private IEnumerable<ContentRun> Extents(byte[] bytes, int at, int count)
    {
        for (int end = at + (16 * count); at < end; at += 16)
        {
            // 1 bit for what was never written, 54 for the place in the file, 52 for that on the disk, 21 for the length: all in blocks.
            ulong high = Long(bytes, at), low = Long(bytes, at + 8);
            if (high >> 63 == 0)
            {
                long blocks = (long)(low & 0x1F_FFFF);
                yield return new ContentRun(checked((long)(high >> 9) * _blockBytes), blocks * _blockBytes, Place(((high & 0x1FF) << 43) | (low >> 21), blocks));
            }
        }
    }

    private IEnumerable<ContentRun> Tree(byte[] fork)
    {
        int level = Short(fork, 0), count = Short(fork, 2), most = (fork.Length - 4) / 16;
        return level is > 0 and <= MostDepth && count <= most ? Below(fork, 4 + (8 * most), count, level - 1) : throw new DamagedDiskException("a tree of extents is damaged");
    }

    private IEnumerable<ContentRun> Below(byte[] node, int at, int count, int level)
    {
        int header = _isNew ? 72 : 24, most = (_blockBytes - header) / 16;
        for (int i = 0; i < count; i++)
        {
            byte[] block = new byte[_blockBytes];
            Disk.Read(Place(Long(node, at + (8 * i)), 1), block);
            int entries = Short(block, 6);
            if (!block.AsSpan(0, 4).SequenceEqual(_isNew ? "BMA3"u8 : "BMAP"u8) || Short(block, 4) != level || entries > most)
            {
                throw new DamagedDiskException("a tree of extents is damaged");
            }

            foreach (ContentRun run in level == 0 ? Extents(block, header, entries) : Below(block, header + (8 * most), entries, level - 1))
            {
                yield return run;
            }
        }
    }

    /// <summary>The names of a small directory, which lie in its inode.</summary>
    private void AddShort(ReadOnlySpan<byte> fork, List<VolumeEntry> found)
    {
        int wide = fork.Length > 1 && fork[1] > 0 ? 8 : 4;
        int at = 2 + wide;
        for (int i = 0; fork.Length > 0 && i < fork[0]; i++)
        {
            int nameAt = at + 3;
            int inodeAt = nameAt < fork.Length ? nameAt + fork[at] + (_hasTypes ? 1 : 0) : fork.Length;
            if (inodeAt + wide > fork.Length)
            {
                throw new DamagedDiskException("a directory's names overlap");
            }

            Add(found, fork.Slice(nameAt, fork[at]), new InodeId(0, wide == 8 ? Long(fork, inodeAt) : Number(fork, inodeAt)));
            at = inodeAt + wide;
        }
    }

    private void AddBlock(ReadOnlySpan<byte> block, List<VolumeEntry> found)
    {
        // A directory of one block ends with what finds its names.
        ReadOnlySpan<byte> magic = block[..4];
        bool alone = magic.SequenceEqual(_isNew ? "XDB3"u8 : "XD2B"u8);
        if (!alone && !magic.SequenceEqual(_isNew ? "XDD3"u8 : "XD2D"u8))
        {
            throw new DamagedDiskException("a block of a directory is damaged");
        }

        long end = alone ? block.Length - 8 - (8L * Number(block, block.Length - 8)) : block.Length;
        for (int at = _isNew ? 64 : 16; at + 16 <= end;)
        {
            bool free = Short(block, at) == 0xFFFF;
            int nameLength = free ? 0 : block[at + 8];
            int length = free ? Short(block, at + 2) : (8 + 1 + nameLength + (_hasTypes ? 1 : 0) + 2 + 7) & ~7;
            if (length == 0 || length % 8 != 0 || length > end - at)
            {
                throw new DamagedDiskException("a directory's names overlap");
            }

            if (!free)
            {
                Add(found, block.Slice(at + 9, nameLength), new InodeId(0, Long(block, at)));
            }

            at += length;
        }
    }

    private long Place(ulong block, long count)
    {
        ulong group = block >> _groupBlocksLog, local = block & ((1UL << _groupBlocksLog) - 1);
        return group < _groups && local < _groupBlocks && (ulong)count <= _groupBlocks - local
            ? checked((((long)group * _groupBlocks) + (long)local) * _blockBytes) : throw new DamagedDiskException($"there is no block {block}");
    }
}

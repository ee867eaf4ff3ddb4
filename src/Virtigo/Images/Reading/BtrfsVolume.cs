using System.Buffers;
using System.Buffers.Binary;
using System.IO.Compression;
using System.Numerics;

namespace Virtigo.Images;

/// <summary>An inode of a btrfs file system.</summary>
/// <param name="Id">What names it.</param>
/// <param name="Mode">Type and permissions, as <c>st_mode</c> has them.</param>
/// <param name="User">The owner's number.</param>
/// <param name="Group">The group's number.</param>
/// <param name="Size">The size in bytes.</param>
/// <param name="Modified">When the content was last changed, in seconds since 1970.</param>
internal sealed record BtrfsInode(InodeId Id, ushort Mode, uint User, uint Group, long Size, long Modified) : VolumeInode(Id, Mode, User, Group, Size, Modified);

/// <summary>
/// Reads btrfs on one disk, with its subvolumes and compressed files. Written from the description of the format in its own documentation
/// ("On-disk format"). What a crash left in its log of late changes is not played back.
/// </summary>
internal sealed class BtrfsVolume : FileVolume
{
    private const int SuperblockAt = 65536;
    private const int SuperblockBytes = 4096;
    private const int HeaderBytes = 101;
    private const int KeyBytes = 17;
    private const int MostDepth = 8;
    private const int MostChunks = 10_000;
    private const int MostNodes = 256;
    private const int MostVisits = 50_000_000;
    private const int MostCompressed = 1 << 20;

    // RAID 5 and 6, the second extent tree and the tree of RAID stripes: blocks lie elsewhere there.
    private const ulong UnreadFeatures = 0x80 | 0x2000 | 0x4000;

    // RAID 0, 10, 5 and 6; of all others each copy is whole.
    private const ulong Striped = 0x8 | 0x40 | 0x80 | 0x100;
    private const ulong TopTree = 5;
    private const ulong FirstInode = 256;
    private readonly List<Chunk> _chunks = [];
    private readonly Dictionary<long, byte[]> _nodes = [];
    private readonly Dictionary<ulong, Node?> _trees = [];
    private readonly int _nodeBytes;
    private readonly int _sectorBytes;
    private readonly Node _rootTree;
    private readonly ulong _rootDirectory;
    private readonly ulong _device;
    private int _visits;

    private BtrfsVolume(DiskRange disk, byte[] super)
        : base(disk)
    {
        Id = new Guid(super.AsSpan(32, 16), bigEndian: true);
        _sectorBytes = (int)Number(super, 144);
        _nodeBytes = (int)Number(super, 148);
        _rootDirectory = Long(super, 128);
        _device = Long(super, 201);
        _rootTree = new Node((long)Long(super, 80), super[198]);
        const int array = 811;
        int end = array + (int)Number(super, 160);
        for (int at = array; at + KeyBytes + 48 <= end;)
        {
            at += KeyBytes + AddChunk((long)Long(super, at + 9), super.AsMemory(at + KeyBytes, end - at - KeyBytes));
        }

        foreach (Item item in Items(new Node((long)Long(super, 88), super[199]), FirstInode, ItemType.Chunk))
        {
            AddChunk((long)item.Offset, item.Data);
        }
    }

    private enum ItemType : byte
    {
        Inode = 1,
        Name = 84,
        Entry = 96,
        Content = 108,
        Tree = 132,
        Below = 156,
        Chunk = 228,
    }

    /// <inheritdoc/>
    public override Guid Id { get; }

    /// <inheritdoc/>
    public override InodeId Root { get; } = new(TopTree, FirstInode);

    /// <inheritdoc/>
    public override IReadOnlyList<VolumeRoot> Roots
    {
        get
        {
            VolumeRoot[] below = [.. Entries(Inode(Root)).Where(entry => entry.Inode.Tree != TopTree).Select(entry => new VolumeRoot("/" + GuestName.Text(entry.Name), entry.Inode))];
            ulong preferred = Items(_rootTree, _rootDirectory, ItemType.Name).Where(item => IsNamed(item, "default"u8)).Select(item => Long(item.Data.Span, 0)).FirstOrDefault();
            return [.. below.Append(new VolumeRoot("", Root)).OrderByDescending(root => root.Inode.Tree == preferred)];
        }
    }

    /// <summary>Opens a btrfs; null when it is none, or has something that cannot be read here.</summary>
    public static new BtrfsVolume? TryOpen(DiskRange disk)
    {
        if (!disk.Has(SuperblockAt, SuperblockBytes))
        {
            return null;
        }

        byte[] super = new byte[SuperblockBytes];
        disk.Read(SuperblockAt, super);
        uint sector = Number(super, 144), node = Number(super, 148);
        if (!super.AsSpan(64, 8).SequenceEqual("_BHRfS_M"u8) || Long(super, 136) != 1 || (Long(super, 188) & UnreadFeatures) != 0
            || !BitOperations.IsPow2(sector) || sector is < 4096 or > 65536 || !BitOperations.IsPow2(node) || node is < 4096 or > 65536 || Number(super, 160) > 2048)
        {
            return null;
        }

        try
        {
            return new BtrfsVolume(disk, super);
        }
        catch (Exception error) when (error is DamagedDiskException or OverflowException)
        {
            // Its map is damaged: nothing on it can be found.
            return null;
        }
    }

    /// <inheritdoc/>
    public override BtrfsInode Inode(InodeId id)
    {
        ReadOnlySpan<byte> inode = First(Tree(id.Tree), id.Number, ItemType.Inode).Span;
        return inode.Length >= 160 && Long(inode, 16) <= long.MaxValue
            ? new BtrfsInode(id, (ushort)Number(inode, 52), Number(inode, 44), Number(inode, 48), (long)Long(inode, 16), (long)Long(inode, 136))
            : throw new DamagedDiskException($"there is no inode {id.Number}");
    }

    /// <inheritdoc/>
    public override List<VolumeEntry> Entries(VolumeInode directory)
    {
        InodeId id = directory.Id;
        var found = new List<VolumeEntry>();
        HashSet<ulong>? below = null;
        foreach (Item item in Items(Tree(id.Tree), id.Number, ItemType.Entry))
        {
            ReadOnlySpan<byte> entry = item.Data.Span;
            ulong target = Long(entry, 0);
            switch ((ItemType)Within(entry, 8, 1)[0])
            {
                case ItemType.Inode:
                    Add(found, NameOf(entry), new InodeId(id.Tree, target));
                    break;

                // A snapshot keeps the names of the subvolumes in what it was made of, but not these themselves.
                case ItemType.Tree when (below ??= [.. Items(_rootTree, id.Tree, ItemType.Below).Select(one => one.Offset)]).Contains(target):
                    Add(found, NameOf(entry), new InodeId(target, FirstInode));
                    break;
            }
        }

        return found;
    }

    /// <inheritdoc/>
    protected override IEnumerable<ContentRun> Runs(VolumeInode inode)
    {
        foreach (Item item in Items(Tree(inode.Id.Tree), inode.Id.Number, ItemType.Content))
        {
            if (RunOf(item) is { } run)
            {
                yield return run;
            }
        }
    }

    private static ulong Long(ReadOnlySpan<byte> bytes, int at) => BinaryPrimitives.ReadUInt64LittleEndian(Within(bytes, at, 8));

    private static uint Number(ReadOnlySpan<byte> bytes, int at) => BinaryPrimitives.ReadUInt32LittleEndian(Within(bytes, at, 4));

    private static ushort Short(ReadOnlySpan<byte> bytes, int at) => BinaryPrimitives.ReadUInt16LittleEndian(Within(bytes, at, 2));

    private static ReadOnlySpan<byte> Within(ReadOnlySpan<byte> bytes, int at, int count) =>
        at <= bytes.Length - count ? bytes.Slice(at, count) : throw new DamagedDiskException("a part of a tree is too short");

    private static ReadOnlySpan<byte> NameOf(ReadOnlySpan<byte> entry) => Within(entry, 30, Short(entry, 27));

    private static bool IsNamed(Item item, ReadOnlySpan<byte> name) => NameOf(item.Data.Span).SequenceEqual(name);

    private int AddChunk(long start, ReadOnlyMemory<byte> item)
    {
        const int copyBytes = 32;
        ReadOnlySpan<byte> bytes = item.Span;
        int copies = Short(bytes, 44);
        long length = (long)Long(bytes, 0);
        if (start < 0 || length <= 0 || start > long.MaxValue - length || copies == 0 || _chunks.Count >= MostChunks || (Long(bytes, 24) & Striped) != 0)
        {
            throw new DamagedDiskException("its map of the disk is damaged, or is for several disks");
        }

        for (int copy = 0; copy < copies; copy++)
        {
            int at = 48 + (copyBytes * copy);
            if (Long(bytes, at) == _device)
            {
                _chunks.Insert(After(start), new Chunk(start, length, (long)Long(bytes, at + 8)));
                break;
            }
        }

        return 48 + (copyBytes * copies);
    }

    /// <summary>Where on the disk something lies that the file system has at a place of its own counting.</summary>
    private long Place(long at, long count)
    {
        return After(at) is > 0 and var next && _chunks[next - 1] is var chunk && count <= chunk.Length - (at - chunk.Start)
            ? checked(chunk.Place + at - chunk.Start) : throw new DamagedDiskException("it points to where it has nothing");
    }

    /// <summary>The first part of its map that begins after a place.</summary>
    private int After(long place)
    {
        (int low, int high) = (0, _chunks.Count);
        while (low < high)
        {
            int middle = (low + high) / 2;
            (low, high) = _chunks[middle].Start <= place ? (middle + 1, high) : (low, middle);
        }

        return low;
    }

    private Node Tree(ulong number)
    {
        if (!_trees.TryGetValue(number, out Node? tree))
        {
            ReadOnlySpan<byte> root = First(_rootTree, number, ItemType.Tree).Span;
            _trees[number] = tree = root.Length > 238 ? new Node((long)Long(root, 176), root[238]) : null;
        }

        return tree ?? throw new DamagedDiskException($"there is no subvolume {number}");
    }

    private ReadOnlyMemory<byte> First(Node tree, ulong number, ItemType type)
    {
        foreach (Item item in Items(tree, number, type))
        {
            return item.Data;
        }

        return default;
    }

    /// <summary>What a tree has of one kind for one number, in the order of their offsets.</summary>
    private IEnumerable<Item> Items(Node tree, ulong number, ItemType type)
    {
        ulong? last = null;
        foreach (Item item in Search(tree, number, type))
        {
            // So a tree that leads back to a part of itself comes to an end.
            last = last is null || item.Offset > last ? item.Offset : throw new DamagedDiskException("a tree is not in order");
            yield return item;
        }
    }

    private IEnumerable<Item> Search(Node tree, ulong number, ItemType type)
    {
        if (tree.Level > MostDepth)
        {
            throw new DamagedDiskException("a tree is too deep");
        }

        byte[] node = Read(tree);
        int count = (int)Math.Min(Number(node, 96), (uint)((node.Length - HeaderBytes) / tree.EntryBytes));
        for (int i = First(tree, node, count, number, type); i < count; i++)
        {
            int at = HeaderBytes + (tree.EntryBytes * i);
            int order = Compare(node, at, number, type);
            if (order > 0)
            {
                yield break;
            }

            if (tree.Level > 0)
            {
                foreach (Item item in Search(new Node((long)Long(node, at + KeyBytes), tree.Level - 1), number, type))
                {
                    yield return item;
                }
            }
            else if (order == 0)
            {
                uint start = Number(node, at + KeyBytes), bytes = Number(node, at + KeyBytes + 4);
                if (start > node.Length - HeaderBytes || bytes > node.Length - HeaderBytes - start)
                {
                    throw new DamagedDiskException("a part of a tree lies outside of it");
                }

                yield return new Item(Long(node, at + 9), node.AsMemory(HeaderBytes + (int)start, (int)bytes));
            }
        }
    }

    /// <summary>The first entry of a node that may lead to what is looked for; the entries are sorted.</summary>
    private static int First(Node tree, byte[] node, int count, ulong number, ItemType type)
    {
        (int low, int high) = (0, count);
        while (low < high)
        {
            int middle = (low + high) / 2;
            (low, high) = Compare(node, HeaderBytes + (tree.EntryBytes * middle), number, type) < 0 ? (middle + 1, high) : (low, middle);
        }

        // What is below an entry begins with its key: what is looked for may begin below the one before.
        return tree.Level == 0 ? low : Math.Max(0, low - 1);
    }

    private static int Compare(byte[] node, int key, ulong number, ItemType type) =>
        Long(node, key).CompareTo(number) is not 0 and var order ? order : node[key + 8].CompareTo((byte)type);

    private byte[] Read(Node node)
    {
        if (++_visits > MostVisits)
        {
            throw new DamagedDiskException("reading it does not come to an end");
        }

        if (!_nodes.TryGetValue(node.At, out byte[]? bytes))
        {
            bytes = new byte[_nodeBytes];
            Disk.Read(Place(node.At, _nodeBytes), bytes);
            if (_nodes.Count >= MostNodes)
            {
                _nodes.Clear();
            }

            _nodes[node.At] = bytes;
        }

        return Long(bytes, 48) == (ulong)node.At && bytes[100] == node.Level ? bytes : throw new DamagedDiskException("a tree is damaged");
    }

    private ContentRun? RunOf(Item item)
    {
        const int head = 21;
        ReadOnlySpan<byte> extent = item.Data.Span;
        if (extent.Length < head)
        {
            throw new DamagedDiskException("a part of a tree is too short");
        }

        long at = checked((long)item.Offset);
        ulong whole = Long(extent, 8);
        byte compression = extent[16];
        if (extent[17] != 0 || Short(extent, 18) != 0)
        {
            throw new DamagedDiskException("a file is encrypted, which is not read here");
        }

        if (extent[20] == 0)
        {
            byte[] content = compression == 0 ? extent[head..].ToArray() : Expand(extent[head..].ToArray(), compression, whole);
            return new ContentRun(at, content.Length, 0, content);
        }

        long start = checked((long)Long(extent, head)), stored = checked((long)Long(extent, head + 8)), skipped = checked((long)Long(extent, head + 16));
        long length = checked((long)Long(extent, head + 24));
        if (extent[20] != 1 || start == 0)
        {
            // Reserved and not written, or a hole.
            return null;
        }

        if (compression == 0)
        {
            return new ContentRun(at, length, Place(checked(start + skipped), length));
        }

        if (stored > MostCompressed || skipped > MostCompressed || length > MostCompressed)
        {
            throw new DamagedDiskException("a part of a compressed file is too large");
        }

        byte[] packed = new byte[stored];
        Disk.Read(Place(start, stored), packed);
        byte[] expanded = Expand(packed, compression, whole);
        return skipped + length <= expanded.Length ? new ContentRun(at, length, 0, expanded[(int)skipped..(int)(skipped + length)])
            : throw new DamagedDiskException("a part of a compressed file is too short");
    }

    private byte[] Expand(byte[] packed, byte compression, ulong length)
    {
        if (length > MostCompressed)
        {
            throw new DamagedDiskException("a part of a compressed file is too large");
        }

        // What is left out at the end is zeros.
        byte[] expanded = new byte[length];
        try
        {
            switch (compression)
            {
                case 1:
                    using (var zlib = new ZLibStream(new MemoryStream(packed), CompressionMode.Decompress))
                    {
                        zlib.ReadAtLeast(expanded, expanded.Length, throwOnEndOfStream: false);
                    }

                    break;
                case 2:
                    BtrfsLzo.Expand(packed, _sectorBytes, expanded);
                    break;
                case 3:
                    ExpandZstd(packed, expanded);
                    break;
                default:
                    throw new DamagedDiskException($"a file is compressed in a way that is not known here: {compression}");
            }

            return expanded;
        }
        catch (Exception error) when (error is InvalidDataException or ZstdSharp.ZstdException)
        {
            throw new DamagedDiskException($"a compressed file cannot be expanded: {error.Message}");
        }
    }

    private static void ExpandZstd(ReadOnlySpan<byte> packed, Span<byte> target)
    {
        using var frame = new ZstdSharp.Decompressor();
        OperationStatus status = frame.UnwrapStream(packed, target, out int read, out int written);

        // After the frame the last sector is filled up with zeros, which begin no other.
        if (status != OperationStatus.Done && written < target.Length && packed[read..].ContainsAnyExcept((byte)0))
        {
            throw new InvalidDataException("it is no whole frame");
        }
    }

    private readonly record struct Chunk(long Start, long Length, long Place);

    private sealed record Node(long At, int Level)
    {
        /// <summary>The size of an entry: a key and the place of its content, or a key, a node below and its generation.</summary>
        public int EntryBytes => Level == 0 ? KeyBytes + 8 : KeyBytes + 16;
    }

    private readonly record struct Item(ulong Offset, ReadOnlyMemory<byte> Data);
}

namespace Virtigo.Images;

internal sealed partial class ExtVolume
{
    private const uint UsesExtents = 0x80000;
    private const uint HoldsContent = 0x1000_0000;
    private const uint Encrypted = 0x800;
    private const ushort ExtentMagic = 0xF30A;
    private const int Unwritten = 32768;
    private const int DirectBlocks = 12;
    private const int MostDepth = 5;
    private const long MostDirectoryBytes = 1L << 30;

    private readonly record struct Run(long First, long Block, long Count);

    /// <inheritdoc/>
    public override List<VolumeEntry> Entries(VolumeInode directory)
    {
        if (!directory.IsDirectory || directory.Size > MostDirectoryBytes)
        {
            throw new DamagedDiskException($"inode {directory.Id.Number} is no directory");
        }

        var found = new List<VolumeEntry>();
        byte[] block = new byte[BlockBytes];
        foreach (ContentRun run in Content(directory))
        {
            for (long i = 0; i < run.Length && run.At + i + BlockBytes <= directory.Size; i += BlockBytes)
            {
                Disk.Read(run.Place + i, block);
                AddEntries(block, found);
            }
        }

        return found;
    }

    /// <inheritdoc/>
    protected override IEnumerable<ContentRun> LinkRuns(VolumeInode link)
    {
        // A short target lies where a long one has its map.
        var inode = (ExtInode)link;
        return inode.Size < inode.Map.Length && (inode.Flags & UsesExtents) == 0 ? [new ContentRun(0, inode.Size, 0, inode.Map)] : Runs(link);
    }

    /// <inheritdoc/>
    protected override IEnumerable<ContentRun> Runs(VolumeInode inode)
    {
        var of = (ExtInode)inode;
        if ((of.Flags & (HoldsContent | Encrypted)) != 0)
        {
            throw new DamagedDiskException($"inode {inode.Id.Number} is encrypted, or holds its content itself, which is not read here");
        }

        foreach (Run run in (of.Flags & UsesExtents) != 0 ? Extents(of.Map, MostDepth) : Mapped(of))
        {
            if (run.Block <= 0 || run.Block > _blocks || run.Count > _blocks - run.Block)
            {
                throw new DamagedDiskException($"the content of inode {inode.Id.Number} lies outside");
            }

            yield return new ContentRun(run.First * BlockBytes, run.Count * BlockBytes, Place(run.Block));
        }
    }

    private static void AddEntries(ReadOnlySpan<byte> block, List<VolumeEntry> found)
    {
        for (int at = 0; at + 8 <= block.Length;)
        {
            // In blocks of 64 KiB the length of the only entry does not fit.
            int length = Short(block, at + 4) is var stored && stored is 0 or 0xFFFF ? block.Length - at : stored;
            int nameLength = block[at + 6];
            if (length < 8 + nameLength || length % 4 != 0 || length > block.Length - at)
            {
                throw new DamagedDiskException("a directory's entries overlap");
            }

            if (Number(block, at) is not 0 and var inode)
            {
                Add(found, block.Slice(at + 8, nameLength), new InodeId(0, inode));
            }

            at += length;
        }
    }

    private IEnumerable<Run> Extents(byte[] node, int deepest)
    {
        int entries = Short(node, 2);
        int depth = Short(node, 6);
        if (Short(node, 0) != ExtentMagic || depth > deepest || 12 + (12 * entries) > node.Length)
        {
            throw new DamagedDiskException("a tree of extents is damaged");
        }

        for (int at = 12; at < 12 + (12 * entries); at += 12)
        {
            if (depth == 0)
            {
                int count = Short(node, at + 4);
                if (count <= Unwritten)
                {
                    yield return new Run(Number(node, at), ((long)Short(node, at + 6) << 32) | Number(node, at + 8), count);
                }

                continue;
            }

            byte[] below = new byte[BlockBytes];
            Disk.Read(Place(((long)Short(node, at + 8) << 32) | Number(node, at + 4)), below);
            foreach (Run run in Extents(below, depth - 1))
            {
                yield return run;
            }
        }
    }

    /// <summary>The map of ext2 and ext3: twelve blocks, then three trees of growing depth.</summary>
    private IEnumerable<Run> Mapped(ExtInode inode)
    {
        long first = 0;
        long blocks = (inode.Size + BlockBytes - 1) / BlockBytes;
        for (int i = 0; i < DirectBlocks + 3 && first < blocks; i++)
        {
            int depth = Math.Max(0, i - DirectBlocks + 1);
            foreach (Run run in Mapped(Number(inode.Map, 4 * i), depth, first, blocks))
            {
                yield return run;
            }

            first += Reach(depth);
        }
    }

    private IEnumerable<Run> Mapped(uint block, int depth, long first, long blocks)
    {
        if (block == 0 || first >= blocks)
        {
            yield break;
        }

        if (depth == 0)
        {
            yield return new Run(first, block, 1);
            yield break;
        }

        byte[] table = new byte[BlockBytes];
        Disk.Read(Place(block), table);
        for (int i = 0; i < BlockBytes / 4; i++)
        {
            foreach (Run run in Mapped(Number(table, 4 * i), depth - 1, first + (i * Reach(depth - 1)), blocks))
            {
                yield return run;
            }
        }
    }

    private long Reach(int depth)
    {
        long blocks = 1;
        for (int i = 0; i < depth; i++)
        {
            blocks *= BlockBytes / 4;
        }

        return blocks;
    }

    private long Place(long block) =>
        block > 0 && block < _blocks ? block * BlockBytes : throw new DamagedDiskException($"there is no block {block}");
}

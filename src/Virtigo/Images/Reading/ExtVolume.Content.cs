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
    private const int MostLinkBytes = 4096;
    private const long MostDirectoryBytes = 1L << 30;
    private const int Piece = 1 << 20;

    /// <summary>A name in a directory.</summary>
    /// <param name="Name">The name's bytes.</param>
    /// <param name="Inode">The inode that it names.</param>
    internal readonly record struct Entry(byte[] Name, uint Inode);

    private readonly record struct Run(long First, long Block, long Count);

    /// <summary>The names in a directory, in the order of the disk, without <c>.</c> and <c>..</c>.</summary>
    public List<Entry> Entries(ExtInode directory)
    {
        if (!directory.IsDirectory || directory.Size > MostDirectoryBytes)
        {
            throw new DamagedDiskException($"inode {directory.Number} is no directory");
        }

        var found = new List<Entry>();
        byte[] block = new byte[BlockBytes];
        long blocks = directory.Size / BlockBytes;
        foreach (Run run in Runs(directory))
        {
            for (long i = 0; i < run.Count && run.First + i < blocks; i++)
            {
                _disk.Read(Place(run.Block + i), block);
                AddEntries(block, found);
            }
        }

        return found;
    }

    /// <summary>What a symbolic link points to.</summary>
    public byte[] Target(ExtInode link)
    {
        if (!link.IsLink || link.Size > MostLinkBytes)
        {
            throw new DamagedDiskException($"inode {link.Number} is no symbolic link");
        }

        // A short target lies where a long one has its map.
        if (link.Size < link.Map.Length && (link.Flags & UsesExtents) == 0)
        {
            return link.Map[..(int)link.Size];
        }

        using var content = new MemoryStream();
        Copy(link, content, CancellationToken.None);
        return content.ToArray();
    }

    /// <summary>Writes a file's content, holes as zeros. The size was the guest's to set: bound it first.</summary>
    public void Copy(ExtInode file, Stream target, CancellationToken cancellationToken)
    {
        byte[] buffer = new byte[(int)Math.Min(Piece, Math.Max(1, file.Size))];
        long at = 0;
        foreach (Run run in Runs(file))
        {
            long start = Math.Min(file.Size, run.First * BlockBytes);
            Fill(target, buffer, start - at, cancellationToken);
            at = start;
            long end = Math.Min(file.Size, checked((run.First + run.Count) * BlockBytes));
            long place = Place(run.Block);
            while (at < end)
            {
                cancellationToken.ThrowIfCancellationRequested();
                int count = (int)Math.Min(buffer.Length, end - at);
                _disk.Read(place + at - start, buffer.AsSpan(0, count));
                target.Write(buffer, 0, count);
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

    private static void AddEntries(ReadOnlySpan<byte> block, List<Entry> found)
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

            ReadOnlySpan<byte> name = block.Slice(at + 8, nameLength);
            if (Number(block, at) is not 0 and var inode && !name.IsEmpty && !name.SequenceEqual("."u8) && !name.SequenceEqual(".."u8))
            {
                found.Add(new Entry(name.ToArray(), inode));
            }

            at += length;
        }
    }

    /// <summary>Where content is stored, in ascending order: what is not named reads as zeros.</summary>
    private IEnumerable<Run> Runs(ExtInode inode)
    {
        if ((inode.Flags & (HoldsContent | Encrypted)) != 0)
        {
            throw new DamagedDiskException($"inode {inode.Number} is encrypted, or holds its content itself, which is not read here");
        }

        IEnumerable<Run> runs = (inode.Flags & UsesExtents) != 0 ? Extents(inode.Map, MostDepth) : Mapped(inode);
        long next = 0;
        foreach (Run run in runs)
        {
            next = run.First >= next && run.Block > 0 && run.Block <= _blocks && run.Count <= _blocks - run.Block
                ? run.First + run.Count
                : throw new DamagedDiskException($"the content of inode {inode.Number} lies outside, or twice at one place");
            yield return run;
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
            _disk.Read(Place(((long)Short(node, at + 8) << 32) | Number(node, at + 4)), below);
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
        _disk.Read(Place(block), table);
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

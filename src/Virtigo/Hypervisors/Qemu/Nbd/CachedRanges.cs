using System.Runtime.InteropServices;

namespace Virtigo.Hypervisors.Qemu.Nbd;

/// <summary>A write that a cache holds.</summary>
/// <param name="offset">Where it begins.</param>
/// <param name="length">Its length, at least 1.</param>
/// <param name="data">Its bytes; null: they are zeros.</param>
internal sealed class CachedWrite(long offset, long length, ReadOnlyMemory<byte>? data)
{
    /// <summary>Where it begins.</summary>
    public long Offset => offset;

    /// <summary>Its bytes; null: they are zeros.</summary>
    public ReadOnlyMemory<byte>? Data => data;

    /// <summary>Its length, at least 1.</summary>
    public long Length => length;

    /// <summary>Where it ends.</summary>
    public long End => offset + length;

    /// <summary>Its bytes in a range that lies within it; null: they are zeros.</summary>
    public ReadOnlyMemory<byte>? Slice(long start, long end) => data?.Slice((int)(start - offset), (int)(end - start));
}

/// <summary>A range of a disk, and the write that its newest bytes are from.</summary>
internal readonly record struct CachedRange(long Start, long End, CachedWrite Write);

/// <summary>Which write each byte of a disk is from: ranges in order that do not overlap.</summary>
internal sealed class CachedRanges
{
    private readonly List<CachedRange> _ranges = [];

    /// <summary>All ranges, in order.</summary>
    public IReadOnlyList<CachedRange> All => _ranges;

    /// <summary>Those of the ranges that overlap with another one, in order.</summary>
    public ReadOnlySpan<CachedRange> Overlapping(long start, long end)
    {
        (int first, int last) = Find(start, end);
        return CollectionsMarshal.AsSpan(_ranges)[first..last];
    }

    /// <summary>Adds a write above all others.</summary>
    public void Add(CachedWrite write)
    {
        (int first, int last) = Find(write.Offset, write.End);
        var pieces = new List<CachedRange>(3);
        if (first < last && _ranges[first] is var before && before.Start < write.Offset)
        {
            pieces.Add(before with { End = write.Offset });
        }

        pieces.Add(new CachedRange(write.Offset, write.End, write));
        if (first < last && _ranges[last - 1] is var after && after.End > write.End)
        {
            pieces.Add(after with { Start = write.End });
        }

        _ranges.RemoveRange(first, last - first);
        _ranges.InsertRange(first, pieces);
    }

    /// <summary>Forgets writes.</summary>
    public void Remove(IReadOnlySet<CachedWrite> writes) => _ranges.RemoveAll(range => writes.Contains(range.Write));

    /// <summary>Forgets everything.</summary>
    public void Clear() => _ranges.Clear();

    /// <summary>The places of the ranges that overlap with a range: from the first to before the last.</summary>
    private (int First, int Last) Find(long start, long end) => (FirstAfter(start, range => range.End), FirstAfter(end - 1, range => range.Start));

    /// <summary>The place of the first range whose edge lies beyond an offset.</summary>
    private int FirstAfter(long offset, Func<CachedRange, long> edge)
    {
        int low = 0;
        for (int high = _ranges.Count; low < high;)
        {
            int middle = (low + high) / 2;
            if (edge(_ranges[middle]) > offset)
            {
                high = middle;
            }
            else
            {
                low = middle + 1;
            }
        }

        return low;
    }
}

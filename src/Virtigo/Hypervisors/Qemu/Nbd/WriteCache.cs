using Virtigo.Host;

namespace Virtigo.Hypervisors.Qemu.Nbd;

/// <summary>
/// A disk's volatile cache. What is written stays in it until a flush, or until there is no more room: then the oldest writes go to the disk
/// below, as in a real one. What it holds when the power is cut can be lost.
/// </summary>
/// <param name="disk">The disk below.</param>
/// <param name="limit">The most data that it holds, in bytes; at least one request's.</param>
internal sealed class WriteCache(IBlockStore disk, long limit = WriteCache.DefaultLimit) : IBlockStore
{
    /// <summary>The size of a large cache of real disks, in bytes.</summary>
    public const long DefaultLimit = 64 << 20;

    /// <summary>The most writes that it holds.</summary>
    public const int MaxWrites = 16_384;

    private const int Sector = 512;
    private const int LongestRun = 1 << 20;
    private const double TornShare = 0.125;
    private readonly Queue<CachedWrite> _writes = [];
    private readonly CachedRanges _newest = new();
    private long _held;

    /// <inheritdoc/>
    public long Size => disk.Size;

    /// <summary>How many writes it holds.</summary>
    public int Count => _writes.Count;

    /// <summary>How much data it holds, in bytes.</summary>
    public long Held => _held;

    /// <inheritdoc/>
    public async Task ReadAsync(long offset, Memory<byte> buffer, CancellationToken cancellationToken)
    {
        CachedRange[] cached = _newest.Overlapping(offset, offset + buffer.Length).ToArray();
        if (!Covers(cached, offset, offset + buffer.Length))
        {
            await disk.ReadAsync(offset, buffer, cancellationToken);
        }

        foreach (CachedRange range in cached)
        {
            (long start, long end) = (Math.Max(range.Start, offset), Math.Min(range.End, offset + buffer.Length));
            Copy(range.Write.Slice(start, end), buffer.Slice((int)(start - offset), (int)(end - start)));
        }
    }

    /// <inheritdoc/>
    public Task WriteAsync(long offset, ReadOnlyMemory<byte> data, CancellationToken cancellationToken) =>
        AddAsync(new CachedWrite(offset, data.Length, data), cancellationToken);

    /// <inheritdoc/>
    public Task ZeroAsync(long offset, long length, CancellationToken cancellationToken) =>
        AddAsync(new CachedWrite(offset, length, null), cancellationToken);

    /// <inheritdoc/>
    public async Task FlushAsync(CancellationToken cancellationToken)
    {
        if (_writes.Count == 0)
        {
            return;
        }

        for (int first = 0; first < _newest.All.Count;)
        {
            first = await WriteRunAsync(first, cancellationToken);
        }

        await disk.FlushAsync(cancellationToken);
        Forget();
    }

    /// <summary>Cuts the power: all that was not flushed is lost.</summary>
    public void LoseAll() => Forget();

    /// <summary>
    /// Cuts the power: a draw says what of that which was not flushed has reached the disk. A disk writes its cache in the order it likes, so
    /// each write is there or not whatever came after it; one that is there may be torn between two sectors of 512 bytes.
    /// </summary>
    /// <param name="random">Where the draws come from: first one for what share of the writes is there, then some for each write.</param>
    /// <param name="cancellationToken">Ends the writing.</param>
    /// <returns>How many writes are lost, in whole or in part.</returns>
    public async Task<int> LoseSomeAsync(SeededRandom random, CancellationToken cancellationToken)
    {
        double share = random.Fraction();
        int lost = 0;
        foreach (CachedWrite write in _writes)
        {
            bool kept = random.Hits(share);
            bool torn = random.Hits(TornShare);
            uint place = random.Below(uint.MaxValue);
            CachedWrite? left = !kept ? null : torn ? Tear(write, place) : write;
            lost += left == write ? 0 : 1;
            await (left is null ? Task.CompletedTask : PutAsync(left, cancellationToken));
        }

        await disk.FlushAsync(cancellationToken);
        Forget();
        return lost;
    }

    /// <summary>The first part of a write, up to a sector's end; nothing of a write that lies in one sector.</summary>
    private static CachedWrite? Tear(CachedWrite write, uint place)
    {
        long first = write.Offset / Sector;
        long boundaries = ((write.End - 1) / Sector) - first;
        if (boundaries == 0)
        {
            return null;
        }

        long length = ((first + 1 + (place % boundaries)) * Sector) - write.Offset;
        return new CachedWrite(write.Offset, length, write.Slice(write.Offset, write.Offset + length));
    }

    private static bool Covers(CachedRange[] ranges, long start, long end)
    {
        foreach (CachedRange range in ranges)
        {
            if (range.Start > start)
            {
                return false;
            }

            start = range.End;
        }

        return start >= end;
    }

    private static void Copy(ReadOnlyMemory<byte>? source, Memory<byte> target)
    {
        if (source is { } data)
        {
            data.CopyTo(target);
        }
        else
        {
            target.Span.Clear();
        }
    }

    private async Task AddAsync(CachedWrite write, CancellationToken cancellationToken)
    {
        long more = write.Data?.Length ?? 0;
        if (_held + more > limit || _writes.Count == MaxWrites)
        {
            await MakeRoomAsync(Math.Min(limit / 2, limit - more), cancellationToken);
        }

        _writes.Enqueue(write);
        _newest.Add(write);
        _held += more;
    }

    /// <summary>Writes the oldest to the disk until at most so much data and half of the writes are left.</summary>
    private async Task MakeRoomAsync(long left, CancellationToken cancellationToken)
    {
        var written = new HashSet<CachedWrite>(ReferenceEqualityComparer.Instance);
        try
        {
            while (_writes.TryPeek(out CachedWrite? oldest) && (_held > left || _writes.Count > MaxWrites / 2))
            {
                await PutAsync(oldest, cancellationToken);
                written.Add(_writes.Dequeue());
                _held -= oldest.Data?.Length ?? 0;
            }
        }
        finally
        {
            _newest.Remove(written);
        }
    }

    private Task PutAsync(CachedWrite write, CancellationToken cancellationToken) => write.Data is { } data
        ? disk.WriteAsync(write.Offset, data, cancellationToken)
        : disk.ZeroAsync(write.Offset, write.Length, cancellationToken);

    /// <summary>Writes the newest bytes of neighbouring ranges in one go.</summary>
    /// <returns>The range after them.</returns>
    private async Task<int> WriteRunAsync(int first, CancellationToken cancellationToken)
    {
        IReadOnlyList<CachedRange> all = _newest.All;
        bool zeros = all[first].Write.Data is null;
        long start = all[first].Start;
        int next = first + 1;
        while (next < all.Count && all[next].Start == all[next - 1].End && all[next].Write.Data is null == zeros
            && (zeros || all[next].End - start <= LongestRun))
        {
            next++;
        }

        long end = all[next - 1].End;
        if (zeros)
        {
            await disk.ZeroAsync(start, end - start, cancellationToken);
        }
        else if (next == first + 1)
        {
            await disk.WriteAsync(start, all[first].Write.Slice(start, end)!.Value, cancellationToken);
        }
        else
        {
            byte[] run = GC.AllocateUninitializedArray<byte>((int)(end - start));
            for (int each = first; each < next; each++)
            {
                Copy(all[each].Write.Slice(all[each].Start, all[each].End), run.AsMemory((int)(all[each].Start - start)));
            }

            await disk.WriteAsync(start, run, cancellationToken);
        }

        return next;
    }

    private void Forget()
    {
        _writes.Clear();
        _newest.Clear();
        _held = 0;
    }
}

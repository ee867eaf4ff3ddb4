namespace Virtigo.Networks;

/// <summary>A frame on its way between two ports.</summary>
/// <param name="Network">The network's index.</param>
/// <param name="From">The sender's port.</param>
/// <param name="To">The receiver's port.</param>
/// <param name="Buffer">Memory of the pool's.</param>
/// <param name="Length">The frame's length in it.</param>
internal readonly record struct HeldFrame(int Network, int From, int To, byte[] Buffer, int Length)
{
    /// <summary>The frame.</summary>
    public Span<byte> Bytes => Buffer.AsSpan(0, Length);
}

/// <summary>
/// Frames that a fault holds back, by the time they are due; those of one time leave in the order they came. Bounded by the memory they take,
/// which is kept for the next ones. Not thread safe.
/// </summary>
/// <param name="limit">The most bytes of memory.</param>
internal sealed class HeldFrames(int limit)
{
    private static readonly int[] s_sizes = [256, 2048, 16 * 1024, GuestLinkSession.LongestFrame];

    private readonly PriorityQueue<HeldFrame, (long Due, long Order)> _frames = new();
    private readonly Stack<byte[]>[] _free = [.. s_sizes.Select(_ => new Stack<byte[]>())];
    private long _order;
    private long _memory;

    /// <summary>The number of frames.</summary>
    public int Count => _frames.Count;

    /// <summary>When the next one is due.</summary>
    /// <returns>False when there is none.</returns>
    public bool TryPeek(out long due)
    {
        bool found = _frames.TryPeek(out _, out (long Due, long Order) priority);
        due = priority.Due;
        return found;
    }

    /// <summary>Copies a frame to hold it.</summary>
    /// <param name="due">When it leaves.</param>
    /// <param name="network">The network's index.</param>
    /// <param name="from">The sender's port.</param>
    /// <param name="to">The receiver's port.</param>
    /// <param name="frame">At most as long as the longest frame.</param>
    /// <returns>False when there is no memory left for it.</returns>
    public bool TryHold(long due, int network, int from, int to, ReadOnlySpan<byte> frame)
    {
        if (Rent(frame.Length) is not { } buffer)
        {
            return false;
        }

        frame.CopyTo(buffer);
        _frames.Enqueue(new HeldFrame(network, from, to, buffer, frame.Length), (due, _order++));
        return true;
    }

    /// <summary>Takes a frame that is due; <see cref="Return"/> it afterwards.</summary>
    public bool TryTake(long now, out HeldFrame frame)
    {
        if (_frames.TryPeek(out frame, out (long Due, long Order) priority) && priority.Due <= now)
        {
            _frames.Dequeue();
            return true;
        }

        return false;
    }

    /// <summary>Gives a frame's memory back.</summary>
    public void Return(HeldFrame frame) => _free[SizeClass(frame.Length)].Push(frame.Buffer);

    /// <summary>Everything held and when it is due, soonest first.</summary>
    public IEnumerable<(HeldFrame Frame, long Due)> InOrder() =>
        _frames.UnorderedItems.OrderBy(item => item.Priority).Select(item => (item.Element, item.Priority.Due));

    private static int SizeClass(int length)
    {
        int index = 0;
        while (s_sizes[index] < length)
        {
            index++;
        }

        return index;
    }

    private byte[]? Rent(int length)
    {
        int index = SizeClass(length);
        if (_free[index].TryPop(out byte[]? buffer))
        {
            return buffer;
        }

        while (_memory + s_sizes[index] > limit)
        {
            int other = Array.FindLastIndex(_free, stack => stack.Count > 0);
            if (other < 0)
            {
                return null;
            }

            _free[other].Pop();
            _memory -= s_sizes[other];
        }

        _memory += s_sizes[index];
        return new byte[s_sizes[index]];
    }
}

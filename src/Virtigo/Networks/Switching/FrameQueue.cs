using System.Buffers;
using System.Buffers.Binary;
using System.Net.Sockets;

namespace Virtigo.Networks;

/// <summary>
/// Whole frames, each behind its length, that wait to be written to a guest's socket. Bounded; its memory grows with need and is given back by
/// <see cref="Release"/>. A frame whose first bytes are written stays until its last is. Not thread safe.
/// </summary>
internal sealed class FrameQueue(int limit)
{
    private const int FirstCapacity = 64 * 1024;

    private byte[]? _bytes;
    private int _capacity;
    private int _start;
    private int _length;

    /// <summary>The bytes of the first frame that are still to be written, when some of it is; otherwise 0.</summary>
    private int _headRest;

    /// <summary>Whether nothing waits.</summary>
    public bool IsEmpty => _length == 0;

    /// <summary>Whether the guest has a part of a frame only.</summary>
    public bool IsInsideFrame => _headRest > 0;

    /// <summary>The number of frames that wait, one partly written included.</summary>
    public int Count { get; private set; }

    /// <summary>Appends frames as long as they fit.</summary>
    /// <param name="frames">Whole frames, each behind its length.</param>
    /// <param name="written">How many of these bytes are written already; the rest of that frame is taken always.</param>
    /// <returns>The number of frames dropped.</returns>
    public int Append(ReadOnlySpan<byte> frames, int written = 0)
    {
        int dropped = 0;
        int at = 0;
        while (at < frames.Length)
        {
            int size = FrameOutput.PrefixSize + BinaryPrimitives.ReadInt32BigEndian(frames[at..]);
            int rest = Math.Min(size, at + size - written);
            if (rest <= 0)
            {
                at += size;
                continue;
            }

            ReadOnlySpan<byte> bytes = frames.Slice(at + size - rest, rest);
            if (rest < size)
            {
                _headRest = rest;
                Put(bytes);
                Count++;
            }
            else if (_length + size <= limit)
            {
                Put(bytes);
                Count++;
            }
            else
            {
                dropped++;
            }

            at += size;
        }

        return dropped;
    }

    /// <summary>Appends one frame without its length.</summary>
    /// <returns>False when it does not fit.</returns>
    public bool AppendFrame(ReadOnlySpan<byte> frame)
    {
        if (_length + FrameOutput.PrefixSize + frame.Length > limit)
        {
            return false;
        }

        Span<byte> prefix = stackalloc byte[FrameOutput.PrefixSize];
        BinaryPrimitives.WriteInt32BigEndian(prefix, frame.Length);
        Put(prefix);
        Put(frame);
        Count++;
        return true;
    }

    /// <summary>Writes as much as the socket takes.</summary>
    /// <param name="socket">A socket that does not block.</param>
    /// <param name="rest">Only the rest of a frame that is partly written.</param>
    /// <returns>Success when nothing that should be written is left, otherwise what stopped it; "would block" is no failure.</returns>
    public SocketError WriteTo(Socket socket, bool rest)
    {
        while (_length > 0 && !(rest && _headRest == 0))
        {
            int count = Math.Min(_length, _capacity - _start);
            int written = socket.Send(_bytes.AsSpan(_start, rest ? Math.Min(count, _headRest) : count), SocketFlags.None, out SocketError error);
            if (error != SocketError.Success)
            {
                return error;
            }

            Advance(written);
        }

        return SocketError.Success;
    }

    /// <summary>Copies each frame that is not partly written, oldest first.</summary>
    public IEnumerable<byte[]> Copy()
    {
        int at = _headRest;
        while (at < _length)
        {
            var frame = new byte[LengthAt(at)];
            Peek(at + FrameOutput.PrefixSize, frame);
            yield return frame;
            at += FrameOutput.PrefixSize + frame.Length;
        }
    }

    /// <summary>Forgets everything and gives the memory back.</summary>
    public void Release()
    {
        if (_bytes is { } bytes)
        {
            ArrayPool<byte>.Shared.Return(bytes);
        }

        _bytes = null;
        (_capacity, _start, _length, _headRest, Count) = (0, 0, 0, 0, 0);
    }

    private void Put(ReadOnlySpan<byte> bytes)
    {
        if (_length + bytes.Length > _capacity)
        {
            Grow(_length + bytes.Length);
        }

        int at = _start + _length;
        at -= at >= _capacity ? _capacity : 0;
        int first = Math.Min(bytes.Length, _capacity - at);
        bytes[..first].CopyTo(_bytes.AsSpan(at));
        bytes[first..].CopyTo(_bytes);
        _length += bytes.Length;
    }

    private void Grow(int needed)
    {
        int capacity = Math.Max(FirstCapacity, _capacity);
        while (capacity < needed)
        {
            capacity *= 2;
        }

        byte[] grown = ArrayPool<byte>.Shared.Rent(capacity);
        Peek(0, grown.AsSpan(0, _length));
        if (_bytes is { } old)
        {
            ArrayPool<byte>.Shared.Return(old);
        }

        (_bytes, _capacity, _start) = (grown, capacity, 0);
    }

    private void Peek(int offset, Span<byte> destination)
    {
        if (destination.IsEmpty)
        {
            return;
        }

        int at = (_start + offset) % _capacity;
        int first = Math.Min(destination.Length, _capacity - at);
        _bytes.AsSpan(at, first).CopyTo(destination);
        _bytes.AsSpan(0, destination.Length - first).CopyTo(destination[first..]);
    }

    private int LengthAt(int offset)
    {
        Span<byte> prefix = stackalloc byte[FrameOutput.PrefixSize];
        Peek(offset, prefix);
        return BinaryPrimitives.ReadInt32BigEndian(prefix);
    }

    /// <summary>Removes bytes that were written, and finds where in a frame that was.</summary>
    private void Advance(int written)
    {
        int at = 0;
        while (at < written)
        {
            int size = _headRest > 0 ? _headRest : FrameOutput.PrefixSize + LengthAt(at);
            int step = Math.Min(size, written - at);
            _headRest = size - step;
            Count -= _headRest == 0 ? 1 : 0;
            at += step;
        }

        _length -= written;
        _start = _length == 0 ? 0 : (_start + written) % _capacity;
    }
}

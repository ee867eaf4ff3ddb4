using System.Buffers;

namespace Virtigo.Networks;

/// <summary>A bounded queue of bytes. Its memory is taken with the first byte and given back by <see cref="Release"/>. Not thread safe.</summary>
internal sealed class ByteRing(int capacity)
{
    private byte[]? _bytes;
    private int _start;

    /// <summary>The most bytes it holds.</summary>
    public int Capacity { get; } = capacity;

    /// <summary>The bytes it holds.</summary>
    public int Length { get; private set; }

    /// <summary>The bytes it can still take.</summary>
    public int Free => Capacity - Length;

    /// <summary>Appends as much as fits.</summary>
    /// <returns>The number of bytes taken.</returns>
    public int Write(ReadOnlySpan<byte> source)
    {
        int count = Math.Min(source.Length, Free);
        if (count == 0)
        {
            return 0;
        }

        _bytes ??= ArrayPool<byte>.Shared.Rent(Capacity);
        int at = (_start + Length) % Capacity;
        int first = Math.Min(count, Capacity - at);
        source[..first].CopyTo(_bytes.AsSpan(at));
        source[first..count].CopyTo(_bytes);
        Length += count;
        return count;
    }

    /// <summary>Copies bytes without removing them.</summary>
    /// <param name="offset">Counted from the oldest byte.</param>
    /// <param name="destination">Filled completely; the ring must hold that much behind <paramref name="offset"/>.</param>
    public void Peek(int offset, Span<byte> destination)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(offset + destination.Length, Length);
        if (destination.IsEmpty)
        {
            return;
        }

        int at = (_start + offset) % Capacity;
        int first = Math.Min(destination.Length, Capacity - at);
        _bytes.AsSpan(at, first).CopyTo(destination);
        _bytes.AsSpan(0, destination.Length - first).CopyTo(destination[first..]);
    }

    /// <summary>Removes the oldest bytes.</summary>
    public void Discard(int count)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count, Length);
        Length -= count;
        _start = Length == 0 ? 0 : (_start + count) % Capacity;
    }

    /// <summary>Moves as many of the oldest bytes as there are and fit.</summary>
    /// <returns>The number of bytes moved.</returns>
    public int Read(Span<byte> destination)
    {
        int count = Math.Min(destination.Length, Length);
        Peek(0, destination[..count]);
        Discard(count);
        return count;
    }

    /// <summary>Forgets everything and gives the memory back.</summary>
    public void Release()
    {
        if (_bytes is { } bytes)
        {
            _bytes = null;
            ArrayPool<byte>.Shared.Return(bytes);
        }

        (_start, Length) = (0, 0);
    }
}

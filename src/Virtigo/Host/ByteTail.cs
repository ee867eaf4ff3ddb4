using System.Text;

namespace Virtigo.Host;

/// <summary>Keeps the last bytes of a stream of any length. Not safe for concurrent use.</summary>
/// <param name="limit">The most to keep, in bytes.</param>
internal sealed class ByteTail(int limit)
{
    private byte[] _ring = new byte[Math.Min(limit, 4096)];
    private int _start;

    /// <summary>How many bytes are kept.</summary>
    public int Count { get; private set; }

    /// <summary>How many bytes were ever appended.</summary>
    public long Total { get; private set; }

    /// <summary>Appends bytes; the oldest beyond the limit are forgotten.</summary>
    public void Append(ReadOnlySpan<byte> bytes)
    {
        Total += bytes.Length;
        if (bytes.Length > limit)
        {
            bytes = bytes[^limit..];
        }

        Reserve(Math.Min(limit, Count + bytes.Length));
        int end = (_start + Count) % _ring.Length;
        int first = Math.Min(bytes.Length, _ring.Length - end);
        bytes[..first].CopyTo(_ring.AsSpan(end));
        bytes[first..].CopyTo(_ring);
        int forgotten = Math.Max(0, Count + bytes.Length - _ring.Length);
        _start = (_start + forgotten) % _ring.Length;
        Count += bytes.Length - forgotten;
    }

    /// <summary>A copy of what is kept, oldest first.</summary>
    public byte[] ToArray()
    {
        byte[] copy = new byte[Count];
        int first = Math.Min(Count, _ring.Length - _start);
        _ring.AsSpan(_start, first).CopyTo(copy);
        _ring.AsSpan(0, Count - first).CopyTo(copy.AsSpan(first));
        return copy;
    }

    /// <summary>What is kept, as UTF-8 text.</summary>
    public override string ToString() => Encoding.UTF8.GetString(ToArray());

    private void Reserve(int needed)
    {
        if (needed <= _ring.Length)
        {
            return;
        }

        byte[] larger = new byte[(int)Math.Min(limit, Math.Max(needed, _ring.Length * 2L))];
        ToArray().CopyTo(larger, 0);
        (_ring, _start) = (larger, 0);
    }
}

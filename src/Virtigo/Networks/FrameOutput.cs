using System.Buffers.Binary;

namespace Virtigo.Networks;

/// <summary>
/// Frames on their way to the guest, each behind its length as four bytes, big endian (QEMU's <c>-netdev stream</c>).
/// Bounded: who finds no room waits or drops, as on a wire. Callers hold the gateway's lock.
/// </summary>
internal sealed class FrameOutput(int capacity)
{
    /// <summary>The length prefix of a frame, in bytes.</summary>
    public const int PrefixSize = 4;

    private byte[] _filling = new byte[capacity];
    private byte[] _leaving = new byte[capacity];
    private int _filled;

    /// <summary>Whether nothing waits to leave.</summary>
    public bool IsEmpty => _filled == 0;

    /// <summary>Whether bytes taken by <see cref="Take"/> are still being written to the guest.</summary>
    public bool IsLeaving { get; private set; }

    /// <summary>Whether a frame of this length fits now.</summary>
    public bool HasRoom(int frameLength) => _filled + PrefixSize + frameLength <= _filling.Length;

    /// <summary>Appends a frame for the caller to fill before it gives up the lock.</summary>
    /// <returns>The frame's bytes with arbitrary content; empty when there is no room.</returns>
    public Span<byte> Append(int frameLength)
    {
        if (!HasRoom(frameLength))
        {
            return default;
        }

        BinaryPrimitives.WriteInt32BigEndian(_filling.AsSpan(_filled), frameLength);
        Span<byte> frame = _filling.AsSpan(_filled + PrefixSize, frameLength);
        _filled += PrefixSize + frameLength;
        return frame;
    }

    /// <summary>Takes everything appended so far. It stays valid until <see cref="Left"/>, which must come before the next call.</summary>
    public ReadOnlyMemory<byte> Take()
    {
        (_filling, _leaving) = (_leaving, _filling);
        ReadOnlyMemory<byte> taken = _leaving.AsMemory(0, _filled);
        _filled = 0;
        IsLeaving = !taken.IsEmpty;
        return taken;
    }

    /// <summary>What was taken has been written.</summary>
    public void Left() => IsLeaving = false;
}

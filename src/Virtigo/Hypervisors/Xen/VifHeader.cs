using System.Buffers.Binary;

namespace Virtigo.Hypervisors.Xen;

/// <summary>
/// What Linux says of a frame of a guest's card: guests leave checksums for whoever takes the frame, which is right between domains of one host and
/// wrong on a network.
/// </summary>
internal static class VifHeader
{
    /// <summary>Its size in bytes.</summary>
    public const int Size = 10;

    private const byte NeedsChecksum = 1;

    /// <summary>The header and what it asks for.</summary>
    public static CardHeader Instance { get; } = new(Size, Complete);

    /// <summary>Completes a frame's checksum where its guest left that to others.</summary>
    /// <param name="header">What is said of the frame, in the byte order of the host.</param>
    /// <param name="frame">The frame, as the guest sent it.</param>
    /// <returns>False for a frame that was to be cut into several, which the guest was told not to send, or whose checksum is outside of it.</returns>
    public static bool Complete(ReadOnlySpan<byte> header, Span<byte> frame)
    {
        if (header[1] != 0)
        {
            return false;
        }

        if ((header[0] & NeedsChecksum) == 0)
        {
            return true;
        }

        int start = Read(header[6..]);
        int place = start + Read(header[8..]);
        if (start >= frame.Length || place + sizeof(ushort) > frame.Length)
        {
            return false;
        }

        // The place holds the sum of the addresses, and is summed with the rest.
        ushort sum = (ushort)~Sum(frame[start..]);
        BinaryPrimitives.WriteUInt16BigEndian(frame[place..], sum == 0 ? ushort.MaxValue : sum);
        return true;
    }

    private static uint Sum(ReadOnlySpan<byte> bytes)
    {
        uint sum = 0;
        for (; bytes.Length > 1; bytes = bytes[2..])
        {
            sum += BinaryPrimitives.ReadUInt16BigEndian(bytes);
        }

        sum += bytes.IsEmpty ? 0u : (uint)bytes[0] << 8;
        sum = (sum & 0xFFFF) + (sum >> 16);
        return (sum & 0xFFFF) + (sum >> 16);
    }

    private static ushort Read(ReadOnlySpan<byte> bytes) =>
        BitConverter.IsLittleEndian ? BinaryPrimitives.ReadUInt16LittleEndian(bytes) : BinaryPrimitives.ReadUInt16BigEndian(bytes);
}

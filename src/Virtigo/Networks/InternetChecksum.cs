using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace Virtigo.Networks;

/// <summary>The checksum of IPv4, ICMP, UDP and TCP (RFC 1071), summed in the host's byte order and swapped once at the end.</summary>
internal static class InternetChecksum
{
    /// <summary>The checksum to store, or 0 when the bytes already carry a right one.</summary>
    public static ushort Of(ReadOnlySpan<byte> bytes) => Finish(Sum(bytes));

    /// <summary>The checksum of a UDP datagram or TCP segment together with its IPv4 pseudo header.</summary>
    public static ushort Of(ReadOnlySpan<byte> segment, Ipv4Address source, Ipv4Address destination, byte protocol)
    {
        Span<byte> pseudo = stackalloc byte[12];
        source.Write(pseudo);
        destination.Write(pseudo[4..]);
        pseudo[8] = 0;
        pseudo[9] = protocol;
        BinaryPrimitives.WriteUInt16BigEndian(pseudo[10..], (ushort)segment.Length);
        return Finish(Sum(pseudo) + Sum(segment));
    }

    private static ulong Sum(ReadOnlySpan<byte> bytes)
    {
        ReadOnlySpan<uint> words = MemoryMarshal.Cast<byte, uint>(bytes);
        ulong a = 0, b = 0, c = 0, d = 0;
        int i = 0;
        for (; i <= words.Length - 4; i += 4)
        {
            a += words[i];
            b += words[i + 1];
            c += words[i + 2];
            d += words[i + 3];
        }

        for (; i < words.Length; i++)
        {
            a += words[i];
        }

        ReadOnlySpan<byte> rest = bytes[(words.Length * sizeof(uint))..];
        if (!rest.IsEmpty)
        {
            Span<byte> padded = stackalloc byte[sizeof(uint)];
            padded.Clear();
            rest.CopyTo(padded);
            a += MemoryMarshal.Read<uint>(padded);
        }

        return a + b + c + d;
    }

    private static ushort Finish(ulong sum)
    {
        sum = (sum & 0xFFFF_FFFF) + (sum >> 32);
        sum = (sum & 0xFFFF_FFFF) + (sum >> 32);
        sum = (sum & 0xFFFF) + (sum >> 16);
        sum = (sum & 0xFFFF) + (sum >> 16);
        sum = (sum & 0xFFFF) + (sum >> 16);
        ushort value = (ushort)~sum;
        return BitConverter.IsLittleEndian ? BinaryPrimitives.ReverseEndianness(value) : value;
    }
}

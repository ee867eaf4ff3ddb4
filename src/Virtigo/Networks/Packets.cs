using System.Buffers.Binary;

namespace Virtigo.Networks;

/// <summary>What an Ethernet frame carries.</summary>
internal enum EtherType : ushort
{
    Ipv4 = 0x0800,
    Arp = 0x0806,
}

/// <summary>What an IPv4 packet carries.</summary>
internal static class IpProtocol
{
    public const byte Icmp = 1;
    public const byte Tcp = 6;
    public const byte Udp = 17;
}

/// <summary>An Ethernet frame in a buffer of someone else's.</summary>
internal readonly ref struct EthernetFrame
{
    /// <summary>The length of the header, in bytes.</summary>
    public const int HeaderSize = 14;

    private readonly ReadOnlySpan<byte> _bytes;

    private EthernetFrame(ReadOnlySpan<byte> bytes) => _bytes = bytes;

    public MacAddress Destination => MacAddress.Read(_bytes);

    public MacAddress Source => MacAddress.Read(_bytes[6..]);

    public EtherType Type => (EtherType)BinaryPrimitives.ReadUInt16BigEndian(_bytes[12..]);

    public ReadOnlySpan<byte> Payload => _bytes[HeaderSize..];

    /// <summary>Reads a frame; false when it is too short to be one.</summary>
    public static bool TryRead(ReadOnlySpan<byte> bytes, out EthernetFrame frame)
    {
        frame = new EthernetFrame(bytes);
        return bytes.Length >= HeaderSize;
    }

    /// <summary>Writes a header.</summary>
    public static void WriteHeader(Span<byte> frame, MacAddress destination, MacAddress source, EtherType type)
    {
        destination.Write(frame);
        source.Write(frame[6..]);
        BinaryPrimitives.WriteUInt16BigEndian(frame[12..], (ushort)type);
    }
}

/// <summary>An unfragmented IPv4 packet whose lengths and header checksum are right.</summary>
internal readonly ref struct Ipv4Packet
{
    /// <summary>The length of a header without options, in bytes.</summary>
    public const int HeaderSize = 20;

    private readonly ReadOnlySpan<byte> _bytes;
    private readonly int _headerLength;

    private Ipv4Packet(ReadOnlySpan<byte> bytes, int headerLength)
    {
        _bytes = bytes;
        _headerLength = headerLength;
    }

    public byte Protocol => _bytes[9];

    public Ipv4Address Source => Ipv4Address.Read(_bytes[12..]);

    public Ipv4Address Destination => Ipv4Address.Read(_bytes[16..]);

    public ReadOnlySpan<byte> Payload => _bytes[_headerLength..];

    /// <summary>The header and the first eight bytes after it, as an ICMP error quotes them.</summary>
    public ReadOnlySpan<byte> Quote => _bytes[..Math.Min(_bytes.Length, _headerLength + 8)];

    /// <summary>Reads a packet; false when it is malformed or a fragment. Padding behind it is cut off.</summary>
    public static bool TryRead(ReadOnlySpan<byte> bytes, out Ipv4Packet packet)
    {
        packet = default;
        if (bytes.Length < HeaderSize || bytes[0] >> 4 != 4)
        {
            return false;
        }

        int headerLength = (bytes[0] & 15) * 4;
        int totalLength = BinaryPrimitives.ReadUInt16BigEndian(bytes[2..]);
        bool isFragment = (BinaryPrimitives.ReadUInt16BigEndian(bytes[6..]) & 0x3FFF) != 0;
        if (headerLength < HeaderSize || totalLength < headerLength || totalLength > bytes.Length || isFragment
            || InternetChecksum.Of(bytes[..headerLength]) != 0)
        {
            return false;
        }

        packet = new Ipv4Packet(bytes[..totalLength], headerLength);
        return true;
    }

    /// <summary>Writes a header without options; "don't fragment" is set.</summary>
    public static void WriteHeader(Span<byte> packet, int totalLength, byte protocol, Ipv4Address source, Ipv4Address destination)
    {
        packet[0] = 0x45;
        packet[1] = 0;
        BinaryPrimitives.WriteUInt16BigEndian(packet[2..], (ushort)totalLength);
        BinaryPrimitives.WriteUInt32BigEndian(packet[4..], 0x0000_4000);
        packet[8] = 64;
        packet[9] = protocol;
        packet[10] = packet[11] = 0;
        source.Write(packet[12..]);
        destination.Write(packet[16..]);
        BinaryPrimitives.WriteUInt16BigEndian(packet[10..], InternetChecksum.Of(packet[..HeaderSize]));
    }
}

/// <summary>A UDP datagram whose length and checksum are right.</summary>
internal readonly ref struct UdpDatagram
{
    /// <summary>The length of the header, in bytes.</summary>
    public const int HeaderSize = 8;

    private readonly ReadOnlySpan<byte> _bytes;

    private UdpDatagram(ReadOnlySpan<byte> bytes) => _bytes = bytes;

    public ushort SourcePort => BinaryPrimitives.ReadUInt16BigEndian(_bytes);

    public ushort DestinationPort => BinaryPrimitives.ReadUInt16BigEndian(_bytes[2..]);

    public ReadOnlySpan<byte> Payload => _bytes[HeaderSize..];

    /// <summary>Reads the datagram in a packet; false when it is malformed.</summary>
    public static bool TryRead(Ipv4Packet packet, out UdpDatagram datagram)
    {
        datagram = default;
        ReadOnlySpan<byte> bytes = packet.Payload;
        if (bytes.Length < HeaderSize)
        {
            return false;
        }

        int length = BinaryPrimitives.ReadUInt16BigEndian(bytes[4..]);
        if (length < HeaderSize || length > bytes.Length)
        {
            return false;
        }

        bytes = bytes[..length];
        bool hasChecksum = BinaryPrimitives.ReadUInt16BigEndian(bytes[6..]) != 0;
        if (hasChecksum && InternetChecksum.Of(bytes, packet.Source, packet.Destination, IpProtocol.Udp) != 0)
        {
            return false;
        }

        datagram = new UdpDatagram(bytes);
        return true;
    }

    /// <summary>Completes a datagram whose payload is already in place.</summary>
    public static void WriteHeader(Span<byte> datagram, Ipv4Address source, ushort sourcePort, Ipv4Address destination, ushort destinationPort)
    {
        BinaryPrimitives.WriteUInt16BigEndian(datagram, sourcePort);
        BinaryPrimitives.WriteUInt16BigEndian(datagram[2..], destinationPort);
        BinaryPrimitives.WriteUInt16BigEndian(datagram[4..], (ushort)datagram.Length);
        datagram[6] = datagram[7] = 0;
        ushort checksum = InternetChecksum.Of(datagram, source, destination, IpProtocol.Udp);
        BinaryPrimitives.WriteUInt16BigEndian(datagram[6..], checksum == 0 ? ushort.MaxValue : checksum);
    }
}

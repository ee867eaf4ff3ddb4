using System.Buffers.Binary;

namespace Virtigo.Networks;

/// <summary>The control bits of a TCP segment.</summary>
[Flags]
internal enum TcpFlags : byte
{
    None = 0,
    Fin = 1,
    Syn = 2,
    Rst = 4,
    Psh = 8,
    Ack = 16,
}

/// <summary>A TCP segment whose lengths and checksum are right.</summary>
internal readonly ref struct TcpSegment
{
    /// <summary>The length of a header without options, in bytes.</summary>
    public const int HeaderSize = 20;

    /// <summary>The largest window scale of RFC 7323.</summary>
    public const int MaxWindowScale = 14;

    private const byte EndOfOptions = 0;
    private const byte NoOperation = 1;
    private const byte MaximumSegmentSizeOption = 2;
    private const byte WindowScaleOption = 3;

    private readonly ReadOnlySpan<byte> _bytes;
    private readonly int _headerLength;

    private TcpSegment(ReadOnlySpan<byte> bytes, int headerLength)
    {
        _bytes = bytes;
        _headerLength = headerLength;
    }

    public ushort SourcePort => BinaryPrimitives.ReadUInt16BigEndian(_bytes);

    public ushort DestinationPort => BinaryPrimitives.ReadUInt16BigEndian(_bytes[2..]);

    public uint Sequence => BinaryPrimitives.ReadUInt32BigEndian(_bytes[4..]);

    public uint Acknowledgment => BinaryPrimitives.ReadUInt32BigEndian(_bytes[8..]);

    public TcpFlags Flags => (TcpFlags)(_bytes[13] & 0x1F);

    /// <summary>The window as sent, not scaled.</summary>
    public ushort Window => BinaryPrimitives.ReadUInt16BigEndian(_bytes[14..]);

    public ReadOnlySpan<byte> Payload => _bytes[_headerLength..];

    /// <summary>The sequence numbers it takes up: its payload, SYN and FIN.</summary>
    public uint SequenceLength => (uint)Payload.Length + (Has(TcpFlags.Syn) ? 1u : 0) + (Has(TcpFlags.Fin) ? 1u : 0);

    /// <summary>Whether one of these control bits is set.</summary>
    public bool Has(TcpFlags flags) => (Flags & flags) != 0;

    /// <summary>Reads the segment in a packet; false when it is malformed.</summary>
    public static bool TryRead(Ipv4Packet packet, out TcpSegment segment)
    {
        segment = default;
        ReadOnlySpan<byte> bytes = packet.Payload;
        if (bytes.Length < HeaderSize)
        {
            return false;
        }

        int headerLength = (bytes[12] >> 4) * 4;
        if (headerLength < HeaderSize || headerLength > bytes.Length
            || InternetChecksum.Of(bytes, packet.Source, packet.Destination, IpProtocol.Tcp) != 0)
        {
            return false;
        }

        segment = new TcpSegment(bytes, headerLength);
        return true;
    }

    /// <summary>Reads the options of a SYN. Malformed options end the reading; what was read before stands.</summary>
    /// <param name="maximumSegmentSize">The largest payload the peer takes, in bytes; 536 when it does not say.</param>
    /// <param name="windowScale">The peer's window scale, or null when it does not scale.</param>
    public void ReadSynOptions(out int maximumSegmentSize, out int? windowScale)
    {
        maximumSegmentSize = 536;
        windowScale = null;
        ReadOnlySpan<byte> options = _bytes[HeaderSize.._headerLength];
        while (!options.IsEmpty && options[0] != EndOfOptions)
        {
            if (options[0] == NoOperation)
            {
                options = options[1..];
                continue;
            }

            if (options.Length < 2 || options[1] < 2 || options[1] > options.Length)
            {
                return;
            }

            switch (options[0], options[1])
            {
                case (MaximumSegmentSizeOption, 4):
                    maximumSegmentSize = BinaryPrimitives.ReadUInt16BigEndian(options[2..]);
                    break;
                case (WindowScaleOption, 3):
                    windowScale = Math.Min((int)options[2], MaxWindowScale);
                    break;
            }

            options = options[options[1]..];
        }
    }

    /// <summary>The options of our SYN: segment size and, when the peer scales too, window scale.</summary>
    /// <returns>The number of bytes written, a multiple of four.</returns>
    public static int WriteSynOptions(Span<byte> options, int maximumSegmentSize, int? windowScale)
    {
        options[0] = MaximumSegmentSizeOption;
        options[1] = 4;
        BinaryPrimitives.WriteUInt16BigEndian(options[2..], (ushort)maximumSegmentSize);
        if (windowScale is not { } scale)
        {
            return 4;
        }

        options[4] = NoOperation;
        options[5] = WindowScaleOption;
        options[6] = 3;
        options[7] = (byte)scale;
        return 8;
    }

    /// <summary>Completes a segment whose options and payload are already in place.</summary>
    public static void WriteHeader(Span<byte> segment, in TcpHeader header, Ipv4Address source, Ipv4Address destination)
    {
        BinaryPrimitives.WriteUInt16BigEndian(segment, header.SourcePort);
        BinaryPrimitives.WriteUInt16BigEndian(segment[2..], header.DestinationPort);
        BinaryPrimitives.WriteUInt32BigEndian(segment[4..], header.Sequence);
        BinaryPrimitives.WriteUInt32BigEndian(segment[8..], header.Acknowledgment);
        segment[12] = (byte)((HeaderSize + header.OptionsLength) / 4 << 4);
        segment[13] = (byte)header.Flags;
        BinaryPrimitives.WriteUInt16BigEndian(segment[14..], header.Window);
        segment[16] = segment[17] = segment[18] = segment[19] = 0;
        BinaryPrimitives.WriteUInt16BigEndian(segment[16..],
            InternetChecksum.Of(segment, source, destination, IpProtocol.Tcp));
    }
}

/// <summary>The fields of a TCP header to write.</summary>
internal readonly record struct TcpHeader(
    ushort SourcePort, ushort DestinationPort, uint Sequence, uint Acknowledgment, TcpFlags Flags, ushort Window, int OptionsLength = 0);

namespace Virtigo.Networks;

/// <summary>The gateway's side of one link: its addresses and the frames that leave. Its members are called with the gateway's lock held.</summary>
/// <param name="address">The gateway's address.</param>
/// <param name="mtu">The largest packet, in bytes, Ethernet header not counted.</param>
/// <param name="clock">For all timers.</param>
/// <param name="counters">What is counted.</param>
/// <param name="signal">Called when frames wait to leave; must not block.</param>
/// <param name="outputBytes">The most bytes of frames that wait to leave; at least one longest frame.</param>
internal sealed class GatewayLink(Ipv4Address address, int mtu, TimeProvider clock, GatewayCounters counters, Action signal,
    int outputBytes = 512 * 1024)
{
    /// <summary>The gateway's Ethernet address.</summary>
    public MacAddress Mac { get; } = MacOf(address);

    public Ipv4Address Address { get; } = address;

    public int Mtu { get; } = mtu;

    public TimeProvider Clock { get; } = clock;

    public GatewayCounters Counters { get; } = counters;

    /// <summary>The frames that wait.</summary>
    public FrameOutput Output { get; } = new(outputBytes);

    /// <summary>The Ethernet address of a gateway: locally administered, made of its IPv4 address.</summary>
    public static MacAddress MacOf(Ipv4Address address) => new(0x5255_0000_0000UL | address.Value);

    /// <summary>Tells whoever writes to the guest that frames wait.</summary>
    public void Signal() => signal();

    /// <summary>Appends an Ethernet frame.</summary>
    /// <returns>The payload for the caller to fill; empty when the link has no room.</returns>
    public Span<byte> AppendEthernet(MacAddress destination, EtherType type, int payloadLength)
    {
        Span<byte> frame = Output.Append(EthernetFrame.HeaderSize + payloadLength);
        if (frame.IsEmpty)
        {
            Counters.CountDropped();
            return default;
        }

        Counters.CountSent(frame.Length);
        EthernetFrame.WriteHeader(frame, destination, Mac, type);
        return frame[EthernetFrame.HeaderSize..];
    }

    /// <summary>Appends an IPv4 packet in its frame.</summary>
    /// <returns>The payload for the caller to fill; empty when the link has no room.</returns>
    public Span<byte> AppendIpv4(MacAddress mac, Ipv4Address source, Ipv4Address destination, byte protocol, int payloadLength)
    {
        Span<byte> packet = AppendEthernet(mac, EtherType.Ipv4, Ipv4Packet.HeaderSize + payloadLength);
        if (packet.IsEmpty)
        {
            return default;
        }

        Ipv4Packet.WriteHeader(packet, packet.Length, protocol, source, destination);
        return packet[Ipv4Packet.HeaderSize..];
    }

    /// <summary>Sends a UDP datagram, if the link has room.</summary>
    public void SendUdp(MacAddress mac, ushort sourcePort, Ipv4Address destination, ushort destinationPort, ReadOnlySpan<byte> payload)
    {
        Span<byte> datagram = AppendIpv4(mac, Address, destination, IpProtocol.Udp, UdpDatagram.HeaderSize + payload.Length);
        if (!datagram.IsEmpty)
        {
            payload.CopyTo(datagram[UdpDatagram.HeaderSize..]);
            UdpDatagram.WriteHeader(datagram, Address, sourcePort, destination, destinationPort);
        }
    }
}

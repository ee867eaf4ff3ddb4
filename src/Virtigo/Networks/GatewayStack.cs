using System.Buffers.Binary;
using System.Globalization;

namespace Virtigo.Networks;

/// <summary>
/// The gateway's protocols over one link: ARP, IPv4, ICMP echo, DHCP, DNS and TCP. Frames go in, frames come out of
/// <see cref="GatewayLink.Output"/>; no socket is touched here. Its members are called with the lock of <see cref="Tcp"/> held.
/// </summary>
internal sealed class GatewayStack
{
    private const int ArpSize = 28;
    private const ushort ArpRequest = 1;
    private const ushort ArpReply = 2;
    private const byte IcmpEchoReply = 0;
    private const byte IcmpUnreachable = 3;
    private const byte IcmpEcho = 8;
    private const byte AdministrativelyProhibited = 13;
    private const int IcmpHeaderSize = 8;

    private readonly GatewayLink _link;
    private readonly Ipv4Subnet _subnet;
    private readonly DhcpServer _dhcp;
    private readonly DnsResponder _dns;
    private readonly RefusalLog _refusals;

    private readonly bool _hasNeighbours;

    /// <summary>Creates the protocols for a new link.</summary>
    /// <param name="link">Where the frames leave.</param>
    /// <param name="dhcp">Leases addresses; its settings say which network this is.</param>
    /// <param name="dns">Knows names.</param>
    /// <param name="tcp">Holds the connections.</param>
    /// <param name="refusals">Where what was refused is recorded.</param>
    /// <param name="hasNeighbours">Whether others share the link, so that a guest that asks for their addresses asks for nothing wrong.</param>
    public GatewayStack(GatewayLink link, DhcpServer dhcp, DnsResponder dns, TcpEndpoint tcp, RefusalLog refusals, bool hasNeighbours)
    {
        (_link, _dhcp, _dns, Tcp, _refusals, _hasNeighbours) = (link, dhcp, dns, tcp, refusals, hasNeighbours);
        _subnet = dhcp.Settings.Subnet;
    }

    /// <summary>The connections.</summary>
    public TcpEndpoint Tcp { get; }

    /// <summary>Handles one frame of the guest's. Any bytes at all are fine.</summary>
    public void Receive(ReadOnlySpan<byte> bytes)
    {
        _link.Counters.CountReceived(bytes.Length);
        if (!EthernetFrame.TryRead(bytes, out EthernetFrame frame) || frame.Source.IsGroup)
        {
            _link.Counters.CountMalformed();
            return;
        }

        bool isForUs = frame.Destination == _link.Mac || frame.Destination == MacAddress.Broadcast;
        switch (frame.Type)
        {
            case EtherType.Arp when isForUs:
                ReceiveArp(frame);
                break;
            case EtherType.Ipv4 when isForUs:
                ReceiveIpv4(frame);
                break;
            default:
                _link.Counters.CountIgnored();
                break;
        }
    }

    private void ReceiveArp(EthernetFrame frame)
    {
        ReadOnlySpan<byte> request = frame.Payload;
        const ulong ethernetAndIpv4 = 0x0001_0800_0604;
        if (request.Length < ArpSize || BinaryPrimitives.ReadUInt64BigEndian(request) >> 16 != ethernetAndIpv4)
        {
            _link.Counters.CountMalformed();
            return;
        }

        Ipv4Address sender = Ipv4Address.Read(request[14..]);
        Ipv4Address target = Ipv4Address.Read(request[24..]);
        if (BinaryPrimitives.ReadUInt16BigEndian(request[6..]) != ArpRequest)
        {
            return;
        }

        if (target != _link.Address)
        {
            bool probesItsOwn = sender == Ipv4Address.Any || sender == target;
            if (!probesItsOwn && !(_hasNeighbours && _subnet.Contains(target)))
            {
                _refusals.Add("arp", target.ToString());
            }

            return;
        }

        Span<byte> reply = _link.AppendEthernet(frame.Source, EtherType.Arp, ArpSize);
        if (!reply.IsEmpty)
        {
            request[..6].CopyTo(reply);
            BinaryPrimitives.WriteUInt16BigEndian(reply[6..], ArpReply);
            _link.Mac.Write(reply[8..]);
            target.Write(reply[14..]);
            request.Slice(8, 10).CopyTo(reply[18..]);
        }
    }

    private void ReceiveIpv4(EthernetFrame frame)
    {
        if (!Ipv4Packet.TryRead(frame.Payload, out Ipv4Packet packet))
        {
            _link.Counters.CountMalformed();
            return;
        }

        bool comesFromGuest = _subnet.Contains(packet.Source) && packet.Source != _link.Address && packet.Source != _subnet.DirectedBroadcast;
        if (!comesFromGuest && packet.Source != Ipv4Address.Any)
        {
            _link.Counters.CountIgnored();
            return;
        }

        switch (packet.Protocol)
        {
            case IpProtocol.Udp:
                ReceiveUdp(packet, frame.Source);
                break;
            case IpProtocol.Tcp when comesFromGuest:
                ReceiveTcp(packet, frame.Source);
                break;
            case IpProtocol.Icmp when comesFromGuest:
                ReceiveIcmp(packet, frame.Source);
                break;
            default:
                Refuse(packet, frame.Source, string.Create(CultureInfo.InvariantCulture, $"ip {packet.Protocol}"), 0);
                break;
        }
    }

    private void ReceiveUdp(Ipv4Packet packet, MacAddress from)
    {
        if (!UdpDatagram.TryRead(packet, out UdpDatagram datagram))
        {
            _link.Counters.CountMalformed();
        }
        else if (datagram.DestinationPort == DhcpServer.ServerPort && (packet.Destination == _link.Address || packet.Destination == Ipv4Address.Broadcast))
        {
            if (_dhcp.Answer(datagram.Payload) is { } answer)
            {
                _link.Counters.CountDhcpAnswer();
                MacAddress to = answer.Address == Ipv4Address.Broadcast ? MacAddress.Broadcast : from;
                _link.SendUdp(to, DhcpServer.ServerPort, answer.Address, DhcpServer.ClientPort, answer.Message);
            }
        }
        else if (datagram.DestinationPort == DnsResponder.Port && packet.Destination == _link.Address)
        {
            if (_dns.Answer(datagram.Payload) is { } answer)
            {
                _link.Counters.CountDnsAnswer();
                _link.SendUdp(from, DnsResponder.Port, packet.Source, datagram.SourcePort, answer);
            }
        }
        else
        {
            Refuse(packet, from, "udp", datagram.DestinationPort);
        }
    }

    private void ReceiveTcp(Ipv4Packet packet, MacAddress from)
    {
        if (!TcpSegment.TryRead(packet, out TcpSegment segment))
        {
            _link.Counters.CountMalformed();
        }
        else if (Tcp.Receive(packet, segment, from) is not TcpReception.Taken and var reception)
        {
            _refusals.Add("tcp", packet.Destination.ToString(), segment.DestinationPort,
                reception == TcpReception.OverLimit ? "as many connections as are allowed are open" : null);
        }
    }

    private void ReceiveIcmp(Ipv4Packet packet, MacAddress from)
    {
        ReadOnlySpan<byte> message = packet.Payload;
        if (message.Length < IcmpHeaderSize || InternetChecksum.Of(message) != 0)
        {
            _link.Counters.CountMalformed();
            return;
        }

        if (message[0] != IcmpEcho)
        {
            _link.Counters.CountIgnored();
            return;
        }

        if (packet.Destination != _link.Address)
        {
            Refuse(packet, from, "icmp", 0);
            return;
        }

        Span<byte> reply = _link.AppendIpv4(from, _link.Address, packet.Source, IpProtocol.Icmp, message.Length);
        if (!reply.IsEmpty)
        {
            message.CopyTo(reply);
            reply[0] = IcmpEchoReply;
            WriteIcmpChecksum(reply);
        }
    }

    /// <summary>Records what was refused and tells the guest at once, so that no program of its waits for a time-out.</summary>
    private void Refuse(Ipv4Packet packet, MacAddress from, string protocol, int port)
    {
        bool isToGroup = packet.Destination == Ipv4Address.Broadcast || packet.Destination == _subnet.DirectedBroadcast
            || packet.Destination.Value >> 28 == 14;
        if (isToGroup)
        {
            _link.Counters.CountIgnored();
            return;
        }

        _refusals.Add(protocol, packet.Destination.ToString(), port);
        if (packet.Source == Ipv4Address.Any)
        {
            return;
        }

        ReadOnlySpan<byte> quote = packet.Quote;
        Span<byte> message = _link.AppendIpv4(from, _link.Address, packet.Source, IpProtocol.Icmp, IcmpHeaderSize + quote.Length);
        if (!message.IsEmpty)
        {
            message[..IcmpHeaderSize].Clear();
            message[0] = IcmpUnreachable;
            message[1] = AdministrativelyProhibited;
            quote.CopyTo(message[IcmpHeaderSize..]);
            WriteIcmpChecksum(message);
        }
    }

    private static void WriteIcmpChecksum(Span<byte> message)
    {
        message[2] = message[3] = 0;
        BinaryPrimitives.WriteUInt16BigEndian(message[2..], InternetChecksum.Of(message));
    }
}

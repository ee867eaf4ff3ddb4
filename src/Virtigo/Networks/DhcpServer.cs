using System.Buffers.Binary;
using System.Text;

namespace Virtigo.Networks;

/// <summary>What a DHCP server hands out besides the address itself.</summary>
/// <param name="Server">Its own address, also given as name server.</param>
/// <param name="Subnet">Where addresses come from; its 15th host and those behind it are leased.</param>
/// <param name="Mtu">The largest packet of the link, in bytes.</param>
/// <param name="Domain">The domain of the guests, or null.</param>
internal sealed record DhcpSettings(Ipv4Address Server, Ipv4Subnet Subnet, int Mtu, string? Domain)
{
    /// <summary>Whether the server is given as router too.</summary>
    public bool IsRouter { get; init; } = true;

    /// <summary>The addresses of the clients that get one, nobody else getting any; null to lease to all comers.</summary>
    public IReadOnlyDictionary<MacAddress, Ipv4Address>? Reservations { get; init; }
}

/// <summary>An answer of <see cref="DhcpServer"/>.</summary>
/// <param name="Message">The BOOTP message.</param>
/// <param name="Address">The address it is for; <see cref="Ipv4Address.Broadcast"/> when the client has none it could receive with.</param>
internal readonly record struct DhcpAnswer(byte[] Message, Ipv4Address Address);

/// <summary>A DHCPv4 server (RFC 2131). A client keeps its address as long as the server lives. Not thread safe.</summary>
internal sealed class DhcpServer(DhcpSettings settings)
{
    public const ushort ServerPort = 67;
    public const ushort ClientPort = 68;

    private const int FixedSize = 236;
    private const uint MagicCookie = 0x63825363;
    private const int FirstHost = 15;
    private const int MaximumLeases = 64;
    private const byte Request = 1;
    private const byte Reply = 2;
    private const byte EthernetType = 1;
    private const ushort BroadcastFlag = 0x8000;
    private static readonly TimeSpan LeaseTime = TimeSpan.FromDays(1);

    /// <summary>What it hands out.</summary>
    public DhcpSettings Settings => settings;

    private readonly Dictionary<MacAddress, Ipv4Address> _leases = [];
    private readonly Queue<MacAddress> _oldest = [];

    private enum MessageType : byte
    {
        None = 0,
        Discover = 1,
        Offer = 2,
        Request = 3,
        Acknowledge = 5,
        Refuse = 6,
        Inform = 8,
    }

    private enum Option : byte
    {
        Pad = 0,
        SubnetMask = 1,
        Router = 3,
        NameServer = 6,
        DomainName = 15,
        InterfaceMtu = 26,
        BroadcastAddress = 28,
        RequestedAddress = 50,
        LeaseTime = 51,
        MessageType = 53,
        ServerIdentifier = 54,
        RenewalTime = 58,
        RebindingTime = 59,
        End = 255,
    }

    /// <summary>Answers a message of a client's.</summary>
    /// <param name="message">The payload of a UDP datagram to port 67.</param>
    /// <returns>The answer, or null when the message is malformed or needs none.</returns>
    public DhcpAnswer? Answer(ReadOnlySpan<byte> message)
    {
        if (message.Length < FixedSize + sizeof(uint)
            || message[0] != Request || message[1] != EthernetType || message[2] != MacAddress.Size
            || BinaryPrimitives.ReadUInt32BigEndian(message[FixedSize..]) != MagicCookie)
        {
            return null;
        }

        ReadOnlySpan<byte> options = message[(FixedSize + sizeof(uint))..];
        if (Find(options, Option.MessageType) is not [var type]
            || (Find(options, Option.ServerIdentifier) is [_, _, _, _] server && Ipv4Address.Read(server) != settings.Server))
        {
            return null;
        }

        MacAddress client = MacAddress.Read(message[28..]);
        if (settings.Reservations?.ContainsKey(client) == false)
        {
            return null;
        }

        Ipv4Address current = Ipv4Address.Read(message[12..]);
        switch ((MessageType)type)
        {
            case MessageType.Discover:
                return Write(message, MessageType.Offer, Lease(client));
            case MessageType.Request:
                Ipv4Address wanted = Find(options, Option.RequestedAddress) is [_, _, _, _] requested ? Ipv4Address.Read(requested) : current;
                Ipv4Address leased = Lease(client);
                return Write(message, wanted == leased ? MessageType.Acknowledge : MessageType.Refuse, leased);
            case MessageType.Inform:
                return Write(message, MessageType.Acknowledge, Ipv4Address.Any);
            default:
                return null;
        }
    }

    private static ReadOnlySpan<byte> Find(ReadOnlySpan<byte> options, Option wanted)
    {
        while (!options.IsEmpty && (Option)options[0] != Option.End)
        {
            if ((Option)options[0] == Option.Pad)
            {
                options = options[1..];
                continue;
            }

            if (options.Length < 2 || options.Length < 2 + options[1])
            {
                break;
            }

            if ((Option)options[0] == wanted)
            {
                return options.Slice(2, options[1]);
            }

            options = options[(2 + options[1])..];
        }

        return default;
    }

    private Ipv4Address Lease(MacAddress client)
    {
        if (settings.Reservations?.TryGetValue(client, out Ipv4Address address) == true || _leases.TryGetValue(client, out address))
        {
            return address;
        }

        int capacity = Math.Clamp(settings.Subnet.Hosts - FirstHost, 1, MaximumLeases);
        if (_leases.Count < capacity)
        {
            address = settings.Subnet.Host(Math.Min(FirstHost, settings.Subnet.Hosts) + _leases.Count);
        }
        else
        {
            _leases.Remove(_oldest.Dequeue(), out address);
        }

        _leases.Add(client, address);
        _oldest.Enqueue(client);
        return address;
    }

    private DhcpAnswer Write(ReadOnlySpan<byte> request, MessageType type, Ipv4Address address)
    {
        bool refused = type == MessageType.Refuse;
        var message = new byte[FixedSize + sizeof(uint) + 60 + (settings.Domain?.Length ?? 0)];
        message[0] = Reply;
        message[1] = EthernetType;
        message[2] = MacAddress.Size;
        request.Slice(4, 4).CopyTo(message.AsSpan(4));
        request.Slice(10, 6).CopyTo(message.AsSpan(10));
        if (!refused)
        {
            address.Write(message.AsSpan(16));
        }

        settings.Server.Write(message.AsSpan(20));
        request.Slice(28, 16).CopyTo(message.AsSpan(28));
        BinaryPrimitives.WriteUInt32BigEndian(message.AsSpan(FixedSize), MagicCookie);
        var options = new OptionWriter(message.AsSpan(FixedSize + sizeof(uint)));
        options.Add(Option.MessageType, (byte)type);
        options.Add(Option.ServerIdentifier, settings.Server);
        if (!refused)
        {
            AddConfiguration(ref options, withLease: address != Ipv4Address.Any);
        }

        options.End();
        return new DhcpAnswer(message, Destination(request, refused, address));
    }

    private void AddConfiguration(ref OptionWriter options, bool withLease)
    {
        if (withLease)
        {
            options.Add(Option.LeaseTime, (uint)LeaseTime.TotalSeconds);
            options.Add(Option.RenewalTime, (uint)LeaseTime.TotalSeconds / 2);
            options.Add(Option.RebindingTime, (uint)LeaseTime.TotalSeconds / 8 * 7);
        }

        options.Add(Option.SubnetMask, settings.Subnet.Mask);
        options.Add(Option.BroadcastAddress, settings.Subnet.DirectedBroadcast);
        if (settings.IsRouter)
        {
            options.Add(Option.Router, settings.Server);
        }

        options.Add(Option.NameServer, settings.Server);
        options.Add(Option.InterfaceMtu, (ushort)settings.Mtu);
        if (settings.Domain is { Length: > 0 } domain)
        {
            options.Add(Option.DomainName, domain);
        }
    }

    private static Ipv4Address Destination(ReadOnlySpan<byte> request, bool refused, Ipv4Address leased)
    {
        Ipv4Address current = Ipv4Address.Read(request[12..]);
        bool wantsBroadcast = (BinaryPrimitives.ReadUInt16BigEndian(request[10..]) & BroadcastFlag) != 0;
        return refused ? Ipv4Address.Broadcast
            : current != Ipv4Address.Any ? current
            : wantsBroadcast || leased == Ipv4Address.Any ? Ipv4Address.Broadcast : leased;
    }

    private ref struct OptionWriter(Span<byte> rest)
    {
        private Span<byte> _rest = rest;

        public void Add(Option option, byte value) => Begin(option, 1)[0] = value;

        public void Add(Option option, ushort value) => BinaryPrimitives.WriteUInt16BigEndian(Begin(option, 2), value);

        public void Add(Option option, uint value) => BinaryPrimitives.WriteUInt32BigEndian(Begin(option, 4), value);

        public void Add(Option option, Ipv4Address value) => value.Write(Begin(option, 4));

        public void Add(Option option, string value) => Encoding.ASCII.GetBytes(value, Begin(option, value.Length));

        public readonly void End() => _rest[0] = (byte)Option.End;

        private Span<byte> Begin(Option option, int length)
        {
            _rest[0] = (byte)option;
            _rest[1] = (byte)length;
            Span<byte> value = _rest.Slice(2, length);
            _rest = _rest[(2 + length)..];
            return value;
        }
    }
}

using System.Buffers.Binary;
using System.Collections.Frozen;

namespace Virtigo.Networks;

/// <summary>
/// What answers on a network besides its machines: ARP, DHCP and DNS at the first host of the subnet, and the way out if there is one.
/// Its members are called with the switch's lock held.
/// </summary>
internal sealed class SwitchServices : IAsyncDisposable
{
    /// <summary>Names of machines can move with the next environment; nobody shall remember them for long.</summary>
    private const uint TimeToLive = 5;

    private const int PlainOutput = 80 * 1024;
    private const int EgressOutput = 512 * 1024;

    private readonly GatewayLink _link;
    private readonly GatewayStack _stack;
    private readonly RefusalLog _refusals;
    private readonly GuestConnections? _connections;
    private readonly TimeProvider _clock;
    private readonly TimeSpan _tick;
    private long _lastTick;

    /// <summary>Creates the services of a network.</summary>
    /// <param name="network">The network.</param>
    /// <param name="options">The switch's options.</param>
    /// <param name="gate">The switch's lock.</param>
    /// <param name="wake">Called when frames wait and the switch may not know; must not block.</param>
    public SwitchServices(SwitchNetwork network, SwitchOptions options, Lock gate, Action wake)
    {
        SwitchEgress? egress = network.Egress;
        (_clock, _tick) = (options.Clock, options.Tcp.Tick);
        _refusals = new RefusalLog(options.OnRefusal);
        _link = new GatewayLink(network.ServicesAddress, network.Mtu, options.Clock, Counters, wake, egress is null ? PlainOutput : EgressOutput);
        if (egress is not null)
        {
            _connections = new GuestConnections(egress.OnConnection, error =>
            {
                Counters.CountFailure();
                options.OnFailure?.Invoke(error);
            });
        }

        var dhcp = new DhcpServer(new DhcpSettings(network.ServicesAddress, network.Subnet, network.Mtu, network.Domain)
        {
            IsRouter = egress is { IsRouter: true },
            Reservations = network.Ports.ToFrozenDictionary(port => port.Mac, port => port.Address),
        });
        var tcp = new TcpEndpoint(gate, _link, options.Tcp, Served(network), egress?.MaxConnections ?? 0,
            connection => _connections?.Serve(connection));
        _stack = new GatewayStack(_link, dhcp, new DnsResponder(Hosts(network), _refusals, TimeToLive), tcp, _refusals, hasNeighbours: true);
    }

    /// <summary>Their Ethernet address.</summary>
    public MacAddress Mac => _link.Mac;

    /// <summary>What was seen and done.</summary>
    public GatewayCounters Counters { get; } = new();

    /// <summary>What guests wanted and did not get.</summary>
    public IReadOnlyList<GatewayRefusal> Refusals => _refusals.ToList();

    /// <summary>Whether there are connections, which need <see cref="Tick"/>.</summary>
    public bool HasConnections => _stack.Tcp.Count > 0;

    /// <summary>Handles a frame of a guest's. Any bytes at all are fine.</summary>
    public void Receive(ReadOnlySpan<byte> frame)
    {
        _stack.Receive(frame);
        _stack.Tcp.SendPending();
    }

    /// <summary>Looks at the timers of connections, if it is time to.</summary>
    public void Tick()
    {
        if (HasConnections && _clock.GetElapsedTime(_lastTick) >= _tick)
        {
            _lastTick = _clock.GetTimestamp();
            _stack.Tcp.Tick();
            _stack.Tcp.SendPending();
        }
    }

    /// <summary>Hands over every frame that waits.</summary>
    public void Send(SwitchedNetwork network)
    {
        while (!_link.Output.IsEmpty)
        {
            ReadOnlySpan<byte> frames = _link.Output.Take().Span;
            while (!frames.IsEmpty)
            {
                int length = BinaryPrimitives.ReadInt32BigEndian(frames);
                network.SendFromServices(frames.Slice(FrameOutput.PrefixSize, length));
                frames = frames[(FrameOutput.PrefixSize + length)..];
            }

            _link.Output.Left();
            _stack.Tcp.SendPending();
        }
    }

    /// <summary>Ends the connections of guests that are gone; their handlers see it.</summary>
    /// <param name="isGone">Whether an Ethernet address is such a guest's.</param>
    public void EndConnections(Predicate<MacAddress> isGone) => _stack.Tcp.LinkLost(isGone);

    /// <summary>Tells the handlers of connections to end and waits for them. Called without the lock.</summary>
    public ValueTask DisposeAsync() => _connections?.DisposeAsync() ?? default;

    private static IEnumerable<KeyValuePair<string, HostAddresses>> Hosts(SwitchNetwork network)
    {
        foreach (SwitchPort port in network.Ports)
        {
            var addresses = new HostAddresses(port.Address, port.Ipv6);
            yield return KeyValuePair.Create(port.Machine, addresses);
            if (network.Domain is { Length: > 0 } domain)
            {
                yield return KeyValuePair.Create($"{port.Machine}.{domain}", addresses);
            }
        }

        foreach (OutwardPlace place in network.Egress?.Places ?? [])
        {
            yield return KeyValuePair.Create(place.Pattern, new HostAddresses(place.Address));
        }

        foreach (string name in network.Egress?.Names ?? [])
        {
            yield return KeyValuePair.Create(name, new HostAddresses(network.ServicesAddress));
        }
    }

    private static FrozenDictionary<Ipv4Address, IReadOnlySet<int>> Served(SwitchNetwork network) => network.Egress is not { } egress
        ? FrozenDictionary<Ipv4Address, IReadOnlySet<int>>.Empty
        : egress.Places.Select(place => KeyValuePair.Create(place.Address, place.Ports))
            .Append(KeyValuePair.Create(network.ServicesAddress, egress.Names.Count > 0 ? egress.Ports : FrozenSet<int>.Empty)).ToFrozenDictionary();
}

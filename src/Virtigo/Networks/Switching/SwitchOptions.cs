using System.Collections.Frozen;
using System.Net;

namespace Virtigo.Networks;

/// <summary>The networks of one environment and how they are switched.</summary>
internal sealed record SwitchOptions
{
    /// <summary>The networks; each is a broadcast domain of its own. At most 64 with at most 250 ports each.</summary>
    public required IReadOnlyList<SwitchNetwork> Networks { get; init; }

    /// <summary>Where all chances of faults come from.</summary>
    public ulong Seed { get; init; } = 1;

    /// <summary>Drives delays, rates and timers.</summary>
    public TimeProvider Clock { get; init; } = TimeProvider.System;

    /// <summary>What an earlier switch of the same networks had in flight, or null for a start from nothing.</summary>
    public SwitchState? Restore { get; init; }

    /// <summary>Whether the links of <see cref="Restore"/> draw anew, from <see cref="Seed"/>, and do not go on where they were.</summary>
    public bool DrawAnew { get; init; }

    /// <summary>Whether delivery and time stand still until <see cref="NetworkSwitch.Thaw"/>; meant for guests that are restored paused.</summary>
    public bool StartFrozen { get; init; }

    /// <summary>Whether frames with another source than the port's own Ethernet address are dropped and counted.</summary>
    public bool CheckSources { get; init; }

    /// <summary>The most bytes that wait for one guest to take them, beside the socket's own buffer; frames beyond are dropped and counted.</summary>
    public int QueueBytes { get; init; } = 4 << 20;

    /// <summary>The most bytes of memory for frames that a fault holds back, all networks together; frames beyond are dropped and counted.</summary>
    public int HeldBytes { get; init; } = 64 << 20;

    /// <summary>How long <see cref="NetworkSwitch.FreezeAsync"/> waits for guests to take what was written to them.</summary>
    public TimeSpan FreezeLimit { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>Called once for each thing refused that was not refused before on that network; must not block.</summary>
    public Action<GatewayRefusal>? OnRefusal { get; init; }

    /// <summary>Called with what an egress handler threw (that connection is reset), or what broke a port or capture.</summary>
    public Action<Exception>? OnFailure { get; init; }

    /// <summary>Sizes and times of the services' TCP.</summary>
    public TcpTuning Tcp { get; init; } = new();
}

/// <summary>One isolated broadcast domain. Its services (ARP, DHCP, DNS) have the first host of the subnet.</summary>
/// <param name="Name">Its name, unique in the environment.</param>
/// <param name="Subnet">Its IPv4 addresses.</param>
/// <param name="Ipv6Prefix">Its IPv6 addresses, "fd00:1:2:3::/64", or null. For information: the machines' own addresses stand in the ports.</param>
/// <param name="Mtu">The largest packet, 576 to 65520 bytes; longer frames are dropped and counted.</param>
/// <param name="Ports">One for each machine on it.</param>
internal sealed record SwitchNetwork(string Name, Ipv4Subnet Subnet, string? Ipv6Prefix, int Mtu, IReadOnlyList<SwitchPort> Ports)
{
    /// <summary>The domain that guests are told, so that "NAME" and "NAME.DOMAIN" resolve; null for bare names only.</summary>
    public string? Domain { get; init; }

    /// <summary>The way out through the program, or null for none at all.</summary>
    public SwitchEgress? Egress { get; init; }

    /// <summary>The address of the services.</summary>
    public Ipv4Address ServicesAddress => Subnet.Host(1);
}

/// <summary>A machine's place on a network.</summary>
/// <param name="Machine">The machine's name; it resolves on this network.</param>
/// <param name="Mac">Its Ethernet address here.</param>
/// <param name="Address">The IPv4 address it is given by DHCP.</param>
/// <param name="Ipv6">The address its name has in IPv6, or null.</param>
/// <param name="SocketPath">The unix socket to listen on, at most 107 bytes long; its folder is made, and must be, for its owner alone.</param>
internal sealed record SwitchPort(string Machine, MacAddress Mac, Ipv4Address Address, IPAddress? Ipv6, string SocketPath);

/// <summary>What leads out of a network: names that resolve to the services' address, and places of their own. A delegate serves TCP connections there.</summary>
/// <param name="Names">The names of the services' address, in any case; none: nothing is served there.</param>
/// <param name="OnConnection">Serves one connection; its end closes the connection, its failure resets it.</param>
internal sealed record SwitchEgress(IReadOnlyCollection<string> Names, Func<GuestConnection, CancellationToken, Task> OnConnection)
{
    /// <summary>The TCP ports of the services' address that are served.</summary>
    public IReadOnlySet<int> Ports { get; init; } = FrozenSet.Create(80);

    /// <summary>Addresses outside of every network that are served too; guests reach them through the services as their router.</summary>
    public IReadOnlyList<OutwardPlace> Places { get; init; } = [];

    /// <summary>Whether guests are told that the services are their router, so that packets to elsewhere are refused at once and recorded.</summary>
    public bool IsRouter { get; init; } = true;

    /// <summary>The most connections open at a time.</summary>
    public int MaxConnections { get; init; } = 64;
}

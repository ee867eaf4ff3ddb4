using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Virtigo.Installers.Debian;
using Virtigo.Networks;

namespace Virtigo.Appliances;

/// <summary>What an appliance fixes about one of its network cards.</summary>
/// <param name="Mac">Its Ethernet address, or null.</param>
/// <param name="Dhcp">Whether it asks for an address.</param>
/// <param name="Addresses">Its IPv4 addresses, each with the number of leading bits that its network has in common.</param>
internal sealed record FixedCard(string? Mac, bool Dhcp, IReadOnlyList<(Ipv4Address Address, int Prefix)> Addresses);

/// <summary>Reads what a spec says about the installed system's network.</summary>
internal static class NetworkPlanner
{
    /// <summary>The places that are written when the spec says something about the network; nothing else of the spec may write them.</summary>
    public static IReadOnlyList<string> Places { get; } = ["/etc/network/interfaces", "/etc/resolv.conf", "/etc/apt/apt.conf.d/80proxy"];

    /// <summary>The network that a spec asks for.</summary>
    /// <param name="spec">What was written; null for nothing.</param>
    /// <exception cref="VirtigoException">Two things contradict each other (<see cref="FailureKind.Usage"/>).</exception>
    public static TargetNetwork Read(SettingValues? spec)
    {
        if (spec is null)
        {
            return TargetNetwork.None;
        }

        var cards = new List<TargetInterface>();
        foreach (SettingValues written in spec.Items("network.interfaces"))
        {
            cards.Add(Card(written, cards));
        }

        bool everywhere = spec.Get<bool>("network.dhcp")?.Value ?? false;
        if (everywhere && cards.Count > 0)
        {
            throw Wrong(spec.At("network.dhcp"), "network: dhcp has every card ask, yet interfaces say what each does", "Keep one of them.");
        }

        return new TargetNetwork
        {
            DhcpEverywhere = everywhere,
            Interfaces = cards,
            Dns = [.. spec.Texts("network.dns").Select(text => ValueChecks.ReadAddress(text)!).Distinct()],
            Search = [.. spec.Texts("network.search").Distinct()],
            Proxy = spec.Text("network.proxy") is { } proxy ? new Uri(proxy) : null,
        };
    }

    /// <summary>What an appliance fixes about its cards, in order. Of appliances that build on each other the undermost says it, for all of them.</summary>
    /// <inheritdoc cref="Read"/>
    public static IReadOnlyList<FixedCard> Cards(ApplianceSpec spec) => spec.From is { } below ? Cards(below.Value) :
    [
        .. Read(spec.Values).Interfaces.Select(card => new FixedCard(card.Mac, card.Dhcp,
            [.. card.Addresses.Where(one => one.IsV4).Select(one => (Ipv4Address.Read(one.Address.GetAddressBytes()), one.PrefixLength))])),
    ];

    /// <summary>A card in words.</summary>
    public static string Describe(TargetInterface card) => string.Join(", ", (IEnumerable<string>)
    [
        .. card.Mac is { } mac ? [mac] : Array.Empty<string>(),
        .. card.Dhcp ? ["DHCP"] : Array.Empty<string>(),
        .. card.Addresses.Select(address => address.ToString()),
        .. card.Gateways.Select(gateway => $"gateway {gateway}"),
        .. card.Mtu is { } mtu ? [string.Create(CultureInfo.InvariantCulture, $"MTU {mtu}")] : Array.Empty<string>(),
        .. !card.Dhcp && card.Addresses.Count == 0 ? ["no address"] : Array.Empty<string>(),
    ]);

    private static TargetInterface Card(SettingValues written, List<TargetInterface> before)
    {
        string? mac = written.Text("network.interfaces[].mac");
        TargetAddress[] addresses = [.. written.Texts("network.interfaces[].addresses").Select(text => ValueChecks.ReadTargetAddress(text)!)];
        IPAddress[] gateways = [.. written.Texts("network.interfaces[].gateway").Select(text => ValueChecks.ReadAddress(text)!)];
        bool dhcp = written.Get<bool>("network.interfaces[].dhcp")?.Value ?? addresses.Length == 0;
        if (mac is not null && before.Any(card => card.Mac == mac))
        {
            throw Wrong(written.At("network.interfaces[].mac"), $"network: the card {mac} is there twice", "Keep one.");
        }

        if (addresses.FirstOrDefault(one => before.SelectMany(card => card.Addresses).Concat(addresses).Count(other => other.Address.Equals(one.Address)) > 1) is { } twice)
        {
            throw Wrong(written.At("network.interfaces[].addresses"), $"network: the address {twice.Address} is there twice", "Keep one.");
        }

        foreach (IPAddress gateway in gateways)
        {
            string family = gateway.AddressFamily == AddressFamily.InterNetwork ? "IPv4" : "IPv6";
            string? problem = gateways.Count(other => other.AddressFamily == gateway.AddressFamily) > 1
                    || before.SelectMany(card => card.Gateways).Any(other => other.AddressFamily == gateway.AddressFamily)
                    ? $"there is another gateway for {family} already: a machine has one way out"
                : dhcp && gateway.AddressFamily == AddressFamily.InterNetwork ? $"the gateway {gateway} is given, yet DHCP names it"
                : addresses.All(address => address.Address.AddressFamily != gateway.AddressFamily) ? $"the gateway {gateway} is of {family}, and the card has no such address"
                : addresses.Any(address => address.Address.Equals(gateway)) ? $"the gateway {gateway} is the card's own address"
                : !gateway.IsIPv6LinkLocal && !addresses.Any(address => address.Reaches(gateway)) ? $"the gateway {gateway} is in no network of the card ({string.Join(", ", addresses.Select(one => one.ToString()))})"
                : null;
            if (problem is not null)
            {
                throw Wrong(written.At("network.interfaces[].gateway"), "network: " + problem, "Give the address of the router in the card's own network, or leave it out.");
            }
        }

        return new TargetInterface(mac, dhcp, addresses, gateways, written.Get<int>("network.interfaces[].mtu")?.Value);
    }

    private static VirtigoException Wrong(string place, string problem, string hint) => new(FailureKind.Usage, $"{place}: {problem}.", hint);
}

namespace Virtigo.Appliances;

/// <summary>The keys of the installed system's network.</summary>
internal static partial class SpecKeys
{
    /// <summary>The most network cards of a machine.</summary>
    public const int MaxNics = 8;

    private static SpecKey[] Network() =>
    [
        new("network", new GroupType(
            [
                new("network.dhcp", new FlagType(), "Whether every network card asks DHCP for its address, whatever the hypervisor makes its name.",
                    "the card that the installer saw does", "`true` or `false`", "dhcp: true"),
                new("network.interfaces", new ItemsType(
                    [
                        new("network.interfaces[].mac", new TextType("an Ethernet address", ValueChecks.Mac, "^[0-9a-f]{2}(:[0-9a-f]{2}){5}$"),
                            "The card's Ethernet address.", "the card at this place of the list, in the order in which the kernel finds them",
                            "six pairs of hexadecimal digits", "mac: 52:54:00:12:34:56"),
                        new("network.interfaces[].dhcp", new FlagType(), "Whether it asks for an IPv4 address.", "true, unless it has addresses", "`true` or `false`",
                            "dhcp: true"),
                        new("network.interfaces[].addresses", new ListType(new TextType("addresses", ValueChecks.AddressWithPrefix), 16), "Its own IPv4 and IPv6 addresses.",
                            "none", "addresses with the size of their network, at most 16", "addresses: [192.0.2.10/24, \"2001:db8::10/64\"]"),
                        new("network.interfaces[].gateway", new ListType(new TextType("addresses", ValueChecks.Address), 2),
                            "The way out of its network: one for IPv4, one for IPv6, in the whole machine.", "none", "addresses of its networks", "gateway: 192.0.2.1"),
                        new("network.interfaces[].mtu", new CountType(1280, 65520), "The largest packet, in bytes.", "the card's own", "1280 to 65520", "mtu: 9000"),
                    ], MaxNics, []),
                    "The network cards, as the installed system sets them up: by their order, or by their Ethernet address.", "one, as the installer left it",
                    "at most 8", "interfaces: [{addresses: 192.0.2.10/24, gateway: 192.0.2.1}]"),
                new("network.dns", new ListType(new TextType("addresses", ValueChecks.Address), 3), "The name servers.", "those that DHCP names", "addresses, at most 3",
                    "dns: [192.0.2.53]"),
                new("network.search", new ListType(new TextType("domains", ValueChecks.Domain), 6), "The domains in which short names are looked up.", "those that DHCP names",
                    "domains, at most 6", "search: [corp.example]"),
                new("network.domain", new TextType("a domain", ValueChecks.Domain), "The domain of the host name.", DefaultDomain, "labels of letters, digits and hyphens",
                    "domain: corp.example"),
                new("network.proxy", new TextType("a URL", ValueChecks.Proxy, "^http://"),
                    "The proxy through which the installed system's apt and programs reach the web. The install itself does not use it.", "none",
                    "an `http` URL without a password", "proxy: http://proxy.corp.example:3128"),
            ], "dhcp", "dhcp"),
            "The network of the installed system. `network: dhcp` has every card ask DHCP.", "DHCP on the card that the installer saw", "",
            "network: {interfaces: [{addresses: 192.0.2.10/24, gateway: 192.0.2.1}], dns: 192.0.2.53}"),
    ];
}

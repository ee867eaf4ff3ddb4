using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Virtigo.Installers.Debian;

/// <summary>An address of a network card with its network's size: <c>192.0.2.10/24</c>.</summary>
/// <param name="Address">The address.</param>
/// <param name="PrefixLength">How many leading bits the network has in common.</param>
internal sealed record TargetAddress(IPAddress Address, int PrefixLength)
{
    /// <summary>Whether it is of IPv4; else it is of IPv6.</summary>
    public bool IsV4 => Address.AddressFamily == AddressFamily.InterNetwork;

    /// <summary>Whether another address is of the same network.</summary>
    public bool Reaches(IPAddress other) => other.AddressFamily == Address.AddressFamily && new IPNetwork(Masked(), PrefixLength).Contains(other);

    /// <inheritdoc/>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Address}/{PrefixLength}");

    private IPAddress Masked()
    {
        byte[] bytes = Address.GetAddressBytes();
        for (int bit = PrefixLength; bit < bytes.Length * 8; bit++)
        {
            bytes[bit / 8] &= (byte)~(0x80 >> (bit % 8));
        }

        return new IPAddress(bytes);
    }
}

/// <summary>A network card of the installed system.</summary>
/// <param name="Mac">Its Ethernet address, in lower case; null for the card at this place of the list, in the order in which the kernel finds them.</param>
/// <param name="Dhcp">Whether it asks for an IPv4 address.</param>
/// <param name="Addresses">Its own addresses.</param>
/// <param name="Gateways">The ways out: at most one of each family.</param>
/// <param name="Mtu">The largest packet in bytes; null for the card's own.</param>
internal sealed record TargetInterface(
    string? Mac, bool Dhcp, IReadOnlyList<TargetAddress> Addresses, IReadOnlyList<IPAddress> Gateways, int? Mtu);

/// <summary>The network of the installed system. The install itself has Virtigo's own, whatever this says.</summary>
internal sealed record TargetNetwork
{
    /// <summary>Nothing is said: what the installer leaves stays.</summary>
    public static TargetNetwork None { get; } = new();

    /// <summary>Whether every card asks for its addresses, whatever its name.</summary>
    public bool DhcpEverywhere { get; init; }

    /// <summary>The cards, in order; empty for those that the installer found.</summary>
    public IReadOnlyList<TargetInterface> Interfaces { get; init; } = [];

    /// <summary>The name servers; empty for those that DHCP names.</summary>
    public IReadOnlyList<IPAddress> Dns { get; init; } = [];

    /// <summary>The domains in which short names are looked up; empty for the machine's own.</summary>
    public IReadOnlyList<string> Search { get; init; } = [];

    /// <summary>The proxy for the web, or null.</summary>
    public Uri? Proxy { get; init; }

    /// <summary>Whether there is nothing to do.</summary>
    public bool IsNothing => !DhcpEverywhere && Interfaces.Count + Dns.Count + Search.Count == 0 && Proxy is null;

    /// <summary>Whether the cards are configured here, and not as the installer left them.</summary>
    public bool HasCards => DhcpEverywhere || Interfaces.Count > 0;

    /// <summary>Whether the list of name servers is written here, and by nobody else.</summary>
    public bool HasResolver => Dns.Count + Search.Count > 0 || (Interfaces.Count > 0 && Interfaces.All(card => !card.Dhcp));

    /// <summary>Everything that can show, in a fixed order: equal networks give equal lists.</summary>
    public IReadOnlyList<string> Canonical() => IsNothing ? [] :
    [
        InterfacesFile(), ResolverFile(""), Proxy?.AbsoluteUri ?? "",
    ];

    /// <summary>The content of <c>/etc/network/interfaces</c>; see interfaces(5).</summary>
    public string InterfacesFile()
    {
        var text = new StringBuilder("""
            # Written by Virtigo. See interfaces(5).
            source /etc/network/interfaces.d/*

            auto lo
            iface lo inet loopback

            """);
        if (DhcpEverywhere)
        {
            text.Append("\nauto /e[nt]*=dhcp\niface dhcp inet dhcp\n");
        }

        foreach ((int index, TargetInterface card) in Interfaces.Index())
        {
            string name = string.Create(CultureInfo.InvariantCulture, $"nic{index + 1}");
            text.Append(CultureInfo.InvariantCulture, $"\nauto {(card.Mac is { } mac ? $"mac/{mac}" : string.Create(CultureInfo.InvariantCulture, $"/e[nt]*/{index + 1}"))}={name}\n");
            Card(text, name, card);
        }

        return text.ToString();
    }

    /// <summary>The content of <c>/etc/resolv.conf</c>.</summary>
    /// <param name="domain">The machine's own domain.</param>
    public string ResolverFile(string domain)
    {
        string search = Search.Count > 0 ? string.Join(' ', Search) : domain;
        return (search.Length > 0 ? $"search {search}\n" : "") + string.Concat(Dns.Select(server => $"nameserver {server}\n"));
    }

    private static void Card(StringBuilder text, string name, TargetInterface card)
    {
        string mtu = card.Mtu is { } bytes ? string.Create(CultureInfo.InvariantCulture, $"    pre-up ip link set dev \"$IFACE\" mtu {bytes}\n") : "";
        if (card.Dhcp)
        {
            text.Append(CultureInfo.InvariantCulture, $"iface {name} inet dhcp\n").Append(mtu);
            mtu = "";
        }
        else if (card.Addresses.Count == 0)
        {
            text.Append(CultureInfo.InvariantCulture, $"iface {name} inet manual\n").Append(mtu).Append("    up ip link set dev \"$IFACE\" up\n");
        }

        var gateways = card.Gateways.ToList();
        foreach (TargetAddress address in card.Addresses.OrderBy(one => one.IsV4 ? 0 : 1))
        {
            text.Append(CultureInfo.InvariantCulture, $"iface {name} {(address.IsV4 ? "inet" : "inet6")} static\n").Append(mtu)
                .Append(CultureInfo.InvariantCulture, $"    address {address}\n");
            mtu = "";
            if (gateways.Find(one => one.AddressFamily == address.Address.AddressFamily) is { } gateway)
            {
                text.Append(CultureInfo.InvariantCulture, $"    gateway {gateway}\n");
                gateways.Remove(gateway);
            }
        }
    }
}

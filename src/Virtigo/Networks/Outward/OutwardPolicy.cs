using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;

namespace Virtigo.Networks;

/// <summary>Which addresses the host may connect to for a guest: none that is the host itself, or that only means something on its own links.</summary>
internal static class OutwardPolicy
{
    // Where the clouds' services for their guests are that lie outside of the link-local addresses.
    private static readonly IPAddress[] s_clouds =
        [.. ((string[])["100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254", "fd20:ce::254"]).Select(IPAddress.Parse)];

    private static readonly (IPNetwork Network, string What)[] s_forbidden =
    [
        (IPNetwork.Parse("0.0.0.0/8"), "an unspecified address, which means this host"),
        (IPNetwork.Parse("127.0.0.0/8"), "a loopback address, which is this host"),
        (IPNetwork.Parse("169.254.0.0/16"), "a link-local address, where clouds keep their metadata"),
        (IPNetwork.Parse("224.0.0.0/4"), "a multicast address"),
        (IPNetwork.Parse("240.0.0.0/4"), "a reserved or broadcast address"),
        (IPNetwork.Parse("::1/128"), "a loopback address, which is this host"),
        (IPNetwork.Parse("::/96"), "an unspecified address, which means this host"),
        (IPNetwork.Parse("fe80::/10"), "a link-local address"),
        (IPNetwork.Parse("fec0::/10"), "a site-local address, which is out of use"),
        (IPNetwork.Parse("ff00::/8"), "a multicast address"),
        (IPNetwork.Parse("64:ff9b:1::/48"), "an address of a local translator, which may lead anywhere"),
        (IPNetwork.Parse("2001::/32"), "an address of a Teredo tunnel, which may lead anywhere"),
    ];

    // IPv4 addresses within IPv6 ones, and where they begin.
    private static readonly (IPNetwork Network, int At)[] s_embedding = [(IPNetwork.Parse("64:ff9b::/96"), 12), (IPNetwork.Parse("2002::/16"), 2)];

    /// <summary>Why no guest may be connected to an address, as the rest of a sentence that ends in what it is; null: it may.</summary>
    /// <param name="address">The address.</param>
    /// <param name="isOwn">Whether an address is one of this host's.</param>
    public static string? WhyNot(IPAddress address, Func<IPAddress, bool> isOwn)
    {
        IPAddress plain = address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address;
        foreach ((IPNetwork network, int at) in s_embedding)
        {
            if (plain.AddressFamily == AddressFamily.InterNetworkV6 && network.Contains(plain)
                && WhyNot(new IPAddress(plain.GetAddressBytes().AsSpan(at, 4)), isOwn) is { } within)
            {
                return within;
            }
        }

        return WhyNever(plain) ?? (isOwn(plain) ? "an address of this host" : null);
    }

    /// <summary>Why no guest may be connected to an address from any host; null: it depends on the host.</summary>
    public static string? WhyNever(IPAddress address) =>
        s_clouds.Contains(address) ? "an address of a cloud's metadata"
        : Array.Find(s_forbidden, one => one.Network.BaseAddress.AddressFamily == address.AddressFamily && one.Network.Contains(address)).What;

    /// <summary>Whether an address is this host's: one of its cards', or any other that the kernel would deliver to the host itself.</summary>
    public static bool IsOwn(IPAddress address) =>
        NetworkInterface.GetAllNetworkInterfaces().Any(card => card.GetIPProperties().UnicastAddresses.Any(own => own.Address.Equals(address))) || IsDeliveredHere(address);

    private static bool IsDeliveredHere(IPAddress address)
    {
        // Connecting a datagram socket sends nothing; the kernel only chooses the way, and for what is its own that starts where it ends, or at a loopback address.
        try
        {
            using var probe = new Socket(address.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
            probe.Connect(address, 9);
            return probe.LocalEndPoint is IPEndPoint local && (local.Address.Equals(address) || IPAddress.IsLoopback(local.Address));
        }
        catch (SocketException)
        {
            return false;
        }
    }
}

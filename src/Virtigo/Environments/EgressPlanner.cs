using Virtigo.Networks;

namespace Virtigo.Environments;

/// <summary>Gives every host that machines may reach the address at which they find it: the same ones for the same file, always.</summary>
internal static class EgressPlanner
{
    // 198.18.0.0/15 is kept for tests of networks: no host of the world has such an address, and no guest expects anything there.
    private static readonly Ipv4Subnet s_range = new(Ipv4Address.Of(198, 18, 0, 0), 15);

    /// <summary>The places of an environment. Hosts that fit several entries have the ports of all of them.</summary>
    /// <param name="spec">The environment.</param>
    /// <param name="networks">Its networks.</param>
    /// <exception cref="VirtigoException">An address lies in a network of the environment, or there are too few (<see cref="FailureKind.Usage"/>).</exception>
    public static IReadOnlyList<OutwardPlace> Places(EnvironmentSpec spec, IReadOnlyList<NetworkPlan> networks)
    {
        var places = new List<OutwardPlace>();
        HashSet<Ipv4Address> written = [.. spec.Egress.Hosts.Select(host => NetworkText.Address(host.Pattern)).OfType<Ipv4Address>()];
        uint next = 0;
        foreach (string pattern in spec.Egress.Hosts.Select(host => host.Pattern).Distinct())
        {
            HashSet<int> ports = [.. spec.Egress.Hosts.Where(host => Covers(host.Pattern, pattern)).SelectMany(host => host.Ports)];
            places.Add(new OutwardPlace(NetworkText.Address(pattern) ?? Free(), pattern, ports));
        }

        if (places.FirstOrDefault(place => networks.Any(network => network.Subnet.Contains(place.Address))) is { } inside)
        {
            throw new VirtigoException(FailureKind.Usage,
                $"{spec.File}: egress: {inside.Pattern} lies in the network {networks.First(network => network.Subnet.Contains(inside.Address)).Name} of the environment.",
                "Give that network other addresses, or leave the host out: machines reach each other without egress.");
        }

        return places;

        Ipv4Address Free()
        {
            Ipv4Address address;
            do
            {
                address = new Ipv4Address(s_range.Network.Value + ++next);
                if (!s_range.Contains(address))
                {
                    throw new VirtigoException(FailureKind.Usage, $"{spec.File}: egress: the networks leave no address of {s_range} free, where machines find hosts.",
                        "Give the network that covers it other addresses.");
                }
            }
            while (written.Contains(address) || networks.Any(network => network.Subnet.Contains(address)));
            return address;
        }
    }

    private static bool Covers(string general, string special) => general == special
        || (general.StartsWith(DnsResponder.AnyBelow, StringComparison.Ordinal) && NetworkText.Address(special) is null
            && HostName.Fits(general, special.StartsWith(DnsResponder.AnyBelow, StringComparison.Ordinal) ? special[DnsResponder.AnyBelow.Length..] : special));
}

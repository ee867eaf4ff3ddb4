using System.Globalization;
using System.Net;
using Virtigo.Networks;

namespace Virtigo.Environments;

/// <summary>Gives every network its addresses and every network card its own: the same ones for the same file, always.</summary>
internal static class AddressPlanner
{
    /// <summary>The first number of an automatic address; those below are for people to write down.</summary>
    private const int FirstHost = 11;

    /// <summary>The networks of an environment. Those without addresses of their own get 10.90.N.0/24; all get fd90:0:0:N::/64.</summary>
    /// <exception cref="VirtigoException">Two networks overlap (<see cref="FailureKind.Usage"/>).</exception>
    public static IReadOnlyList<NetworkPlan> Networks(EnvironmentSpec spec)
    {
        var plans = new List<NetworkPlan>();
        foreach ((int index, NetworkSpec network) in spec.Networks.Index())
        {
            Ipv4Subnet subnet = network.Subnet ?? new Ipv4Subnet(Ipv4Address.Of(10, 90, (byte)index, 0), 24);
            if (plans.Find(other => other.Subnet.Contains(subnet.Network) || subnet.Contains(other.Subnet.Network)) is { } overlapping)
            {
                throw new VirtigoException(FailureKind.Usage,
                    $"{spec.File}: the networks {overlapping.Name} ({overlapping.Subnet}) and {network.Name} ({subnet}) overlap.",
                    "Give each its own addresses, or leave subnet out.");
            }

            plans.Add(new NetworkPlan(network.Name, subnet, FormattableString.Invariant($"fd90:0:0:{index:x}::/64"), network.Mtu));
        }

        return plans;
    }

    /// <summary>The network cards of all machines, by machine.</summary>
    /// <exception cref="VirtigoException">An address is taken twice, or not of its network (<see cref="FailureKind.Usage"/>).</exception>
    public static Dictionary<string, IReadOnlyList<NicPlan>> Nics(EnvironmentSpec spec, IReadOnlyList<NetworkPlan> networks)
    {
        var cards = spec.Machines.ToDictionary(machine => machine.Name, _ => new List<NicPlan>());
        foreach ((int index, NetworkPlan network) in networks.Index())
        {
            MachineSpec[] members = [.. spec.Machines.Where(machine => machine.Networks.Any(place => place.Network == network.Name))];
            HashSet<Ipv4Address> taken = [network.Subnet.Host(1), .. Written(spec, members, network)];
            int next = FirstHost;
            foreach (MachineSpec machine in members)
            {
                Ipv4Address address = machine.Networks.First(place => place.Network == network.Name).Address ?? Free(spec, network, taken, ref next);
                int number = (int)(address.Value - network.Subnet.Network.Value);
                cards[machine.Name].Add(new NicPlan(network.Name, Mac(index, number), address,
                    IPAddress.Parse(network.Ipv6Prefix.Replace("::/64", "::" + number.ToString("x", CultureInfo.InvariantCulture), StringComparison.Ordinal))));
            }
        }

        return spec.Machines.ToDictionary(machine => machine.Name,
            machine => (IReadOnlyList<NicPlan>)[.. machine.Networks.Select(place => cards[machine.Name].First(card => card.Network == place.Network))]);
    }

    private static List<Ipv4Address> Written(EnvironmentSpec spec, MachineSpec[] members, NetworkPlan network)
    {
        var written = new List<Ipv4Address>();
        foreach (MachineSpec machine in members)
        {
            if (machine.Networks.First(place => place.Network == network.Name).Address is not { } address)
            {
                continue;
            }

            string? problem = !network.Subnet.Contains(address) || address == network.Subnet.Network || address == network.Subnet.DirectedBroadcast
                ? $"is no address of the network {network.Name}, which has {network.Subnet}"
                : address == network.Subnet.Host(1) ? $"is that of the network {network.Name} itself"
                : written.Contains(address) ? "is given twice"
                : null;
            if (problem is not null)
            {
                throw new VirtigoException(FailureKind.Usage, $"{spec.File}: machine {machine.Name}: the address {address} {problem}.",
                    "Give another, or leave it out.");
            }

            written.Add(address);
        }

        return written;
    }

    private static Ipv4Address Free(EnvironmentSpec spec, NetworkPlan network, HashSet<Ipv4Address> taken, ref int next)
    {
        // A network too small to leave room for people's own numbers is filled from its second host on.
        int first = network.Subnet.Hosts > FirstHost + spec.Machines.Count ? next : 2;
        for (int number = first; number <= network.Subnet.Hosts; number++)
        {
            if (taken.Add(network.Subnet.Host(number)))
            {
                next = number + 1;
                return network.Subnet.Host(number);
            }
        }

        throw new VirtigoException(FailureKind.Usage, $"{spec.File}: the network {network.Name} ({network.Subnet}) has too few addresses for its machines.",
            "Give it a larger subnet.");
    }

    // Locally administered, QEMU's own prefix; the network and the machine's number on it make it unique in the environment.
    private static MacAddress Mac(int network, int machine) =>
        new(0x5254_0000_0000UL | ((ulong)(network & 0xff) << 24) | ((ulong)machine & 0xff_ffff));
}

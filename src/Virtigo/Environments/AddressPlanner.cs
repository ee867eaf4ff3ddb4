using System.Globalization;
using System.Net;
using Virtigo.Appliances;
using Virtigo.Networks;

namespace Virtigo.Environments;

/// <summary>Gives every network its addresses and every network card its own: the same ones for the same file, always.</summary>
internal static class AddressPlanner
{
    /// <summary>The first number of an automatic address; those below are for people to write down.</summary>
    private const int FirstHost = 11;

    /// <summary>
    /// The networks of an environment. Those without addresses of their own get the ones that a machine on it brings, else 10.90.N.0/24; all
    /// get fd90:0:0:N::/64.
    /// </summary>
    /// <exception cref="VirtigoException">Two networks overlap (<see cref="FailureKind.Usage"/>).</exception>
    public static IReadOnlyList<NetworkPlan> Networks(EnvironmentSpec spec)
    {
        var plans = new List<NetworkPlan>();
        foreach ((int index, NetworkSpec network) in spec.Networks.Index())
        {
            Ipv4Subnet subnet = network.Subnet ?? Brought(spec, network) ?? new Ipv4Subnet(Ipv4Address.Of(10, 90, (byte)index, 0), 24);
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
            Dictionary<string, Ipv4Address> written = Written(spec, members, network);
            HashSet<Ipv4Address> taken = [network.Subnet.Host(1), .. written.Values];
            int next = FirstHost;
            foreach (MachineSpec machine in members)
            {
                Ipv4Address address = written.TryGetValue(machine.Name, out Ipv4Address own) ? own : Free(spec, network, taken, ref next);
                int number = (int)(address.Value - network.Subnet.Network.Value);
                FixedCard? card = Card(machine, network.Name);
                cards[machine.Name].Add(new NicPlan(network.Name, card?.Mac is { } mac ? MacAddress.Read(Convert.FromHexString(mac.Replace(":", "", StringComparison.Ordinal))) : Mac(index, number), address,
                    IPAddress.Parse(network.Ipv6Prefix.Replace("::/64", "::" + number.ToString("x", CultureInfo.InvariantCulture), StringComparison.Ordinal)))
                {
                    AsksDhcp = card?.Dhcp ?? true,
                    BringsAddress = card is not null && card.Addresses.Any(one => one.Address == address),
                });
            }

            CheckMacs(spec, network, [.. members.SelectMany(machine => cards[machine.Name]).Where(card => card.Network == network.Name)]);
        }

        return spec.Machines.ToDictionary(machine => machine.Name,
            machine => (IReadOnlyList<NicPlan>)[.. machine.Networks.Select(place => cards[machine.Name].First(card => card.Network == place.Network))]);
    }

    /// <summary>The addresses that are fixed: those of the file, else those that machines bring themselves.</summary>
    private static Dictionary<string, Ipv4Address> Written(EnvironmentSpec spec, MachineSpec[] members, NetworkPlan network)
    {
        var written = new Dictionary<string, Ipv4Address>();
        foreach (MachineSpec machine in members)
        {
            Ipv4Address? named = machine.Networks.First(place => place.Network == network.Name).Address;
            (Ipv4Address Address, int Prefix)[] brought = [.. Card(machine, network.Name)?.Addresses ?? []];
            if ((named ?? Fitting(brought, network)) is not { } address)
            {
                continue;
            }

            string? problem = !network.Subnet.Contains(address) || address == network.Subnet.Network || address == network.Subnet.DirectedBroadcast
                ? $"is no address of the network {network.Name}, which has {network.Subnet}"
                : address == network.Subnet.Host(1) ? $"is that of the network {network.Name} itself"
                : written.ContainsValue(address) ? "is given twice"
                : null;
            if (problem is not null)
            {
                throw new VirtigoException(FailureKind.Usage,
                    $"{spec.File}: machine {machine.Name}: the address {address}{(named is null ? ", which its appliance fixes," : "")} {problem}.",
                    named is not null ? "Give another, or leave it out." : Advice(machine, network, brought[0]));
            }

            written.Add(machine.Name, address);
        }

        return written;
    }

    /// <summary>What to write when a machine's own address does not fit.</summary>
    private static string Advice(MachineSpec machine, NetworkPlan network, (Ipv4Address Address, int Prefix) brought)
    {
        string another = $"the machine an address of the network, which it then has too: machines: {{{machine.Name}: {{networks: {{{network.Name}: {network.Subnet.Host(5)}}}}}}}";
        return brought.Prefix is >= 8 and <= 29 && !network.Subnet.Contains(brought.Address)
            ? $"Give the network the machine's addresses: networks: {{{network.Name}: {{subnet: {new Ipv4Subnet(brought.Address, brought.Prefix)}}}}}; or {another}"
            : $"Give {another}";
    }

    /// <summary>Of the addresses that a machine brings, the one of the network; else the first, to be complained about.</summary>
    private static Ipv4Address? Fitting((Ipv4Address Address, int Prefix)[] brought, NetworkPlan network) =>
        brought.Length == 0 ? null : brought.FirstOrDefault(one => network.Subnet.Contains(one.Address), brought[0]).Address;

    /// <summary>The addresses of a network of which a machine brings one.</summary>
    private static Ipv4Subnet? Brought(EnvironmentSpec spec, NetworkSpec network)
    {
        foreach (MachineSpec machine in spec.Machines.Where(machine => machine.Networks.Any(place => place.Network == network.Name && place.Address is null)))
        {
            foreach ((Ipv4Address address, int prefix) in Card(machine, network.Name)?.Addresses ?? [])
            {
                if (prefix is >= 8 and <= 29)
                {
                    return new Ipv4Subnet(address, prefix);
                }
            }
        }

        return null;
    }

    /// <summary>What the appliance says about the card that a machine has on a network; null when it says nothing.</summary>
    private static FixedCard? Card(MachineSpec machine, string network)
    {
        int place = machine.Networks.Select(one => one.Network).ToList().IndexOf(network);
        IReadOnlyList<FixedCard> cards = NetworkPlanner.Cards(machine.Appliance);
        return place < cards.Count ? cards[place] : null;
    }

    private static void CheckMacs(EnvironmentSpec spec, NetworkPlan network, NicPlan[] cards)
    {
        if (cards.GroupBy(card => card.Mac).FirstOrDefault(same => same.Count() > 1) is { } twice)
        {
            throw new VirtigoException(FailureKind.Usage, $"{spec.File}: network {network.Name}: two machines have a card with the Ethernet address {twice.Key}.",
                "Leave mac out of their appliances: a card is then known by its place in the list.");
        }
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

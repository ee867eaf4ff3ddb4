using Virtigo.Host;

namespace Virtigo.Networks;

/// <summary>Which links to cut for the usual partitions. Every result is a list of one-way cuts for <see cref="NetworkSwitch.SetPartition"/>.</summary>
internal static class Partitions
{
    /// <summary>Cuts every link between machines of different groups; a machine in no group is in a group of its own with the others of that kind.</summary>
    /// <param name="machines">All machines.</param>
    /// <param name="groups">Who still reaches whom.</param>
    /// <param name="network">The network, or null for all.</param>
    public static IReadOnlyList<LinkSelector> Groups(IReadOnlyList<string> machines, IReadOnlyList<IReadOnlyList<string>> groups, string? network = null)
    {
        Dictionary<string, int> groupOf = [];
        for (int i = 0; i < groups.Count; i++)
        {
            foreach (string machine in groups[i])
            {
                groupOf[machine] = i;
            }
        }

        return Cuts(machines, network, (a, b) => groupOf.GetValueOrDefault(machines[a], -1) != groupOf.GetValueOrDefault(machines[b], -1));
    }

    /// <summary>Two halves; of an odd number the second has one more. The seed says who is where; null keeps the order of the list.</summary>
    public static IReadOnlyList<LinkSelector> Halves(IReadOnlyList<string> machines, ulong? seed = null, string? network = null)
    {
        IReadOnlyList<string> order = seed is { } value ? Shuffle(machines, value) : machines;
        return Groups(machines, [[.. order.Take(order.Count / 2)], [.. order.Skip(order.Count / 2)]], network);
    }

    /// <summary>One machine reaches nobody and nobody reaches it.</summary>
    public static IReadOnlyList<LinkSelector> Isolate(IReadOnlyList<string> machines, string isolated, string? network = null) =>
        Cuts(machines, network, (a, b) => machines[a] == isolated || machines[b] == isolated);

    /// <summary>One machine, chosen by the seed, is isolated.</summary>
    public static IReadOnlyList<LinkSelector> IsolateOne(IReadOnlyList<string> machines, ulong seed, string? network = null) =>
        Isolate(machines, Shuffle(machines, seed)[0], network);

    /// <summary>Nothing of <paramref name="from"/> arrives at <paramref name="to"/>; the other way all does.</summary>
    public static IReadOnlyList<LinkSelector> OneWay(IReadOnlyList<string> from, IReadOnlyList<string> to, string? network = null) =>
        [.. from a in @from from b in to where a != b select new LinkSelector(a, b, network)];

    /// <summary>
    /// Every machine reaches a majority, and no two machines the same one: in a ring chosen by the seed, each sees its nearest neighbours only.
    /// </summary>
    public static IReadOnlyList<LinkSelector> MajoritiesRing(IReadOnlyList<string> machines, ulong seed, string? network = null)
    {
        string[] ring = Shuffle(machines, seed);
        int count = ring.Length;
        int reach = ((count / 2) + 1) / 2;
        return Cuts(ring, network, (a, b) =>
        {
            int distance = Math.Abs(a - b);
            return Math.Min(distance, count - distance) > reach;
        });
    }

    /// <summary>Two halves that only one machine, in neither, can reach.</summary>
    public static IReadOnlyList<LinkSelector> Bridge(IReadOnlyList<string> machines, string bridge, string? network = null)
    {
        string[] others = [.. machines.Where(machine => machine != bridge)];
        return Halves(others, null, network);
    }

    /// <summary>Each pair of machines is cut, both ways, with this chance.</summary>
    public static IReadOnlyList<LinkSelector> Random(IReadOnlyList<string> machines, double chance, ulong seed, string? network = null)
    {
        var random = new SeededRandom(seed);
        HashSet<(int, int)> cut = [];
        for (int a = 0; a < machines.Count; a++)
        {
            for (int b = a + 1; b < machines.Count; b++)
            {
                if (random.Hits(chance))
                {
                    cut.Add((a, b));
                }
            }
        }

        return Cuts(machines, network, (a, b) => cut.Contains((Math.Min(a, b), Math.Max(a, b))));
    }

    private static List<LinkSelector> Cuts(IReadOnlyList<string> machines, string? network, Func<int, int, bool> isCut)
    {
        List<LinkSelector> cuts = [];
        for (int a = 0; a < machines.Count; a++)
        {
            for (int b = 0; b < machines.Count; b++)
            {
                if (a != b && isCut(a, b))
                {
                    cuts.Add(new LinkSelector(machines[a], machines[b], network));
                }
            }
        }

        return cuts;
    }

    private static string[] Shuffle(IReadOnlyList<string> machines, ulong seed)
    {
        var random = new SeededRandom(seed);
        string[] order = [.. machines];
        for (int i = order.Length - 1; i > 0; i--)
        {
            int other = (int)random.Below((uint)i + 1);
            (order[i], order[other]) = (order[other], order[i]);
        }

        return order;
    }
}

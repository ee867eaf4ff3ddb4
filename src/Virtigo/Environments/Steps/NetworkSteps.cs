using Virtigo.Networks;

namespace Virtigo.Environments.Steps;

/// <summary>How machines are kept from each other.</summary>
internal enum PartitionKind
{
    /// <summary>One side from the rest; the first half of the machines unless it is said which.</summary>
    Halves,

    /// <summary>One machine from the rest, drawn unless it is said which.</summary>
    One,

    /// <summary>Two halves drawn at random.</summary>
    Random,

    /// <summary>What one side sends does not arrive; it hears the rest. One machine is drawn unless it is said which.</summary>
    OneWay,

    /// <summary>Each machine sees a majority, no two the same one.</summary>
    Ring,

    /// <summary>Two halves, and one machine that sees both, drawn unless it is said which.</summary>
    Bridge,
}

/// <summary>Makes the way between machines worse, from now on.</summary>
internal sealed record LinkStep : Step
{
    public string? From { get; init; }

    public string? To { get; init; }

    public string? Network { get; init; }

    public bool BothWays { get; init; }

    public required LinkFault Fault { get; init; }

    public static Step? Read(StepValues values)
    {
        string[] faults = ["delay", "jitter", "loss", "duplicate", "reorder", "corrupt", "rate", "down"];
        if (!faults.Any(values.Has))
        {
            values.Wrong(null, $"link: nothing is wrong with it; expected at least one of {string.Join(", ", faults)}");
            return null;
        }

        string? from = values.Machine("from");
        if (from is not null && from == values.Machine("to"))
        {
            values.Wrong("to", "link: from and to are the same machine; expected two");
            return null;
        }

        try
        {
            return new LinkStep
            {
                Place = values.Place,
                Title = values.Title,
                Machines = values.Named,
                From = from,
                To = values.Machine("to"),
                Network = values.Text("network"),
                BothWays = values.Value<bool>("both ways") ?? false,
                Fault = FaultOf(values),
            };
        }
        catch (VirtigoException outOfRange)
        {
            values.Wrong(null, $"link: {outOfRange.Message}");
            return null;
        }
    }

    public override Task RunAsync(StepContext context, CancellationToken cancellationToken)
    {
        context.Target.SetFault(new LinkSelector(From, To, Network), Fault);
        if (BothWays)
        {
            context.Target.SetFault(new LinkSelector(To, From, Network), Fault);
        }

        return Task.CompletedTask;
    }

    private static LinkFault FaultOf(StepValues values) => new()
    {
        Delay = values.Value<TimeSpan>("delay") ?? TimeSpan.Zero,
        Jitter = values.Value<TimeSpan>("jitter") ?? TimeSpan.Zero,
        Loss = values.Value<double>("loss") ?? 0,
        Duplicate = values.Value<double>("duplicate") ?? 0,
        Reorder = values.Value<double>("reorder") ?? 0,
        Corrupt = values.Value<double>("corrupt") ?? 0,
        BytesPerSecond = values.Value<long>("rate"),
        Down = values.Value<bool>("down") ?? false,
    };
}

/// <summary>Keeps machines from each other.</summary>
internal sealed record PartitionStep : Step
{
    /// <summary>The kinds as they are written.</summary>
    public static readonly string[] Kinds = ["halves", "one", "random", "one-way", "ring", "bridge"];

    public required PartitionKind Kind { get; init; }

    public IReadOnlyList<string> Side { get; init; } = [];

    public string? Network { get; init; }

    public static Step? Read(StepValues values, IReadOnlyList<string> machines)
    {
        if (values.Text("kind") is not { } kind)
        {
            values.Wrong(null, $"partition: the kind is missing; expected one of {string.Join(", ", Kinds)}");
            return null;
        }

        var read = (PartitionKind)Array.IndexOf(Kinds, kind);
        int needed = read switch { PartitionKind.Ring => 4, PartitionKind.Bridge => 3, _ => 2 };
        if (machines.Count < needed)
        {
            values.Wrong(null, FormattableString.Invariant($"partition: {kind} needs {needed} machines; there are {machines.Count}"));
            return null;
        }

        IReadOnlyList<string> side = values.Texts("side");
        bool alone = read is PartitionKind.One or PartitionKind.Bridge;
        if (side.Count > 0 && (read is PartitionKind.Ring or PartitionKind.Random || (alone && side.Count > 1) || machines.All(side.Contains)))
        {
            values.Wrong("side", read is PartitionKind.Ring or PartitionKind.Random ? $"partition: {kind} chooses its sides itself"
                : alone ? $"partition: {kind} takes one machine" : "partition: every machine is on that side; nothing would be cut");
            return null;
        }

        return new PartitionStep
        {
            Place = values.Place,
            Title = values.Title,
            Machines = values.Named,
            Kind = read,
            Side = side,
            Network = values.Text("network"),
        };
    }

    public override Task RunAsync(StepContext context, CancellationToken cancellationToken)
    {
        context.Target.SetPartition(Cuts(context.Target.MachineNames, (ulong)context.Random.NextInt64()));
        return Task.CompletedTask;
    }

    /// <summary>The ways that are cut.</summary>
    /// <param name="machines">All machines.</param>
    /// <param name="seed">Chooses what is not said.</param>
    internal IReadOnlyList<LinkSelector> Cuts(IReadOnlyList<string> machines, ulong seed)
    {
        string drawn = Side.Count > 0 ? Side[0] : machines[(int)(seed % (ulong)machines.Count)];
        IReadOnlyList<string> side = Side.Count > 0 ? Side : [drawn];
        return Kind switch
        {
            PartitionKind.Halves => Side.Count > 0 ? Partitions.Groups(machines, [Side], Network) : Partitions.Halves(machines, null, Network),
            PartitionKind.One => Partitions.Isolate(machines, drawn, Network),
            PartitionKind.Random => Partitions.Halves(machines, seed, Network),
            PartitionKind.OneWay => Partitions.OneWay(side, [.. machines.Except(side)], Network),
            PartitionKind.Ring => Partitions.MajoritiesRing(machines, seed, Network),
            _ => Partitions.Bridge(machines, drawn, Network),
        };
    }
}

/// <summary>Takes link faults, the partition or both away.</summary>
internal sealed record HealStep : Step
{
    /// <summary>What can be healed, as it is written.</summary>
    public static readonly string[] Kinds = ["all", "links", "partition"];

    public required bool Links { get; init; }

    public required bool Partition { get; init; }

    public static Step? Read(StepValues values)
    {
        if (values.Text("what") is not { } what)
        {
            values.Wrong(null, $"heal: expected one of {string.Join(", ", Kinds)}, as in: heal: all");
            return null;
        }

        return new HealStep { Place = values.Place, Title = values.Title, Links = what != "partition", Partition = what != "links" };
    }

    public override Task RunAsync(StepContext context, CancellationToken cancellationToken)
    {
        if (Partition)
        {
            context.Target.SetPartition([]);
        }

        if (Links)
        {
            context.Target.ClearFaults();
        }

        return Task.CompletedTask;
    }
}

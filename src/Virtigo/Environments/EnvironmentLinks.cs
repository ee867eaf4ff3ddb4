using Virtigo.Networks;

namespace Virtigo.Environments;

/// <summary>The links between the machines of an environment. Faults come from outside the guests, which need nothing for it.</summary>
public sealed class EnvironmentLinks
{
    private readonly NetworkSwitch _switch;
    private readonly IReadOnlyList<string> _machines;
    private readonly ulong _seed;

    internal EnvironmentLinks(NetworkSwitch network, IReadOnlyList<string> machines, ulong seed) =>
        (_switch, _machines, _seed) = (network, machines, seed);

    /// <summary>Sets the fault of one direction between machines; replaces an earlier one.</summary>
    /// <param name="from">The machine that sends; null for any.</param>
    /// <param name="to">The machine that receives; null for any.</param>
    /// <param name="fault">What the link does to frames; a new <see cref="LinkFault"/> does nothing.</param>
    /// <param name="network">The network; null for any.</param>
    public void Set(string? from, string? to, LinkFault fault, string? network = null) =>
        _switch.SetFault(new LinkSelector(Known(from), Known(to), network), fault);

    /// <summary>Cuts every link between machines of different groups; those in no group form one of their own.</summary>
    /// <param name="groups">Who still reaches whom.</param>
    public void Partition(params IReadOnlyList<IReadOnlyList<string>> groups)
    {
        foreach (string name in groups.SelectMany(group => group))
        {
            Known(name);
        }

        _switch.SetPartition(Partitions.Groups(_machines, groups));
    }

    /// <summary>Cuts the machines into two halves, as the environment's seed has it.</summary>
    public void PartitionHalves() => _switch.SetPartition(Partitions.Halves(_machines, _seed));

    /// <summary>Cuts one machine off from all others.</summary>
    /// <param name="machine">The machine.</param>
    public void Isolate(string machine) => _switch.SetPartition(Partitions.Isolate(_machines, Known(machine)!));

    /// <summary>Ends every fault and every partition.</summary>
    public void Heal()
    {
        _switch.SetPartition([]);
        _switch.ClearFaults();
    }

    private string? Known(string? machine) => machine is null || _machines.Contains(machine) ? machine
        : throw new VirtigoException(FailureKind.Usage, $"There is no machine \"{machine}\".", $"The machines: {string.Join(", ", _machines)}.");
}

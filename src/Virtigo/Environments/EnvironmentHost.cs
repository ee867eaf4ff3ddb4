using Virtigo.Archives;
using Virtigo.Host;
using Virtigo.Hypervisors;
using Virtigo.Networks;

namespace Virtigo.Environments;

/// <summary>Where and on what environments run.</summary>
/// <param name="Paths">Virtigo's directories.</param>
/// <param name="Hypervisor">What runs the machines.</param>
/// <param name="Clock">The clock of the host.</param>
internal sealed record EnvironmentHost(HostPaths Paths, IHypervisor Hypervisor, TimeProvider Clock)
{
    /// <summary>The memory that environments share.</summary>
    public HostBudget Budget { get; init; } = new(Paths, Clock);

    /// <summary>How archives are used.</summary>
    public ArchiveOptions Archives { get; init; } = new();

    /// <summary>How hosts that machines may reach are found and reached from here.</summary>
    public OutwardWays Outward { get; init; } = new();

    /// <summary>What guests run on.</summary>
    public Accelerator Accelerator { get; init; } = Accelerator.Tcg;

    /// <summary>Scales limits.</summary>
    public HostSpeed Speed { get; init; } = HostSpeed.OfReference;
}

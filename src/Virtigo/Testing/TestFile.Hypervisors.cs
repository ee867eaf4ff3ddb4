using Virtigo.Appliances;
using Virtigo.Environments;
using Virtigo.Hypervisors;

namespace Virtigo.Testing;

public sealed partial class TestFile
{
    /// <summary>
    /// Makes the environment of the file ready for some of its tests. What they ask for and the hypervisor cannot do is refused before anything is built.
    /// </summary>
    /// <param name="options">Where and how.</param>
    /// <param name="filters">The tests whose names contain one of these, whatever the case; none: all tests.</param>
    /// <param name="progress">Told of everything that happens, from any thread; null for nobody.</param>
    /// <param name="cancellationToken">Ends it; nothing half-made remains.</param>
    /// <returns>The ready environment.</returns>
    /// <exception cref="VirtigoException">As <see cref="EnvironmentDefinition.PrepareAsync"/>.</exception>
    public Task<EnvironmentSnapshot> PrepareAsync(
        EnvironmentOptions options, IReadOnlyList<string> filters, IProgress<BuildEvent>? progress, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(options);
        return VirtualEnvironment.FromFile(Path).PrepareAsync(options with { Demands = Demands(filters) }, progress, cancellationToken);
    }

    /// <summary>Why some tests of the file cannot be run by a hypervisor, as far as that shows before anything is built.</summary>
    /// <param name="hypervisor">The hypervisor.</param>
    /// <param name="filters">The tests whose names contain one of these, whatever the case; none: all tests.</param>
    /// <param name="trusted">Whether what runs may do what its user may: without, one that has no isolation is not taken.</param>
    /// <param name="cancellationToken">Ends the look.</param>
    /// <returns>One or more sentences; null when nothing is in the way.</returns>
    /// <exception cref="VirtigoException"><see cref="FailureKind.Usage"/> when no test fits the filters, or something is wrong with the file.</exception>
    public async Task<string?> ObstacleAsync(IHypervisor hypervisor, IReadOnlyList<string> filters, bool trusted, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(hypervisor);
        EnvironmentSpec spec = await EnvironmentReader.LoadAsync(Path, cancellationToken);
        HypervisorDemand[] demands = [.. EnvironmentDefinition.DemandsOf(spec), .. Demands(filters)];
        HypervisorPresence presence = await hypervisor.LookAsync(cancellationToken);
        if (!presence.IsUsable)
        {
            return $"not usable here: {presence.Reason}";
        }

        var isolation = HypervisorFeature.Of("isolation");
        if (!trusted && !isolation.IsIn(hypervisor.Capabilities))
        {
            return $"{isolation.LackIn(hypervisor.Capabilities)}; with --trusted it is taken";
        }

        try
        {
            HypervisorDemand.Check(hypervisor, demands);
            return null;
        }
        catch (VirtigoException refusal)
        {
            return refusal.Message;
        }
    }

    private IReadOnlyList<HypervisorDemand> Demands(IReadOnlyList<string> filters) =>
    [
        .. Select(filters).SelectMany(test => HypervisorDemand.OfSteps(test.Steps)
            .Concat(test.Artifacts.Count > 0 ? [HypervisorDemand.Of(test.ArtifactsPlace, "artifacts", "streams")] : [])),
    ];
}

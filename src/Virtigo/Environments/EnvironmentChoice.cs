using Virtigo.Hypervisors;

namespace Virtigo.Environments;

/// <summary>Which hypervisor runs an environment.</summary>
/// <param name="Hypervisor">It.</param>
/// <param name="Note">What a person is told about it; null for nothing.</param>
internal sealed record EnvironmentChoice(IHypervisor Hypervisor, string? Note)
{
    private const string Fork = "fork";

    /// <summary>
    /// Chooses. What was named is taken, if it can do what is asked. Otherwise one that saves and forks machines as they run: that is what makes tests
    /// fast. Where none of those can be used, any other that can do the rest, by its speed.
    /// </summary>
    /// <param name="all">Those there are, the one that can do most first.</param>
    /// <param name="given">The name that the caller gave; null for what the file says.</param>
    /// <param name="trusted">Whether what runs may do what its user may.</param>
    /// <param name="spec">The environment.</param>
    /// <param name="demands">All that is asked.</param>
    /// <param name="cancellationToken">Ends the choice and its probes.</param>
    /// <exception cref="VirtigoException">
    /// There is no such hypervisor or it cannot do what is asked (<see cref="FailureKind.Usage"/>), it cannot be used on this host (<see cref="FailureKind.Host"/>).
    /// </exception>
    public static async Task<EnvironmentChoice> MakeAsync(
        IReadOnlyList<IHypervisor> all, string? given, bool trusted, EnvironmentSpec spec, IReadOnlyList<HypervisorDemand> demands, CancellationToken cancellationToken)
    {
        string wish = given ?? spec.Hypervisor?.Value ?? HypervisorChoice.Auto;
        string what = given is null && spec.Hypervisor is { } written ? $"{written.Origin}: The environment {spec.Name}" : $"The environment {spec.Name}";
        var needs = new HypervisorNeeds(what, [.. demands.Select(demand => demand.Feature).OfType<string>().Distinct()]) { Trusted = trusted };
        if (wish != HypervisorChoice.Auto)
        {
            IHypervisor named = HypervisorChoice.Named(all, wish);
            HypervisorDemand.Check(named, demands);
            await HypervisorChoice.MakeAsync(all, wish, needs, cancellationToken);
            return new EnvironmentChoice(named, Boots(named));
        }

        try
        {
            HypervisorChoice forks = await HypervisorChoice.MakeAsync(all, wish, needs with { Wished = [Fork] }, cancellationToken);
            return new EnvironmentChoice(forks.Hypervisor, given is null ? null : $"Runs in {forks.Hypervisor.Name}: {forks.Reason}.");
        }
        catch (VirtigoException none) when (none.Kind == FailureKind.Host)
        {
            HypervisorChoice other = await HypervisorChoice.MakeAsync(all, wish, needs, cancellationToken);
            HypervisorDemand.Check(other.Hypervisor, demands);
            return new EnvironmentChoice(other.Hypervisor, $"Runs in {other.Hypervisor.Name}, {other.Reason}. {Boots(other.Hypervisor)}");
        }
    }

    private static string? Boots(IHypervisor hypervisor)
    {
        var fork = HypervisorFeature.Of(Fork);
        return fork.IsIn(hypervisor.Capabilities) ? null
            : $"{hypervisor.Name} cannot fork running machines ({fork.LackIn(hypervisor.Capabilities)}): every test and every environment boots its machines anew and does the ready steps again.";
    }
}

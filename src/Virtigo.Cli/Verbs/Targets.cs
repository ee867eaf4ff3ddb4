using System.CommandLine;
using Virtigo.Appliances;

namespace Virtigo.Cli.Verbs;

/// <summary>The argument of the verbs that work on an appliance's description.</summary>
internal static class Targets
{
    public static Argument<string> Argument() => new("appliance")
    {
        Description = "A description (YAML), or a distribution: debian",
        HelpName = "appliance",
        CompletionSources = { _ => Candidates() },
    };

    public static Option<string?> NameOption() => new("--name")
    {
        Description = "The image's name [default: the file's name without extension]",
        HelpName = "name",
    };

    public static async Task<AppliancePlan> PlanAsync(Invocation run, string target, string? name, CancellationToken cancellationToken)
    {
        ApplianceSpec spec = await ApplianceSpec.OpenAsync(target, name, cancellationToken);
        return await PlanAsync(run, spec, cancellationToken);
    }

    public static Task<AppliancePlan> PlanAsync(Invocation run, ApplianceSpec spec, CancellationToken cancellationToken) =>
        new AppliancePlanner(HostPlanning.On(run.Host.Paths, run.Options.Archives(run))).PlanAsync(spec, cancellationToken);

    /// <summary>
    /// The plan of a build. What the cache knows of the archive is enough when it leads to an image that is in the store:
    /// then nobody has to be asked.
    /// </summary>
    public static async Task<AppliancePlan> PlanBuildAsync(
        Invocation run, ApplianceSpec spec, ApplianceBuilder builder, CancellationToken cancellationToken)
    {
        try
        {
            PlannerEnvironment cached = HostPlanning.On(run.Host.Paths, run.Options.Archives(run) with { Offline = true });
            AppliancePlan plan = await new AppliancePlanner(cached).PlanAsync(spec, cancellationToken);
            if (builder.Built(plan) is not null)
            {
                return plan;
            }
        }
        catch (VirtigoException unknown) when (unknown.Kind is FailureKind.Archive or FailureKind.Trust)
        {
            // Nothing cached that would do: the archive is asked.
        }

        return await PlanAsync(run, spec, cancellationToken);
    }

    private static IEnumerable<string> Candidates() =>
        Directory.EnumerateFiles(".").Select(Path.GetFileName).OfType<string>()
            .Where(file => file.EndsWith(".yml", StringComparison.Ordinal) || file.EndsWith(".yaml", StringComparison.Ordinal))
            .Append("debian");
}

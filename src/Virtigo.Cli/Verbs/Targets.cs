using System.CommandLine;
using Virtigo.Appliances;

namespace Virtigo.Cli.Verbs;

/// <summary>The argument of the verbs that work on an appliance's description.</summary>
internal static class Targets
{
    public static Argument<string> Argument() => new("appliance")
    {
        Description = "A description (YAML), or a distribution: debian, ubuntu",
        HelpName = "appliance",
        CompletionSources = { _ => Candidates() },
    };

    public static Option<string?> NameOption() => new("--name")
    {
        Description = "The image's name [default: the file's name without extension]",
        HelpName = "name",
    };

    public static Option<string?> MediumOption() => new("--medium")
    {
        Description = "Ubuntu's live-server ISO image: a path, or a URL with SHA256SUMS and SHA256SUMS.gpg beside it",
        HelpName = "path-or-url",
    };

    public static Option<string?> KeyringOption() => new("--keyring")
    {
        Description = "The keyring that vouches for the distribution's archive and medium [default: the host's own]",
        HelpName = "path",
    };

    public static Option<string[]> SetOption() => new("--set")
    {
        Description = "A value for a variable of the description, or the one to take of its matrix; may be given again",
        HelpName = "name=value",
        Arity = ArgumentArity.OneOrMore,
        AllowMultipleArgumentsPerToken = false,
    };

    /// <summary>How the description is to be read.</summary>
    public static SpecOptions Read(Invocation run, Option<string?>? name, Option<string[]>? set, bool locked = true) => new()
    {
        Name = name is null ? null : run.Value(name),
        Locked = locked,
        Set = set is null ? new Dictionary<string, string>() : Values(run.Value(set) ?? []),
    };

    public static Task<AppliancePlan> PlanAsync(Invocation run, ApplianceSpec spec, CancellationToken cancellationToken) =>
        new AppliancePlanner(HostPlanning.On(run.Host.Paths, run.Options.Archives(run))).PlanAsync(spec, cancellationToken);

    private static Dictionary<string, string> Values(string[] written)
    {
        var values = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (string one in written)
        {
            if (one.IndexOf('=') is var at and > 0)
            {
                values[one[..at]] = one[(at + 1)..];
            }
            else
            {
                throw new VirtigoException(FailureKind.Usage, $"--set: '{one}' has no value.", "Give a name and its value, as in: --set release=trixie");
            }
        }

        return values;
    }

    /// <summary>The YAML files of the current folder.</summary>
    public static IEnumerable<string> YamlFiles() =>
        Directory.EnumerateFiles(".").Select(Path.GetFileName).OfType<string>()
            .Where(file => file.EndsWith(".yml", StringComparison.Ordinal) || file.EndsWith(".yaml", StringComparison.Ordinal));

    private static IEnumerable<string> Candidates() => YamlFiles().Append("debian").Append("ubuntu");
}

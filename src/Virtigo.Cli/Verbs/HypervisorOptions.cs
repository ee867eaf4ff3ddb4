using System.CommandLine;
using Virtigo.Hypervisors;

namespace Virtigo.Cli.Verbs;

/// <summary>The options that choose what runs guests.</summary>
internal static class HypervisorOptions
{
    public static Option<string?> Option(string what)
    {
        Option<string?> option = new("--hypervisor") { Description = what, HelpName = "name" };
        option.AcceptOnlyFromAmong([HypervisorChoice.Auto, .. HypervisorCatalog.Names]);
        return option;
    }

    /// <summary>The option for the machines of an environment.</summary>
    public static Option<string?> ForMachines() => Option("What runs the machines [default: what the file says, else one that can fork them]");

    public static Option<bool> Matrix(string what) => new("--matrix") { Description = what };

    public static Option<bool> Trusted(string where, string choosers) => new("--trusted")
    {
        Description = $"What runs in {where} may do what you may: {choosers} may take User-Mode Linux, which is no wall",
    };

    /// <summary>Refuses a hypervisor that is named beside <c>--matrix</c>.</summary>
    public static void ExpectNone(string? hypervisor)
    {
        if (hypervisor is not null)
        {
            throw new VirtigoException(FailureKind.Usage, $"--matrix is every hypervisor, and --hypervisor {hypervisor} is one.", "Give one of them.");
        }
    }

    /// <summary>Chooses, and says why where there was a choice.</summary>
    public static async Task<IHypervisor> ChooseAsync(Invocation run, string wish, HypervisorNeeds needs, CancellationToken cancellationToken)
    {
        HypervisorChoice choice = await HypervisorChoice.MakeAsync(HypervisorCatalog.All(run.Host.Paths), wish, needs, cancellationToken);
        if (choice.Compared)
        {
            run.People($"Runs in {choice.Hypervisor.Name}: {choice.Reason}.");
        }

        return choice.Hypervisor;
    }
}

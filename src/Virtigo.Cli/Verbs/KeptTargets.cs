using System.CommandLine;
using Virtigo.Environments;

namespace Virtigo.Cli.Verbs;

/// <summary>The arguments of the verbs that work on environments that are up.</summary>
internal static class KeptTargets
{
    /// <summary>A machine of an environment.</summary>
    public static Argument<string> Machine(CliHost host) => new("machine")
    {
        Description = "A machine of an environment that is up: environment/machine, or the machine alone when only one has it",
        CompletionSources = { _ => MachineNames(host) },
    };

    /// <summary>Environments by name.</summary>
    public static Argument<string[]> Environments(CliHost host) => new("environment")
    {
        Description = "Environments that are up [default: the only one]",
        Arity = ArgumentArity.ZeroOrMore,
        CompletionSources = { _ => EnvironmentNames(host) },
    };

    /// <summary>The environment and machine that an argument names.</summary>
    public static Task<(RunningEnvironment Environment, string Machine)> FindAsync(Invocation run, string target, CancellationToken cancellationToken) =>
        new RunningEnvironments(run.Host.Paths).FindMachineAsync(target, cancellationToken);

    /// <summary>The environments that are up.</summary>
    public static IEnumerable<string> EnvironmentNames(CliHost host) => Up(host).Select(one => one.Name);

    /// <summary>What a step may begin with.</summary>
    public static IEnumerable<string> StepWords(CliHost host) =>
        Up(host).SelectMany(one => one.MachineNames).Concat(RunningEnvironment.StepWords).Distinct().Select(word => word + ":");

    /// <summary>The machines that are up, as they can be named.</summary>
    public static IEnumerable<string> MachineNames(CliHost host)
    {
        IReadOnlyList<RunningEnvironment> up = Up(host);
        return up is [RunningEnvironment only]
            ? only.MachineNames
            : up.SelectMany(one => one.MachineNames.Select(machine => $"{one.Name}/{machine}"));
    }

    private static IReadOnlyList<RunningEnvironment> Up(CliHost host) =>
        new RunningEnvironments(host.Paths).ListAsync(CancellationToken.None).GetAwaiter().GetResult();
}

/// <summary>Words for another program: options among them are its own.</summary>
internal sealed class WordsArgument : Argument<string[]>
{
    public WordsArgument(string name, string description)
        : base(name)
    {
        Description = description;
        Arity = ArgumentArity.ZeroOrMore;
    }
}

using Virtigo.Cli.Output;
using Virtigo.Host;

namespace Virtigo.Cli;

/// <summary>What surrounds one invocation of the command: its streams, its environment, its clock.</summary>
/// <param name="Data">Standard output: what a program may read.</param>
/// <param name="People">Standard error: what a person reads.</param>
/// <param name="Variable">Reads the environment.</param>
/// <param name="IsTerminal">Whether a person watches standard error.</param>
/// <param name="Paths">Virtigo's directories.</param>
/// <param name="Clock">The time.</param>
internal sealed record CliHost(
    TextWriter Data, TextWriter People, Func<string, string?> Variable, bool IsTerminal, HostPaths Paths, TimeProvider Clock)
{
    /// <summary>The surroundings of this process.</summary>
    public static CliHost OfProcess() => new(Console.Out, Console.Error, Environment.GetEnvironmentVariable, !Console.IsErrorRedirected,
        HostPaths.FromEnvironment(), TimeProvider.System);

    /// <summary>How to talk to whoever listens.</summary>
    public OutputMode Mode(bool json, bool verbose) => OutputMode.Decide(Variable, IsTerminal, json, verbose);
}

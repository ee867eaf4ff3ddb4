using System.CommandLine;
using Virtigo.Cli.Output;
using Virtigo.Environments;
using Virtigo.Machines;

namespace Virtigo.Cli.Verbs;

/// <summary><c>virtigo console</c> and <c>virtigo logs</c>: what a machine says.</summary>
internal static class ConsoleVerb
{
    private const int MostLines = 100_000;

    public static Verb Console(GlobalOptions options, CliHost host)
    {
        Argument<string> machine = KeptTargets.Machine(host);
        var verb = new Verb("console", "Use the serial console of a machine that is up; Ctrl-] leaves, Ctrl-^ and a key is a SysRq command",
            "virtigo console server")
        {
            machine,
        };
        verb.Does(options, host, async (run, cancellationToken) =>
        {
            (RunningEnvironment environment, string name) = await KeptTargets.FindAsync(run, run.Value(machine)!, cancellationToken);
            await using GuestCall call = await environment.OpenConsoleAsync(name, cancellationToken);
            run.People($"The console of {name}. Ctrl-] leaves, Ctrl-^ and a key is a SysRq command.");
            bool left = await CallBridge.RunAsync(call, CallBridge.OnTerminal, (key, token) => SysRqVerb.GiveAsync(run, environment, name, key, token), cancellationToken) is null;
            run.People(left ? "" : $"\n{name} is off.");
            return 0;
        });
        return verb;
    }

    public static Verb Logs(GlobalOptions options, CliHost host)
    {
        Argument<string> machine = KeptTargets.Machine(host);
        Option<bool> follow = new("--follow", "-f") { Description = "Go on with what is said from now on, until Ctrl-C" };
        Option<bool> journal = new("--journal") { Description = "The system's journal instead of the console" };
        Option<int> lines = new("--lines", "-n") { Description = "How many lines at most [default: 1000]", HelpName = "count", DefaultValueFactory = _ => 1000 };
        var verb = new Verb("logs", "Show what the console of a machine that is up said, or its journal",
            "virtigo logs server",
            "virtigo logs server --follow",
            "virtigo logs server --journal --lines 50")
        {
            machine, follow, journal, lines,
        };
        lines.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<int>() is < 1 or > MostLines)
            {
                result.AddError($"--lines is 1 to {MostLines}.");
            }
        });
        verb.Does(options, host, async (run, cancellationToken) =>
        {
            (RunningEnvironment environment, string name) = await KeptTargets.FindAsync(run, run.Value(machine)!, cancellationToken);
            if (run.Value(journal))
            {
                string[] command = ["journalctl", "--no-pager", "--lines", FormattableString.Invariant($"{run.Value(lines)}"), .. run.Value(follow) ? ["--follow"] : (string[])[]];
                await using GuestCall call = await environment.StartAsync(name, command, new CommandOptions(), cancellationToken);
                return await CallBridge.ShowAsync(call, cancellationToken);
            }

            if (run.Value(follow))
            {
                await using GuestCall call = await environment.OpenConsoleAsync(name, cancellationToken);
                return await CallBridge.ShowAsync(call, cancellationToken);
            }

            string said = await environment.ConsoleTailAsync(name, run.Value(lines), cancellationToken);
            if (said.Length > 0)
            {
                run.Data(said);
            }
            else
            {
                run.People($"The console of {name} has said nothing since the environment was started. Its journal: virtigo logs {run.Value(machine)} --journal");
            }

            return 0;
        });
        return verb;
    }
}

using System.CommandLine;
using System.Diagnostics;
using Virtigo.Environments;

namespace Virtigo.Cli.Verbs;

/// <summary><c>virtigo down</c> and <c>virtigo power</c>.</summary>
internal static class DownVerb
{
    private static readonly TimeSpan s_processLimit = TimeSpan.FromSeconds(10);

    public static Verb Make(GlobalOptions options, CliHost host)
    {
        Argument<string[]> which = KeptTargets.Environments(host);
        Option<bool> all = new("--all") { Description = "All that are up" };
        var verb = new Verb("down", "Destroy environments that are up, and wait until nothing of them is left",
            "virtigo down             # the only one",
            "virtigo down shop shop-2",
            "virtigo down --all")
        {
            which, all,
        };
        verb.Does(options, host, async (run, cancellationToken) =>
        {
            var environments = new RunningEnvironments(host.Paths);
            string[] names = run.Value(which)!;
            RunningEnvironment[] ending = run.Value(all) ? [.. await environments.ListAsync(cancellationToken)]
                : names is [] ? [await environments.FindAsync(null, cancellationToken)]
                : await Task.WhenAll(names.Distinct().Select(name => environments.FindAsync(name, cancellationToken)));
            await Task.WhenAll(ending.Select(one => EndAsync(run, one, cancellationToken)));
            if (ending.Length == 0)
            {
                run.People("No environment is up.");
            }

            return 0;
        });
        return verb;
    }

    public static Verb Power(GlobalOptions options, CliHost host)
    {
        Argument<string> machine = KeptTargets.Machine(host);
        Argument<string> action = new("action") { Description = "start, shutdown, reboot, cut, pause or resume" };
        string[] actions = [.. Enum.GetNames<PowerOrder>().Select(name => name.ToLowerInvariant())];
        action.AcceptOnlyFromAmong(actions);
        var verb = new Verb("power", "Switch a machine that is up: start, shutdown, reboot, cut (pull the plug), pause, resume",
            "virtigo power server cut",
            "virtigo power shop/server start")
        {
            machine, action,
        };
        verb.Does(options, host, async (run, cancellationToken) =>
        {
            (RunningEnvironment environment, string name) = await KeptTargets.FindAsync(run, run.Value(machine)!, cancellationToken);
            await environment.PowerAsync(name, Enum.Parse<PowerOrder>(run.Value(action)!, ignoreCase: true), cancellationToken);
            return 0;
        });
        return verb;
    }

    private static async Task EndAsync(Invocation run, RunningEnvironment environment, CancellationToken cancellationToken)
    {
        await environment.DownAsync(cancellationToken);
        await ProcessEndAsync(run, environment.ProcessId, cancellationToken);
        run.People($"{environment.Name} is down.");
    }

    /// <summary>A keeper has nothing left to do now; a program that kept the environment beside other work goes on.</summary>
    private static async Task ProcessEndAsync(Invocation run, int id, CancellationToken cancellationToken)
    {
        using var limit = new CancellationTokenSource(s_processLimit, run.Host.Clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        try
        {
            using Process process = Process.GetProcessById(id);
            if (KeeperProcess.IsKeeper(id))
            {
                await process.WaitForExitAsync(either.Token);
            }
        }
        catch (Exception gone) when (gone is ArgumentException or InvalidOperationException)
        {
            // It has ended.
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            run.People($"Its process {id} has not ended yet.");
        }
    }
}

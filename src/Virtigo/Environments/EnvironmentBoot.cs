using Virtigo.Environments.Steps;
using Virtigo.Machines;

namespace Virtigo.Environments;

/// <summary>Boots the machines of an environment and makes it ready.</summary>
/// <param name="host">Where and on what it runs.</param>
/// <param name="plan">The environment.</param>
/// <param name="log">Told of everything that happens.</param>
internal sealed class EnvironmentBoot(EnvironmentHost host, EnvironmentPlan plan, PreparationLog log)
{
    /// <summary>How long a reference host needs at most until a booted system has started all its services.</summary>
    private static readonly TimeSpan s_upLimit = TimeSpan.FromMinutes(6);

    /// <summary>Boots an environment whose machines are off, and does the <c>ready</c> steps.</summary>
    /// <exception cref="VirtigoException">A machine does not come up, or a step fails.</exception>
    public async Task RunAsync(VirtualEnvironment environment, CancellationToken cancellationToken)
    {
        var told = new HashSet<string>();
        await log.StageAsync("boot", () => BootAsync(environment, cancellationToken));
        Tell(environment, told);
        foreach (Step step in plan.Spec.Ready)
        {
            await log.StageAsync("ready: " + step.Title, () => StepAsync(environment, step, cancellationToken));
            Tell(environment, told);
        }
    }

    /// <summary>Tells what of the hosts that the file lists could not be had, which the file's author expects to work.</summary>
    private void Tell(VirtualEnvironment environment, HashSet<string> told)
    {
        foreach (string line in environment.RefusalsOf(listedOnly: true).Where(line => told.Count <= RefusalText.Most && told.Add(line)))
        {
            log.Note($"egress: refused: {line}");
        }
    }

    private async Task BootAsync(VirtualEnvironment environment, CancellationToken cancellationToken) =>
        await Task.WhenAll(plan.Machines.Zip(environment.Machines).Select(async pair =>
        {
            (MachinePlan what, Machine machine) = pair;
            await StartAsync(environment, what, machine, cancellationToken);
            log.Progress("boot", null, $"{what.Name} answers");
            var options = new CommandOptions { Limit = s_upLimit };

            // A unit that failed is the tests' business; that everything was started is ours.
            await machine.ExecuteAsync("systemctl is-system-running --wait", options, cancellationToken);
            await machine.RunAsync(MachineSetup.Script(what.Name, what.Nics, plan.Networks, hasWayOut: !plan.Spec.Egress.IsNone), options, cancellationToken);
            log.Progress("boot", null, $"{what.Name} is up");
        }));

    /// <summary>Starts a machine until it answers.</summary>
    private Task StartAsync(VirtualEnvironment environment, MachinePlan what, Machine machine, CancellationToken cancellationToken) =>
        EmulatedBoot.RunAsync(host.Accelerator, async () =>
        {
            await environment.Folder.MakeDisksAsync(what, cancellationToken);
            await machine.StartAsync(cancellationToken);
            await machine.WaitUntilReadyAsync(cancellationToken);
        }, async crash =>
        {
            log.Note($"{crash.Message}\nIt is emulated, and emulation may be the cause: {what.Name} boots once more.");
            await machine.PowerCutAsync(cancellationToken);
            foreach (string disk in environment.Folder.Disks(what))
            {
                File.Delete(disk);
            }
        });

    private async Task StepAsync(VirtualEnvironment environment, Step step, CancellationToken cancellationToken)
    {
        var context = new StepContext { Target = new StepTarget(environment), BaseFolder = plan.Spec.Folder, Speed = host.Speed, Clock = host.Clock };
        try
        {
            await step.RunAsync(context, cancellationToken);
        }
        catch (StepFailedException failed)
        {
            string said = string.Join('\n', new[] { context.Output.Output, context.Output.Error }.Where(text => text.Length > 0));
            string refused = string.Concat(environment.Refusals.Select(line => $"\nrefused: {line}"));
            throw new VirtigoException(FailureKind.Guest,
                $"{step.Place}: the environment does not get ready: {failed.Message}{(said.Length > 0 ? $"\nIt printed:\n{said.TrimEnd()}" : "")}{refused}",
                "Mend the step, or look around in the machines: virtigo up " + plan.Spec.File, failed);
        }
    }
}

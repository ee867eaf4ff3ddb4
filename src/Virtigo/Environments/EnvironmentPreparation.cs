using Virtigo.Environments.Steps;
using Virtigo.Host;
using Virtigo.Hypervisors;
using Virtigo.Images;
using Virtigo.Machines;

namespace Virtigo.Environments;

/// <summary>Boots an environment once, makes it ready, and saves it: the whole way reads in <see cref="RunAsync"/>.</summary>
/// <param name="host">Where and on what it runs.</param>
/// <param name="plan">The environment.</param>
/// <param name="log">Told of everything that happens.</param>
internal sealed class EnvironmentPreparation(EnvironmentHost host, EnvironmentPlan plan, PreparationLog log)
{
    /// <summary>How long a reference host needs at most until a booted system has started all its services.</summary>
    private static readonly TimeSpan s_upLimit = TimeSpan.FromMinutes(6);

    /// <summary>The ready snapshot: the one in the store, or a new one.</summary>
    public async Task<EnvironmentSnapshot> RunAsync(CancellationToken cancellationToken)
    {
        var store = new SnapshotStore(host);
        return await store.TryOpenAsync(plan, cancellationToken)
            ?? await store.MakeAsync(plan, () => log.Note("Another process prepares the same environment; waiting for it."),
                (folder, final) => MakeAsync(folder, final, cancellationToken), cancellationToken);
    }

    private async Task MakeAsync(SnapshotFolder target, SnapshotFolder final, CancellationToken cancellationToken)
    {
        long memory = plan.Machines.Sum(machine => (long)machine.MemoryMiB + HostBudget.OverheadMiB);
        IDisposable reserved = await host.Budget.ReserveAsync(
            memory, $"The environment {plan.Spec.Name}", () => log.Note("Waiting for other environments to give memory free."), cancellationToken);
        await using var environment = VirtualEnvironment.Create(host, plan, frames: null, plan.Spec.Seed,
            (machine, cold) => cold with { MemoryFile = new GuestMemoryFile(target.Memory(machine), Shared: true) },
            [reserved, .. await SnapshotStore.LeaseAsync(host, plan, cancellationToken)]);
        var told = new HashSet<string>();
        await log.StageAsync("boot", () => BootAsync(environment, cancellationToken));
        Tell(environment, told);
        foreach (Step step in plan.Spec.Ready)
        {
            await log.StageAsync("ready: " + step.Title, () => StepAsync(environment, step, cancellationToken));
            Tell(environment, told);
        }

        await log.StageAsync("snapshot", async () =>
        {
            await SnapshotTaking.SaveAsync(plan, environment.Machines, environment.Switch, target, cancellationToken);
            await Task.WhenAll(environment.Machines.Select(machine => machine.PowerCutAsync(cancellationToken)));
            await Task.WhenAll(plan.Machines.Select(machine => FreezeDiskAsync(machine, environment.Folder, target, final, cancellationToken)));
        });
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

    /// <summary>
    /// Starts a machine until it answers. QEMU's emulation makes one in some hundred boots crash that are good: there, a crash counts when it happens again.
    /// </summary>
    private async Task StartAsync(VirtualEnvironment environment, MachinePlan what, Machine machine, CancellationToken cancellationToken)
    {
        for (bool again = false; ; again = true)
        {
            await ImageStore.CreateOverlayAsync(what.Image, what.LargerDisk, environment.Folder.Disk(what), cancellationToken);
            await ImageStore.OverlayFurtherAsync(what.Image, name => environment.Folder.Disk(what, name), cancellationToken);
            await machine.StartAsync(cancellationToken);
            try
            {
                await machine.WaitUntilReadyAsync(cancellationToken);
                return;
            }
            catch (VirtigoException crash) when (crash.GuestCrashed && !again && host.Accelerator == Accelerator.Tcg)
            {
                log.Note($"{crash.Message}\nIt is emulated, and emulation may be the cause: {what.Name} boots once more.");
                await machine.PowerCutAsync(cancellationToken);
                foreach (string disk in environment.Folder.Disks(what))
                {
                    File.Delete(disk);
                }
            }
        }
    }

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

    private static async Task FreezeDiskAsync(
        MachinePlan machine, EnvironmentFolder folder, SnapshotFolder target, SnapshotFolder final, CancellationToken cancellationToken)
    {
        foreach ((string from, string to) in folder.Disks(machine).Zip(target.Disks(machine)))
        {
            File.Move(from, to);
        }

        await SnapshotTaking.MakeEmptyDisksAsync(machine, target, final, cancellationToken);
    }
}

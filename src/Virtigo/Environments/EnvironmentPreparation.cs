using Virtigo.Hypervisors;

namespace Virtigo.Environments;

/// <summary>Boots an environment once, makes it ready, and saves it: the whole way reads in <see cref="RunAsync"/>.</summary>
/// <param name="host">Where and on what it runs.</param>
/// <param name="plan">The environment.</param>
/// <param name="log">Told of everything that happens.</param>
internal sealed class EnvironmentPreparation(EnvironmentHost host, EnvironmentPlan plan, PreparationLog log)
{
    /// <summary>The ready snapshot: the one in the store, or a new one. What cannot be saved is the way to it.</summary>
    public async Task<EnvironmentSnapshot> RunAsync(CancellationToken cancellationToken)
    {
        if (!host.Hypervisor.Capabilities.Fork)
        {
            var images = new SharedHold(await SnapshotStore.LeaseAsync(host, plan, cancellationToken));
            return new EnvironmentSnapshot(host, plan, new BootedStart(host, plan, images), host.Clock.GetUtcNow());
        }

        var store = new SnapshotStore(host);
        return await store.TryOpenAsync(plan, cancellationToken)
            ?? await store.MakeAsync(plan, () => log.Note("Another process prepares the same environment; waiting for it."),
                (folder, final) => MakeAsync(folder, final, cancellationToken), cancellationToken);
    }

    private async Task MakeAsync(SnapshotFolder target, SnapshotFolder final, CancellationToken cancellationToken)
    {
        IDisposable reserved = await host.Budget.ReserveAsync(
            plan.MemoryMiB, $"The environment {plan.Spec.Name}", () => log.Note("Waiting for other environments to give memory free."), cancellationToken);
        await using var environment = VirtualEnvironment.Create(host, plan, frames: null, plan.Spec.Seed,
            (machine, cold) => cold with { MemoryFile = new GuestMemoryFile(target.Memory(machine), Shared: true) },
            [reserved, .. await SnapshotStore.LeaseAsync(host, plan, cancellationToken)]);
        await new EnvironmentBoot(host, plan, log).RunAsync(environment, cancellationToken);
        await log.StageAsync("snapshot", async () =>
        {
            await SnapshotTaking.SaveAsync(plan, environment.Machines, environment.Switch, target, cancellationToken);
            await Task.WhenAll(environment.Machines.Select(machine => machine.PowerCutAsync(cancellationToken)));
            await Task.WhenAll(plan.Machines.Select(machine => FreezeDiskAsync(machine, environment.Folder, target, final, cancellationToken)));
        });
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

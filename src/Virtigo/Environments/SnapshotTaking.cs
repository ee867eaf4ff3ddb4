using Virtigo.Host;
using Virtigo.Images;
using Virtigo.Machines;
using Virtigo.Networks;

namespace Virtigo.Environments;

/// <summary>Saves a running environment: every machine, every disk and every frame on the way, at one instant.</summary>
internal static class SnapshotTaking
{
    /// <summary>
    /// Saves. Delivery of frames stops first, and guests take what was already on its way into them; then all machines stop; then the networks
    /// take in what machines sent until they stopped. So no frame is lost or doubled, whatever the order in which machines stop.
    /// </summary>
    /// <param name="plan">The environment.</param>
    /// <param name="machines">Its machines.</param>
    /// <param name="network">Its networks; frozen when this returns, the machines paused.</param>
    /// <param name="target">Where to save.</param>
    /// <param name="cancellationToken">Ends the saving.</param>
    public static async Task SaveAsync(
        EnvironmentPlan plan, IReadOnlyList<Machine> machines, NetworkSwitch network, SnapshotFolder target, CancellationToken cancellationToken)
    {
        await Task.WhenAll(machines.Select(machine => machine.PrepareForCopiesAsync(cancellationToken)));
        await network.FreezeAsync(cancellationToken);
        await Task.WhenAll(machines.Select(machine => machine.Guest.PauseAsync(cancellationToken)));
        SwitchState frames = await network.CollectAsync(cancellationToken);
        await File.WriteAllBytesAsync(target.Switch, frames.ToBytes(), cancellationToken);
        await Task.WhenAll(plan.Machines.Zip(machines).Select(pair => pair.Second.Guest.SaveStateAsync(target.State(pair.First), cancellationToken)));
    }

    /// <summary>Makes the empty disks that forks begin with.</summary>
    /// <param name="machine">The machine.</param>
    /// <param name="made">The snapshot where they are made.</param>
    /// <param name="final">The snapshot where they will be when forks use it.</param>
    /// <param name="cancellationToken">Ends the making.</param>
    public static async Task MakeEmptyDisksAsync(MachinePlan machine, SnapshotFolder made, SnapshotFolder final, CancellationToken cancellationToken)
    {
        foreach ((string below, long bytes, string empty) in final.Disks(machine).Zip(machine.AllDiskBytes, made.EmptyDisks(machine)))
        {
            await QemuImage.CreateOverlayUnseenAsync(below, bytes, empty, cancellationToken);
        }
    }

    /// <summary>Waits until a snapshot is on its storage.</summary>
    public static async Task FlushAsync(SnapshotFolder folder, CancellationToken cancellationToken)
    {
        await Task.WhenAll(Directory.EnumerateFiles(folder.Path).Select(file => Task.Run(() => DiskFile.Flush(file), cancellationToken)));
        DiskFile.FlushFolder(folder.Path);
    }
}

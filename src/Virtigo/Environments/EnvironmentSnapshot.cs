using Virtigo.Host;
using Virtigo.Hypervisors;
using Virtigo.Networks;

namespace Virtigo.Environments;

/// <summary>
/// A running environment as it was at one instant: the start of any number of forks. What a fork refreshes: the entropy of its kernels
/// (they are also told by <c>vmgenid</c>), and their clocks. What stays as it was: names, network and Ethernet addresses (each fork has
/// networks of its own), machine ids, host keys, processes, connections between the machines.
/// </summary>
public sealed class EnvironmentSnapshot : IDisposable
{
    private readonly EnvironmentHost _host;
    private readonly SnapshotFolder _folder;
    private readonly SharedHold _hold;
    private readonly IDisposable _own;

    internal EnvironmentSnapshot(EnvironmentHost host, EnvironmentPlan plan, SnapshotFolder folder, DateTimeOffset taken, SharedHold hold)
    {
        (_host, Plan, _folder, Taken, _hold) = (host, plan, folder, taken, hold);
        _own = hold.Share();
    }

    /// <summary>When it was taken.</summary>
    public DateTimeOffset Taken { get; }

    /// <summary>The memory that one fork may come to need of the host's, in MiB; a fork waits until it is free.</summary>
    public long ForkMemoryMiB => Plan.Machines.Sum(machine => (long)machine.MemoryMiB + HostBudget.OverheadMiB);

    /// <summary>How many forks the host's memory has room for at the same time, at least 1.</summary>
    public int ForksThatFit => (int)Math.Clamp(_host.Budget.TotalMiB / ForkMemoryMiB, 1, 1000);

    /// <summary>The environment.</summary>
    internal EnvironmentPlan Plan { get; }

    /// <summary>Where and on what its forks run.</summary>
    internal EnvironmentHost Host => _host;

    /// <summary>Starts a copy of the environment, which goes on from the snapshot. Waits while the host's memory has no room for it.</summary>
    /// <param name="cancellationToken">Ends the start; nothing of it remains.</param>
    /// <returns>The copy, running; disposing it destroys it.</returns>
    /// <exception cref="VirtigoException">The host lacks something, or a machine does not answer.</exception>
    public Task<VirtualEnvironment> ForkAsync(CancellationToken cancellationToken) => ForkAsync(null, cancellationToken);

    /// <summary>Starts a copy of the environment whose faults draw from a seed of its own.</summary>
    /// <param name="seed">The seed; null: chances go on where they were in the snapshot, those not drawn yet from the seed of the file.</param>
    /// <param name="cancellationToken">Ends the start; nothing of it remains.</param>
    /// <inheritdoc cref="ForkAsync(CancellationToken)"/>
    public async Task<VirtualEnvironment> ForkAsync(ulong? seed, CancellationToken cancellationToken)
    {
        var frames = SwitchState.Read(await File.ReadAllBytesAsync(_folder.Switch, cancellationToken));
        IDisposable memory = await _host.Budget.ReserveAsync(ForkMemoryMiB, $"A copy of {Plan.Spec.Name}", null, cancellationToken);
        var fork = VirtualEnvironment.Create(_host, Plan, frames, seed, guest: null, [memory, _hold.Share()]);
        try
        {
            foreach (MachinePlan machine in Plan.Machines)
            {
                foreach ((string from, string to) in _folder.EmptyDisks(machine).Zip(fork.Folder.Disks(machine)))
                {
                    File.Copy(from, to);
                }
            }

            IGuest[] guests = await StartAsync(fork.Folder, cancellationToken);
            fork.Switch.Thaw();
            await Task.WhenAll(guests.Select(guest => guest.ResumeAsync(cancellationToken)));
            await Task.WhenAll(fork.Machines.Zip(guests).Select(pair => pair.First.AttachAsync(pair.Second, cancellationToken)));
            return fork;
        }
        catch
        {
            await fork.DisposeAsync();
            throw;
        }
    }

    /// <summary>Gives the snapshot up; forks of it go on.</summary>
    public void Dispose() => _own.Dispose();

    /// <summary>Starts every guest, paused; on a failure none is left.</summary>
    private async Task<IGuest[]> StartAsync(EnvironmentFolder folder, CancellationToken cancellationToken)
    {
        Task<IGuest>[] starting =
        [
            .. Plan.Machines.Index().Select(machine =>
                _host.Hypervisor.StartAsync(_folder.Fork(folder.Guest(_host, Plan, machine.Index), machine.Item), cancellationToken)),
        ];
        try
        {
            return await Task.WhenAll(starting);
        }
        catch
        {
            foreach (Task<IGuest> one in starting.Where(one => one.IsCompletedSuccessfully))
            {
                await (await one).DisposeAsync();
            }

            throw;
        }
    }
}

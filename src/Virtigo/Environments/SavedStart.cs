using Virtigo.Hypervisors;
using Virtigo.Networks;

namespace Virtigo.Environments;

/// <summary>Environments that go on from a saved one: its memory, its disks, and what its networks had in flight.</summary>
internal sealed class SavedStart : IEnvironmentStart
{
    private readonly EnvironmentHost _host;
    private readonly EnvironmentPlan _plan;
    private readonly SnapshotFolder _folder;
    private readonly SharedHold _hold;
    private readonly IDisposable _own;

    public SavedStart(EnvironmentHost host, EnvironmentPlan plan, SnapshotFolder folder, SharedHold hold)
    {
        (_host, _plan, _folder, _hold) = (host, plan, folder, hold);
        _own = hold.Share();
    }

    /// <inheritdoc/>
    public bool Boots => false;

    /// <inheritdoc/>
    public async Task<VirtualEnvironment> StartAsync(ulong? seed, CancellationToken cancellationToken)
    {
        var frames = SwitchState.Read(await File.ReadAllBytesAsync(_folder.Switch, cancellationToken));
        IDisposable memory = await _host.Budget.ReserveAsync(_plan.MemoryMiB, $"A copy of {_plan.Spec.Name}", null, cancellationToken);
        var fork = VirtualEnvironment.Create(_host, _plan, frames, seed, guest: null, [memory, _hold.Share()]);
        try
        {
            foreach (MachinePlan machine in _plan.Machines)
            {
                foreach ((string from, string to) in _folder.EmptyDisks(machine).Zip(fork.Folder.Disks(machine)))
                {
                    File.Copy(from, to);
                }
            }

            IGuest[] guests = await GuestsAsync(fork.Folder, cancellationToken);
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

    /// <inheritdoc/>
    public void Dispose() => _own.Dispose();

    /// <summary>Starts every guest, paused; on a failure none is left.</summary>
    private async Task<IGuest[]> GuestsAsync(EnvironmentFolder folder, CancellationToken cancellationToken)
    {
        Task<IGuest>[] starting =
        [
            .. _plan.Machines.Index().Select(machine =>
                _host.Hypervisor.StartAsync(_folder.Fork(folder.Guest(_host, _plan, machine.Index), machine.Item), cancellationToken)),
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

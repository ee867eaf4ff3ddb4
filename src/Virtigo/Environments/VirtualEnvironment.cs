using Virtigo.Hypervisors;
using Virtigo.Machines;
using Virtigo.Networks;

namespace Virtigo.Environments;

/// <summary>
/// Several machines and networks that live and die together, cut off from the host and the world. Disposing it destroys everything; so does
/// the end of this process, however it comes.
/// </summary>
public sealed partial class VirtualEnvironment : IAsyncDisposable
{
    private readonly EnvironmentHost _host;
    private readonly EnvironmentPlan _plan;
    private readonly EnvironmentFolder _folder;
    private readonly IReadOnlyList<IDisposable> _held;
    private readonly SemaphoreSlim _snapshotTurn = new(1);
    private int _disposed;

    private VirtualEnvironment(
        EnvironmentHost host, EnvironmentPlan plan, EnvironmentFolder folder, NetworkSwitch network, IReadOnlyList<Machine> machines, ulong seed,
        IReadOnlyList<IDisposable> held)
    {
        (_host, _plan, _folder, Switch, Machines, _held) = (host, plan, folder, network, machines, held);
        Links = new EnvironmentLinks(network, [.. machines.Select(machine => machine.Name)], seed);
    }

    /// <summary>The name: that of its file without extension.</summary>
    public string Name => _plan.Spec.Name;

    /// <summary>The machines, in the order of the file.</summary>
    public IReadOnlyList<Machine> Machines { get; }

    /// <summary>The links between machines, and their faults.</summary>
    public EnvironmentLinks Links { get; }

    /// <summary>The networks.</summary>
    internal NetworkSwitch Switch { get; }

    /// <summary>The plan it was made from.</summary>
    internal EnvironmentPlan Plan => _plan;

    /// <summary>The folder of its files on the host; gone with it.</summary>
    internal EnvironmentFolder Folder => _folder;

    /// <summary>A machine by its name.</summary>
    /// <param name="name">The name, as in the file.</param>
    /// <exception cref="VirtigoException">There is no such machine (<see cref="FailureKind.Usage"/>).</exception>
    public Machine this[string name] => Machines.FirstOrDefault(machine => machine.Name == name)
        ?? throw new VirtigoException(FailureKind.Usage, $"The environment {Name} has no machine \"{name}\".",
            $"Its machines: {string.Join(", ", Machines.Select(machine => machine.Name))}.");

    /// <summary>The environment that a file describes. Nothing is read or started yet.</summary>
    /// <param name="path">The file.</param>
    public static EnvironmentDefinition FromFile(string path) => new(path);

    /// <summary>Makes an environment whose machines are all off.</summary>
    /// <param name="host">Where and on what it runs.</param>
    /// <param name="plan">What it is.</param>
    /// <param name="frames">What its networks had in flight, which then stand still until they are thawed; null for new networks.</param>
    /// <param name="seed">Where the chances of its faults come from; null: those of frames go on where they were, else from the file's seed.</param>
    /// <param name="guest">Changes how a machine starts from power-off; null for not at all.</param>
    /// <param name="held">Disposed with the environment, and when it cannot be made.</param>
    internal static VirtualEnvironment Create(
        EnvironmentHost host, EnvironmentPlan plan, SwitchState? frames, ulong? seed, Func<MachinePlan, GuestConfig, GuestConfig>? guest,
        IReadOnlyList<IDisposable> held)
    {
        EnvironmentFolder? folder = null;
        EnvironmentEgress? egress = EnvironmentEgress.For(host, plan);
        held = egress is null ? held : [egress, .. held];
        try
        {
            folder = EnvironmentFolder.Create(host.Paths, raw: !host.Hypervisor.Capabilities.Qcow2);
            Machine[] machines = [.. plan.Machines.Index().Select(machine => MakeMachine(machine.Index, machine.Item))];
            var network = NetworkSwitch.Start(new SwitchOptions
            {
                Networks = folder.Networks(plan, egress?.ForSwitch()),
                Seed = seed ?? plan.Spec.Seed,
                DrawAnew = seed is not null,
                Clock = host.Clock,
                Restore = frames,
                StartFrozen = frames is not null,
            });
            return new VirtualEnvironment(host, plan, folder, network, machines, seed ?? plan.Spec.Seed, held);
        }
        catch
        {
            folder?.Dispose();
            foreach (IDisposable one in held)
            {
                one.Dispose();
            }

            throw;
        }

        Machine MakeMachine(int index, MachinePlan machine)
        {
            GuestConfig cold = folder.Guest(host, plan, index);
            return new Machine(new MachineConfig
            {
                Name = machine.Name,
                Hypervisor = host.Hypervisor,
                Guest = guest?.Invoke(machine, cold) ?? cold,
                Speed = host.Speed,
                Seed = seed ?? plan.Spec.Seed,
                Clock = host.Clock,
                Console = EnvironmentFolder.Console,
                Control = machine.Control,
                Passphrase = machine.Appliance.Disk.Value.Passphrase,
            });
        }
    }

    /// <summary>
    /// Saves the whole environment at one instant, and lets it go on. Forks of such a snapshot take about a second for each 512 MiB that the
    /// machines use, since their memory is read from a file; those of <see cref="EnvironmentDefinition.PrepareAsync"/> do not.
    /// </summary>
    /// <param name="cancellationToken">Ends the saving; the environment goes on.</param>
    /// <exception cref="VirtigoException">
    /// A machine is off, the host has no room, or the hypervisor cannot save running machines (<see cref="FailureKind.Usage"/>).
    /// </exception>
    public async Task<EnvironmentSnapshot> SnapshotAsync(CancellationToken cancellationToken)
    {
        var fork = HypervisorFeature.Of("fork");
        if (!fork.IsIn(_host.Hypervisor.Capabilities))
        {
            throw new VirtigoException(FailureKind.Usage,
                $"The environment {Name} cannot be saved as it runs: {_host.Hypervisor.Name} has {fork.LackIn(_host.Hypervisor.Capabilities)}.", "Run it by qemu, which can.");
        }

        await _snapshotTurn.WaitAsync(cancellationToken);
        Host.WorkFolder work = Host.WorkFolder.Create(_host.Paths, "snapshot");
        try
        {
            var folder = new SnapshotFolder(work.Path);
            try
            {
                await SnapshotTaking.SaveAsync(_plan, Machines, Switch, folder, cancellationToken);
                foreach (MachinePlan machine in _plan.Machines)
                {
                    foreach ((string from, string to) in _folder.Disks(machine).Zip(folder.Disks(machine)))
                    {
                        File.Copy(from, to);
                    }
                }
            }
            finally
            {
                await Task.WhenAll(Machines.Select(machine => machine.Guest.ResumeAsync(CancellationToken.None)));
                Switch.Thaw();
            }

            await Task.WhenAll(_plan.Machines.Select(machine => SnapshotTaking.MakeEmptyDisksAsync(machine, folder, folder, cancellationToken)));
            return new EnvironmentSnapshot(_host, _plan, new SavedStart(_host, _plan, folder, new SharedHold([work])), _host.Clock.GetUtcNow());
        }
        catch
        {
            work.Dispose();
            throw;
        }
        finally
        {
            _snapshotTurn.Release();
        }
    }

    /// <summary>Starts a second environment that goes on from where this one is now, each without the other noticing.</summary>
    /// <param name="cancellationToken">Ends it.</param>
    /// <inheritdoc cref="SnapshotAsync" path="/exception"/>
    public async Task<VirtualEnvironment> ForkAsync(CancellationToken cancellationToken)
    {
        using EnvironmentSnapshot snapshot = await SnapshotAsync(cancellationToken);
        return await snapshot.ForkAsync(cancellationToken);
    }

    /// <summary>Destroys the machines, the networks and every file of the environment. A failure of one does not spare the others.</summary>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0)
        {
            return;
        }

        try
        {
            await Task.WhenAll(_forwards.Select(forward => forward.DisposeAsync().AsTask()));
            await Task.WhenAll(Machines.Select(machine => machine.DisposeAsync().AsTask()));
        }
        finally
        {
            try
            {
                await Switch.DisposeAsync();
            }
            finally
            {
                _folder.Dispose();
                foreach (IDisposable one in _held)
                {
                    one.Dispose();
                }
            }
        }
    }
}

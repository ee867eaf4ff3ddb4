namespace Virtigo.Environments;

/// <summary>
/// A running environment as it was at one instant: the start of any number of forks. What a fork refreshes: the entropy of its kernels
/// (they are also told by <c>vmgenid</c>), and their clocks. What stays as it was: names, network and Ethernet addresses (each fork has
/// networks of its own), machine ids, host keys, processes, connections between the machines. On a hypervisor that cannot save running machines it is the
/// way to that instant, which each fork goes again (<see cref="BootsEachFork"/>).
/// </summary>
public sealed class EnvironmentSnapshot : IDisposable
{
    private readonly EnvironmentHost _host;
    private readonly IEnvironmentStart _start;

    internal EnvironmentSnapshot(EnvironmentHost host, EnvironmentPlan plan, IEnvironmentStart start, DateTimeOffset taken) =>
        (_host, Plan, _start, Taken) = (host, plan, start, taken);

    /// <summary>The name of the hypervisor that runs the forks.</summary>
    public string Hypervisor => _host.Hypervisor.Name;

    /// <summary>Whether each fork boots its machines anew and does the <c>ready</c> steps again, since the hypervisor cannot save running machines.</summary>
    public bool BootsEachFork => _start.Boots;

    /// <summary>When it was taken, or else made ready to be booted.</summary>
    public DateTimeOffset Taken { get; }

    /// <summary>The memory that one fork may come to need of the host's, in MiB; a fork waits until it is free.</summary>
    public long ForkMemoryMiB => Plan.MemoryMiB;

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
    public Task<VirtualEnvironment> ForkAsync(ulong? seed, CancellationToken cancellationToken) => _start.StartAsync(seed, cancellationToken);

    /// <summary>Gives the snapshot up; forks of it go on.</summary>
    public void Dispose() => _start.Dispose();
}

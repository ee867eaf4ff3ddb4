namespace Virtigo.Hypervisors;

/// <summary>What runs guests: QEMU, User-Mode Linux, Xen, libvirt.</summary>
public interface IHypervisor
{
    /// <summary>The name for people, such as <c>qemu</c>.</summary>
    string Name { get; }

    /// <summary>The name of the hypervisor that runs the guests in the end: another's where this one is a way to it.</summary>
    string Engine => Name;

    /// <summary>What guests of this hypervisor can do.</summary>
    HypervisorCapabilities Capabilities { get; }

    /// <summary>The hypervisor's own version, as it says it.</summary>
    /// <exception cref="VirtigoException"><see cref="FailureKind.Host"/> when it is not installed.</exception>
    Task<string> VersionAsync(CancellationToken cancellationToken);

    /// <summary>Looks whether this host can run guests this way, and starts none. Never fails: what is wrong is the answer.</summary>
    /// <param name="cancellationToken">Ends the look.</param>
    Task<HypervisorPresence> LookAsync(CancellationToken cancellationToken);

    /// <summary>
    /// Finds out how guests run best on this host, by running one. The answer is cached until the host boots again.
    /// </summary>
    /// <param name="kernelPath">A Linux kernel that can boot under this hypervisor.</param>
    /// <param name="cancellationToken">Ends the probe and its guest.</param>
    /// <exception cref="VirtigoException"><see cref="FailureKind.Host"/> when no guest runs at all.</exception>
    Task<AcceleratorReport> ProbeAsync(string kernelPath, CancellationToken cancellationToken);

    /// <summary>What a probe found on this host since it booted, or null when none was made: nothing is started.</summary>
    AcceleratorReport? Remembered();

    /// <summary>The kernel that its guests boot where they need one of their own kind and it is installed; null where those of the guests' systems do.</summary>
    string? OwnKernel { get; }

    /// <summary>What its guests can have of memory together, those of Virtigo that run already among them, in MiB; null where it is that of the host's programs.</summary>
    /// <param name="cancellationToken">Ends the look.</param>
    /// <exception cref="VirtigoException"><see cref="FailureKind.Host"/> when it does not say.</exception>
    Task<long?> GuestMemoryMiBAsync(CancellationToken cancellationToken) => Task.FromResult<long?>(null);

    /// <summary>Starts a guest. Everything that cannot be done is refused before a process starts.</summary>
    /// <param name="config">The guest.</param>
    /// <param name="cancellationToken">Ends the start; a guest that was returned is not affected.</param>
    /// <returns>The running guest; disposing it ends it.</returns>
    /// <exception cref="VirtigoException">
    /// <see cref="FailureKind.Usage"/> for a configuration this hypervisor cannot run,
    /// <see cref="FailureKind.Host"/> when the host lacks something or the hypervisor does not start.
    /// </exception>
    Task<IGuest> StartAsync(GuestConfig config, CancellationToken cancellationToken);
}

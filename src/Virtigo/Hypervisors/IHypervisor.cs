namespace Virtigo.Hypervisors;

/// <summary>What runs guests: QEMU, and later User-Mode Linux, Xen, libvirt.</summary>
public interface IHypervisor
{
    /// <summary>The name for people, such as <c>qemu</c>.</summary>
    string Name { get; }

    /// <summary>What guests of this hypervisor can do.</summary>
    HypervisorCapabilities Capabilities { get; }

    /// <summary>The hypervisor's own version, as it says it.</summary>
    /// <exception cref="VirtigoException"><see cref="FailureKind.Host"/> when it is not installed.</exception>
    Task<string> VersionAsync(CancellationToken cancellationToken);

    /// <summary>
    /// Finds out how guests run best on this host, by running one. The answer is cached until the host boots again.
    /// </summary>
    /// <param name="kernelPath">A Linux kernel that can boot under this hypervisor.</param>
    /// <param name="cancellationToken">Ends the probe and its guest.</param>
    /// <exception cref="VirtigoException"><see cref="FailureKind.Host"/> when no guest runs at all.</exception>
    Task<AcceleratorReport> ProbeAsync(string kernelPath, CancellationToken cancellationToken);

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

/// <summary>What a hypervisor's guests can do; what is false is refused by name before anything starts.</summary>
public sealed record HypervisorCapabilities
{
    /// <summary>The number of serial ports a guest can have.</summary>
    public required int MaxSerials { get; init; }

    /// <summary>A kernel and initrd of the host's can be booted directly.</summary>
    public bool KernelBoot { get; init; }

    /// <summary>A channel to the guest agent that is not a network.</summary>
    public bool AgentChannel { get; init; }

    /// <summary>A channel for streams that is not a network.</summary>
    public bool StreamChannel { get; init; }

    /// <summary>A guest's state can be saved, and any number of guests be started from it.</summary>
    public bool Fork { get; init; }

    /// <summary>Disks can be made faulty while the guest runs.</summary>
    public bool DiskFaults { get; init; }

    /// <summary>Keys can be pressed on the guest's keyboard.</summary>
    public bool SendKeys { get; init; }

    /// <summary>The guest can have a screen.</summary>
    public bool Display { get; init; }
}

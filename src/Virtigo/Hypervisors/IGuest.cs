namespace Virtigo.Hypervisors;

/// <summary>One running guest. Disposing it ends it and leaves no process and no socket behind.</summary>
public interface IGuest : IAsyncDisposable
{
    /// <summary>The process id of the hypervisor on the host.</summary>
    int ProcessId { get; }

    /// <summary>Completes, never faults, when the guest has ended and its logs are complete.</summary>
    Task<GuestExit> Exited { get; }

    /// <summary>
    /// Opens a serial port. Each call gives a stream of its own: it begins with what the port remembers (at most the last
    /// mebibyte), loses nothing after that, and ends with the guest. What is written goes to the guest.
    /// An open stream that is not read holds the guest's output up; dispose it when done.
    /// </summary>
    /// <param name="name">The <see cref="GuestSerial.Name"/> of the port.</param>
    /// <exception cref="ArgumentException">There is no such port.</exception>
    Stream OpenSerial(string name);

    /// <summary>The channel to the guest's agent, or null when the guest was started without one. It has one reader.</summary>
    Stream? Agent { get; }

    /// <summary>Presses the power button: asks the guest's system to shut down.</summary>
    /// <exception cref="VirtigoException"><see cref="FailureKind.Guest"/> when the guest has ended.</exception>
    Task PowerButtonAsync(CancellationToken cancellationToken);

    /// <summary>Ends the guest at once, as by pulling the plug, and waits for its end. Does nothing to one that has ended.</summary>
    Task KillAsync(CancellationToken cancellationToken);
}

/// <summary>Why a guest ended.</summary>
public enum GuestExitReason
{
    /// <summary>Its own system powered it off: the clean end.</summary>
    GuestShutdown,

    /// <summary>Its own system rebooted it, and it was not to start again.</summary>
    GuestReset,

    /// <summary>Its kernel panicked.</summary>
    GuestPanicked,

    /// <summary>The host could not store what the guest wrote: a full or broken disk of the host's.</summary>
    HostDiskError,

    /// <summary>The hypervisor ended without having been asked to.</summary>
    HypervisorDied,

    /// <summary>We ended it.</summary>
    Killed,
}

/// <summary>How a guest ended.</summary>
/// <param name="Reason">Why.</param>
/// <param name="Detail">One sentence for a person.</param>
/// <param name="ExitCode">The hypervisor's exit code; 128 + n when signal n ended it.</param>
/// <param name="ErrorTail">The last of what the hypervisor wrote to its standard error, at most 16 KiB.</param>
/// <param name="Command">The hypervisor's command line, quoted for a shell.</param>
public sealed record GuestExit(GuestExitReason Reason, string Detail, int ExitCode, string ErrorTail, string Command);

namespace Virtigo.Hypervisors;

/// <summary>One running guest. Disposing it ends it and leaves no process and no socket behind.</summary>
public interface IGuest : IAsyncDisposable
{
    /// <summary>The process id of the hypervisor on the host.</summary>
    int ProcessId { get; }

    /// <summary>Completes, never faults, when the guest has ended, its logs are complete and its disks can be used by another.</summary>
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

    /// <summary>The longest request to the agent that surely arrives, in bytes, at least 1024; what is longer is to be given in parts.</summary>
    int AgentRequestLimit => int.MaxValue;

    /// <summary>The channel for streams, or null when the guest was started without one. It has one reader.</summary>
    Stream? Channel { get; }

    /// <summary>Presses the power button: asks the guest's system to shut down.</summary>
    /// <exception cref="VirtigoException"><see cref="FailureKind.Guest"/> when the guest has ended.</exception>
    Task PowerButtonAsync(CancellationToken cancellationToken);

    /// <summary>Presses the reset button: the guest begins again from its firmware, without warning.</summary>
    /// <exception cref="VirtigoException"><see cref="FailureKind.Guest"/> when the guest has ended.</exception>
    Task ResetAsync(CancellationToken cancellationToken);

    /// <summary>Stops the guest's processors; its clocks stand still with them. Does nothing to one that is paused.</summary>
    /// <exception cref="VirtigoException"><see cref="FailureKind.Guest"/> when the guest has ended.</exception>
    Task PauseAsync(CancellationToken cancellationToken);

    /// <summary>Lets a paused guest go on. Does nothing to one that runs.</summary>
    /// <exception cref="VirtigoException"><see cref="FailureKind.Guest"/> when the guest has ended.</exception>
    Task ResumeAsync(CancellationToken cancellationToken);

    /// <summary>
    /// Writes the state of a paused guest to a file, everything but what is in its <see cref="GuestConfig.MemoryFile"/> if that is shared.
    /// From there and a private use of that memory file any number of guests can be started, once this guest was killed.
    /// </summary>
    /// <param name="path">The file; made, only for its owner.</param>
    /// <param name="cancellationToken">Ends the saving; the file is then removed.</param>
    /// <exception cref="VirtigoException"><see cref="FailureKind.Guest"/> when the guest has ended or its state cannot be saved.</exception>
    Task SaveStateAsync(string path, CancellationToken cancellationToken);

    /// <summary>Presses keys together on the guest's keyboard and lets them go.</summary>
    /// <param name="keys">QEMU's names of the keys (<c>ctrl</c>, <c>alt</c>, <c>a</c>, <c>ret</c>), at most 8.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="VirtigoException">
    /// <see cref="FailureKind.Usage"/> when there is no such key, <see cref="FailureKind.Guest"/> when the guest has ended.
    /// </exception>
    Task SendKeysAsync(IReadOnlyList<string> keys, CancellationToken cancellationToken);

    /// <summary>A picture of the guest's screen, as PNG of at most 64 MiB.</summary>
    /// <exception cref="VirtigoException">
    /// <see cref="FailureKind.Usage"/> when it was started without <see cref="GuestConfig.Display"/>, <see cref="FailureKind.Guest"/> when it has ended.
    /// </exception>
    Task<byte[]> ScreenshotAsync(CancellationToken cancellationToken);

    /// <summary>
    /// Gives the guest's kernel a SysRq command, by the route that this hypervisor has: a BREAK and the key on a serial line, the toolstack, or
    /// the guest's console device.
    /// </summary>
    /// <param name="serial">The <see cref="GuestSerial.Name"/> of the port that is the kernel's console.</param>
    /// <param name="key">The command: a lower-case letter or a digit.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="ArgumentException">There is no such port.</exception>
    /// <exception cref="VirtigoException"><see cref="FailureKind.Guest"/> when the guest has ended.</exception>
    Task SysRqAsync(string serial, char key, CancellationToken cancellationToken);

    /// <summary>Makes a disk faulty, or whole again.</summary>
    /// <param name="disk">Its place in <see cref="GuestConfig.Disks"/>, from 0.</param>
    /// <param name="fault">What is wrong with it from now on; replaces an earlier fault.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="ArgumentOutOfRangeException">There is no such disk, or the limit is below 1024.</exception>
    /// <exception cref="VirtigoException">
    /// <see cref="FailureKind.Guest"/> when the guest has ended, <see cref="FailureKind.Usage"/> when a disk that cannot be written is to lose
    /// writes, <see cref="FailureKind.Host"/> when the host lacks what the fault needs, or has no room for what the disk's cache held.
    /// </exception>
    Task SetDiskFaultAsync(int disk, DiskFault fault, CancellationToken cancellationToken);

    /// <summary>
    /// Ends the guest at once, as by pulling the plug, and waits for its end; disks with <see cref="DiskFaultKind.LostWrites"/> lose writes. Does
    /// nothing to one that has ended.
    /// </summary>
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

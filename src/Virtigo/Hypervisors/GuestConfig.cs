using System.Collections.ObjectModel;

namespace Virtigo.Hypervisors;

/// <summary>One guest, as a hypervisor is to run it.</summary>
public sealed record GuestConfig
{
    /// <summary>The name for process lists and messages: letters, digits, <c>-</c>, <c>_</c> and <c>.</c>, at most 63.</summary>
    public required string Name { get; init; }

    /// <summary>
    /// The folder for the guest's sockets: absolute, only for its owner (0700; created so when absent), and short, since
    /// a unix socket's path has at most 107 bytes.
    /// </summary>
    public required string WorkDirectory { get; init; }

    /// <summary>The number of processors, 1 to 255. Under emulation one is the fastest.</summary>
    public int Cpus { get; init; } = 1;

    /// <summary>Memory, in MiB, at least 16.</summary>
    public required int MemoryMiB { get; init; }

    /// <summary>The disks, in the order in which the guest sees them and boots from them.</summary>
    public IReadOnlyList<GuestDisk> Disks { get; init; } = [];

    /// <summary>What starts the guest. UEFI's variables are those of a new machine each time it is switched on.</summary>
    public FirmwareKind Firmware { get; init; }

    /// <summary>The kernel to boot, or null to boot from the first disk.</summary>
    public KernelBoot? Kernel { get; init; }

    /// <summary>The network cards, at most 8, in the order in which the guest sees them.</summary>
    public IReadOnlyList<GuestNic> Nics { get; init; } = [];

    /// <summary>The serial ports, the first of which is <c>ttyS0</c>.</summary>
    public IReadOnlyList<GuestSerial> Serials { get; init; } = [];

    /// <summary>Whether the guest has a channel for qemu-guest-agent.</summary>
    public bool AgentChannel { get; init; }

    /// <summary>Whether the guest has a second channel, for streams: a virtio-serial port named <c>io.virtigo.stream</c>.</summary>
    public bool StreamChannel { get; init; }

    /// <summary>The file that is the guest's memory; null for memory of the hypervisor's own.</summary>
    public GuestMemoryFile? MemoryFile { get; init; }

    /// <summary>
    /// A state of <see cref="IGuest.SaveStateAsync"/> that the guest begins with instead of booting; null to boot. If the other guest's memory
    /// was in a shared file, <see cref="MemoryFile"/> is that file; if not, it is null. Everything but paths is configured as it was then.
    /// </summary>
    public string? SavedState { get; init; }

    /// <summary>Whether the guest stays paused when it was started, until <see cref="IGuest.ResumeAsync"/>.</summary>
    public bool StartPaused { get; init; }

    /// <summary>Whether the guest can tell that it is a copy: it is given another generation id each time it is started.</summary>
    public bool GenerationId { get; init; }

    /// <summary>How the guest's code runs; <see cref="Accelerator.Auto"/> takes what the last probe found, else emulation.</summary>
    public Accelerator Accelerator { get; init; } = Accelerator.Auto;

    /// <summary>The processor's model; null for the host's own under KVM and for the most able one under emulation.</summary>
    public string? CpuModel { get; init; }

    /// <summary>Memory of the host's for translated code under emulation, in MiB, 16 to 2048.</summary>
    public int TranslationCacheMiB { get; init; } = 512;

    /// <summary>Whether the guest has a graphics card. It is shown nowhere by itself.</summary>
    public bool Display { get; init; }

    /// <summary>
    /// System credentials that the guest's firmware carries, for guests with systemd (<c>systemd.system-credentials(7)</c>): names of letters,
    /// digits, <c>.</c>, <c>_</c> and <c>-</c>, and printable ASCII values, at most 64 of each.
    /// </summary>
    public IReadOnlyDictionary<string, string> Credentials { get; init; } = ReadOnlyDictionary<string, string>.Empty;

    /// <summary>Whether a reboot starts the guest again; if not, it ends the guest.</summary>
    public bool RestartOnReset { get; init; }
}

/// <summary>A network card of a guest.</summary>
/// <param name="Socket">The unix socket of the network that the card is plugged into.</param>
/// <param name="Mac">Its address, as <c>52:54:00:12:34:56</c>.</param>
public sealed record GuestNic(string Socket, string Mac = GuestNic.DefaultMac)
{
    /// <summary>The address of a guest's only card where nothing else matters.</summary>
    public const string DefaultMac = "52:54:00:12:34:56";

    /// <summary>The largest packet, in bytes, 68 to 65535.</summary>
    public int Mtu { get; init; } = 1500;
}

/// <summary>A file that is a guest's memory, one byte for each of the guest's.</summary>
/// <param name="Path">Its absolute path; made when absent.</param>
/// <param name="Shared">
/// Whether what the guest writes goes to the file. If not, the file is only read, and any number of guests can begin with it.
/// </param>
public sealed record GuestMemoryFile(string Path, bool Shared);

/// <summary>A disk of a guest.</summary>
/// <param name="Path">The image's absolute path.</param>
/// <param name="Format">Its format.</param>
public sealed record GuestDisk(string Path, DiskFormat Format)
{
    /// <summary>The serial number that the guest sees, at most 20 characters; null for none.</summary>
    public string? Serial { get; init; }

    /// <summary>The guest's flushes are ignored: fast, and only for disks that a crash of the host's may break.</summary>
    public bool Unsafe { get; init; }

    /// <summary>The guest cannot write.</summary>
    public bool ReadOnly { get; init; }

    /// <summary>The guest sees a disc in a drive. Such a disk is read-only, and the last one.</summary>
    public bool IsDisc { get; init; }
}

/// <summary>What is wrong with a disk, as a guest sees it.</summary>
public enum DiskFaultKind
{
    /// <summary>Nothing.</summary>
    None,

    /// <summary>Every read and write fails.</summary>
    Error,

    /// <summary>Every write fails, as on a thinly provisioned disk whose storage is full; reading works.</summary>
    Full,

    /// <summary>Reads and writes together are no faster than a limit.</summary>
    Slow,

    /// <summary>
    /// The disk keeps what is written in a volatile cache of 64 MiB until the guest flushes it. A power cut
    /// (<see cref="IGuest.KillAsync"/>) loses what is in it; nothing else does.
    /// </summary>
    LostWrites,
}

/// <summary>What of the writes that were not flushed a power cut loses.</summary>
public enum DiskLoss
{
    /// <summary>All of them: the disk is as it was at its last flush.</summary>
    All,

    /// <summary>
    /// A draw for each: some have reached the disk, in any order, and some of those only in part (whole sectors of 512 bytes). Between two
    /// flushes a disk promises nothing.
    /// </summary>
    Some,
}

/// <summary>A fault of a disk.</summary>
/// <param name="Kind">What is wrong.</param>
/// <param name="BytesPerSecond">The limit of a slow disk, at least 1024; without meaning for others.</param>
public sealed record DiskFault(DiskFaultKind Kind, long BytesPerSecond = 0)
{
    /// <summary>What a power cut loses under <see cref="DiskFaultKind.LostWrites"/>; without meaning for others.</summary>
    public DiskLoss Loss { get; init; }

    /// <summary>
    /// Where the draws of <see cref="DiskLoss.Some"/> come from: the same writes and the same seed are the same loss. Null: the seed of the
    /// machine's environment, or 0 for a guest of its own.
    /// </summary>
    public ulong? Seed { get; init; }
}

/// <summary>The format of a disk image.</summary>
public enum DiskFormat
{
    /// <summary>QEMU's own: sparse, compressible, with backing files.</summary>
    Qcow2,

    /// <summary>The disk's bytes.</summary>
    Raw,
}

/// <summary>A kernel that the hypervisor boots directly.</summary>
/// <param name="KernelPath">The kernel's absolute path.</param>
/// <param name="InitrdPath">The initrd's absolute path, or null for none.</param>
/// <param name="CommandLine">The kernel's command line.</param>
public sealed record KernelBoot(string KernelPath, string? InitrdPath, string CommandLine);

/// <summary>A serial port of a guest.</summary>
/// <param name="Name">Its name for <see cref="IGuest.OpenSerial"/>: lower-case letters, digits and <c>-</c>, at most 16.</param>
public sealed record GuestSerial(string Name)
{
    /// <summary>
    /// The file that keeps what the guest writes, or null. Of a flood its beginning and its end (the last mebibyte) are kept;
    /// the end is written when the guest ends.
    /// </summary>
    public string? LogFile { get; init; }

    /// <summary>Whether <see cref="LogFile"/> goes on after what is in it, as for a guest that goes on from a saved state.</summary>
    public bool LogAppends { get; init; }

    /// <summary>The most that <see cref="LogFile"/> keeps of the beginning, in bytes.</summary>
    public long LogLimit { get; init; } = 16L << 20;
}

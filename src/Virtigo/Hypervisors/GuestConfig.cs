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

    /// <summary>The kernel to boot, or null to boot from the first disk.</summary>
    public KernelBoot? Kernel { get; init; }

    /// <summary>The unix socket of the network that the guest's only network card is plugged into; null for no card.</summary>
    public string? NetworkSocket { get; init; }

    /// <summary>The largest packet of the network card, in bytes, 68 to 65535.</summary>
    public int Mtu { get; init; } = 1500;

    /// <summary>The network card's address, as <c>52:54:00:12:34:56</c>.</summary>
    public string Mac { get; init; } = "52:54:00:12:34:56";

    /// <summary>The serial ports, the first of which is <c>ttyS0</c>.</summary>
    public IReadOnlyList<GuestSerial> Serials { get; init; } = [];

    /// <summary>Whether the guest has a channel for qemu-guest-agent.</summary>
    public bool AgentChannel { get; init; }

    /// <summary>How the guest's code runs; <see cref="Accelerator.Auto"/> takes what the last probe found, else emulation.</summary>
    public Accelerator Accelerator { get; init; } = Accelerator.Auto;

    /// <summary>The processor's model; null for the host's own under KVM and for the most able one under emulation.</summary>
    public string? CpuModel { get; init; }

    /// <summary>Memory of the host's for translated code under emulation, in MiB, 16 to 2048.</summary>
    public int TranslationCacheMiB { get; init; } = 512;

    /// <summary>Whether the guest has a graphics card. It is shown nowhere by itself.</summary>
    public bool Display { get; init; }

    /// <summary>Whether a reboot starts the guest again; if not, it ends the guest.</summary>
    public bool RestartOnReset { get; init; }
}

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

    /// <summary>The most that <see cref="LogFile"/> keeps of the beginning, in bytes.</summary>
    public long LogLimit { get; init; } = 16L << 20;
}

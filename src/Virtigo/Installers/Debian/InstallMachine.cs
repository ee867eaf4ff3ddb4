namespace Virtigo.Installers.Debian;

/// <summary>What of the machine that the installer runs in the installer must be told.</summary>
internal sealed record InstallMachine
{
    /// <summary>What the network card is called in machines with firmware, where the installed system is to run.</summary>
    private const string NicElsewhere = "ens3";

    /// <summary>What the installed system's kernels are told, for a console on the screen and the serial line, which gives the boot menu the latter as well.</summary>
    public const string KernelArguments = "console=tty0 console=ttyS0,115200";

    private InstallMachine()
    {
    }

    /// <summary>A machine with a disk and devices of virtio.</summary>
    public static InstallMachine Virtio { get; } = new() { Disk = "/dev/vda" };

    /// <summary>User-Mode Linux.</summary>
    public static InstallMachine UserMode { get; } = new() { Disk = "/dev/ubda", Nics = ["vec0"], ForeignKernel = true, HasFirmware = false };

    /// <summary>A guest of Xen's with Xen's own devices.</summary>
    public static InstallMachine Xen { get; } = new() { Disk = "/dev/xvda", Nics = ["enX0", "eth0"], Console = "hvc0", Log = "/dev/hvc1", HasFirmware = false };

    /// <summary>The device of the disk to install on.</summary>
    public required string Disk { get; init; }

    /// <summary>The console, by its name.</summary>
    public string Console { get; private init; } = "ttyS0";

    /// <summary>The device of the line that the installer's log is told on.</summary>
    public string Log { get; private init; } = "/dev/ttyS1";

    /// <summary>Whether the machine runs a kernel that is not the distribution's. Then the installer has no modules for it.</summary>
    public bool ForeignKernel { get; private init; }

    /// <summary>
    /// Whether the machine has the firmware that the installed system is to be started by. If not, the installer cannot put a boot loader on the disk:
    /// that is done from outside.
    /// </summary>
    public bool HasFirmware { get; private init; } = true;

    /// <summary>What the network card may be called in it.</summary>
    private IReadOnlyList<string> Nics { get; init; } = [];

    /// <summary>What the installer is answered because of it.</summary>
    public IEnumerable<Answer> Answers =>
    [
        .. !ForeignKernel ? Array.Empty<Answer>() :
            [new("d-i", "anna/no_kernel_modules", "boolean", "true", "The kernel has what is needed built in, and modules of the distribution's do not fit it.")],
        .. HasFirmware ? Array.Empty<Answer>() :
            [new("d-i", "nobootloader/confirmation_common", "note", "", "The boot loader is put in from outside, when the installer is done.")],
    ];

    /// <summary>The components that do not work in it.</summary>
    public IEnumerable<string> LeftOut =>
        [.. HasFirmware ? Array.Empty<string>() : ["grub-installer"], .. ForeignKernel ? ["scsi-modules", "ext4-modules"] : Array.Empty<string>()];

    /// <summary>The components that take the place of some of those: the installer does not end before one says that the system can be booted.</summary>
    public IEnumerable<string> Components => HasFirmware ? [] : ["nobootloader"];

    /// <summary>The packages that the installed system needs because of it.</summary>
    public IEnumerable<string> Packages => HasFirmware ? [] : ["grub2-common"];

    /// <summary>
    /// What is done in the installed system because of it: the name of the network card is that of the machines it will run in, and what the installer
    /// of the boot loader would have written is there for the first update of a kernel.
    /// </summary>
    public string AtEnd => HasFirmware ? "" : $"""
        #!/bin/sh
        sed -i 's/\b{(Nics is [var only] ? only : $"\\({string.Join("\\|", Nics)}\\)")}\b/{NicElsewhere}/g' /target/etc/network/interfaces
        cat >/target/etc/default/grub <<X
        GRUB_DEFAULT=0
        GRUB_TIMEOUT=5
        GRUB_DISTRIBUTOR=`lsb_release -i -s 2> /dev/null || echo Debian`
        GRUB_CMDLINE_LINUX_DEFAULT="quiet"
        GRUB_CMDLINE_LINUX="{KernelArguments}"
        GRUB_TERMINAL="console serial"
        X
        exit 0

        """;
}

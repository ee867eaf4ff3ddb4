namespace Virtigo.Installers.Debian;

/// <summary>What of the machine that the installer runs in the installer must be told.</summary>
/// <param name="Disk">The device of the disk to install on.</param>
/// <param name="ForeignKernel">
/// Whether the machine runs a kernel that is not the distribution's. Then the installer has no modules for it, and cannot put a boot loader on a disk
/// that no firmware of this machine knows: that is done from outside.
/// </param>
internal sealed record InstallMachine(string Disk, bool ForeignKernel)
{
    /// <summary>What the network card is called in machines with firmware, where the installed system is to run.</summary>
    private const string NicElsewhere = "ens3";

    /// <summary>What the installed system's kernels are told, for a console on the screen and the serial line, which gives the boot menu the latter as well.</summary>
    public const string KernelArguments = "console=tty0 console=ttyS0,115200";

    /// <summary>A machine with a disk and devices of virtio.</summary>
    public static InstallMachine Virtio { get; } = new("/dev/vda", ForeignKernel: false);

    /// <summary>User-Mode Linux.</summary>
    public static InstallMachine UserMode { get; } = new("/dev/ubda", ForeignKernel: true);

    /// <summary>What the installer is answered because of it.</summary>
    public IEnumerable<Answer> Answers => !ForeignKernel ? [] :
    [
        new("d-i", "anna/no_kernel_modules", "boolean", "true", "The kernel has what is needed built in, and modules of the distribution's do not fit it."),
        new("d-i", "nobootloader/confirmation_common", "note", "", "The boot loader is put in from outside, when the installer is done."),
    ];

    /// <summary>The components that do not work in it.</summary>
    public IReadOnlySet<string> LeftOut { get; } = new HashSet<string>(ForeignKernel ? ["grub-installer", "scsi-modules", "ext4-modules"] : Array.Empty<string>(), StringComparer.Ordinal);

    /// <summary>The components that take the place of some of those: the installer does not end before one says that the system can be booted.</summary>
    public IEnumerable<string> Components => ForeignKernel ? ["nobootloader"] : [];

    /// <summary>The packages that the installed system needs because of it.</summary>
    public IEnumerable<string> Packages => ForeignKernel ? ["grub2-common"] : [];

    /// <summary>
    /// What is done in the installed system because of it: the name of the network card is that of the machines it will run in, and what the installer
    /// of the boot loader would have written is there for the first update of a kernel.
    /// </summary>
    public string AtEnd => !ForeignKernel ? "" : $"""
        #!/bin/sh
        sed -i 's/\bvec0\b/{NicElsewhere}/g' /target/etc/network/interfaces
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

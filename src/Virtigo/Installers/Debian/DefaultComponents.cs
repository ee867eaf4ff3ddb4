namespace Virtigo.Installers.Debian;

/// <summary>The installer components of an appliance: one virtio disk, ext4, GRUB; what a disk of another kind needs is asked for beside them.</summary>
internal static class DefaultComponents
{
    /// <summary>
    /// What is asked for; dependencies are added by the resolver. Kernel modules are named by what they provide,
    /// so that the names do not depend on the kernel's version.
    /// </summary>
    public static IReadOnlyList<string> ForAppliance { get; } =
    [
        "bootstrap-base",
        "base-installer",
        "debootstrap-udeb",
        "apt-setup-udeb",
        "apt-mirror-setup",
        "pkgsel",
        "user-setup-udeb",
        "clock-setup",
        "tzsetup-udeb",
        "finish-install",
        "grub-installer",
        "partman-base",
        "partman-auto",
        "partman-basicfilesystems",
        "partman-basicmethods",
        "partman-ext3",
        "partman-partitioning",
        "partman-target",
        "partman-utils",
        "di-utils-mapdevfs",
        "e2fsprogs-udeb",
        "disk-detect",
        "ext4-modules",
        "scsi-modules",
    ];

    /// <summary>What is asked for when the disk is laid out in some way, and the installer runs in some machine.</summary>
    public static IReadOnlyList<string> For(DebianDisk disk, InstallMachine machine) =>
        [.. ForAppliance.Where(component => !machine.LeftOut.Contains(component)), .. machine.Components, .. disk.Components];

    /// <summary>
    /// Dependencies that only serve hardware, file systems or other systems that such an appliance does not have. The installer
    /// ignores a component that its retriever does not offer; every one left out saves the guest its unpacking and configuring.
    /// </summary>
    public static IReadOnlySet<string> LeftOut { get; } = new HashSet<string>(StringComparer.Ordinal)
    {
        "ata-modules",
        "cdrom-core-modules",
        "sata-modules",
        "pata-modules",
        "firewire-core-modules",
        "pcmcia-storage-modules",
        "mmc-modules",
        "usb-storage-modules",
        "dosfstools-udeb",
        "ntfs-3g-udeb",
        "multipath-udeb",
        "open-iscsi-udeb",
        "dmraid-udeb",

        // One disk, empty before the install: there is no other system to look for. The clock is the host's.
        "os-prober",
        "os-prober-udeb",
        "rdate-udeb",
    };
}

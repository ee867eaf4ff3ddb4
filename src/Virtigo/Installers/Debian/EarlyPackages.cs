namespace Virtigo.Installers.Debian;

/// <summary>
/// Packages that debian-installer puts onto every virtual machine anyway, one after the other in its later steps. Named in
/// <c>base-installer/includes</c> they come with the base system: one run of the package manager instead of a dozen, and before there is
/// a kernel, so that none of them has the initial file system built again.
/// </summary>
internal static class EarlyPackages
{
    private static readonly string[] Names =
    [
        "busybox", "zstd", "initramfs-tools", // what the kernel's initial file system is built with
        "locales", "pciutils", "laptop-detect", "installation-report",
        "grub-common", "grub2-common", "os-prober",

        // The guest agent, which the installer adds with its recommendations when it sees a virtual machine.
        "qemu-guest-agent", "libglib2.0-data", "shared-mime-info", "xdg-user-dirs",
    ];

    /// <summary>Those of them that an archive has, with what a disk needs.</summary>
    /// <param name="disk">How the disk is laid out.</param>
    /// <param name="machine">What the installer runs in.</param>
    /// <param name="exists">Tells whether the archive has a package.</param>
    public static IReadOnlyList<string> For(DebianDisk disk, InstallMachine machine, Func<string, bool> exists) =>
        [.. Names.Concat(disk.Packages).Concat(machine.Packages).Where(exists)];
}

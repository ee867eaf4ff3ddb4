namespace Virtigo.Installers.Debian;

/// <summary>
/// Which kernel modules belong into which component, for components that a mirror lacks. Modules that these depend on
/// are added from the modules' own description, so only the ones that give a component its purpose are listed.
/// </summary>
internal static class KernelModuleSets
{
    /// <summary>The ending of a component with kernel modules: <c>ext4-modules-6.12.107+deb13-amd64-di</c>.</summary>
    public const string Suffix = "-di";

    // Paths below kernel/, without the ending.
    private static readonly Dictionary<string, string[]> Sets = new(StringComparer.Ordinal)
    {
        ["ata-modules"] = ["drivers/ata/ata_generic", "drivers/ata/libata"],
        ["btrfs-modules"] = ["fs/btrfs/btrfs"],
        ["cdrom-core-modules"] = ["drivers/cdrom/cdrom", "drivers/scsi/sr_mod"],
        ["crypto-dm-modules"] = ["drivers/md/dm-crypt"],
        ["crypto-modules"] =
        [
            "arch/x86/crypto/aesni-intel", "crypto/aes_generic", "crypto/af_alg", "crypto/algif_hash", "crypto/algif_skcipher", "crypto/cbc",
            "crypto/ecb", "crypto/essiv", "crypto/sha256_generic", "crypto/sha512_generic", "crypto/xts",
        ],
        ["ext4-modules"] = ["fs/ext4/ext4"],
        ["f2fs-modules"] = ["fs/f2fs/f2fs"],
        ["fat-modules"] = ["fs/fat/fat", "fs/fat/vfat", "fs/nls/nls_ascii", "fs/nls/nls_cp437"],
        ["isofs-modules"] = ["fs/isofs/isofs"],
        ["jfs-modules"] = ["fs/jfs/jfs"],
        ["loop-modules"] = ["drivers/block/loop"],
        ["md-modules"] =
        [
            "drivers/md/bcache/bcache", "drivers/md/dm-log", "drivers/md/dm-mirror", "drivers/md/dm-mod", "drivers/md/dm-raid",
            "drivers/md/dm-region-hash", "drivers/md/dm-snapshot", "drivers/md/dm-thin-pool", "drivers/md/md-mod",
            "drivers/md/raid0", "drivers/md/raid1", "drivers/md/raid10", "drivers/md/raid456", "lib/raid6/raid6_pq",
        ],
        ["multipath-modules"] = ["drivers/md/dm-multipath", "drivers/md/dm-round-robin"],
        ["nbd-modules"] = ["drivers/block/nbd"],
        ["sata-modules"] = ["drivers/ata/ahci", "drivers/ata/ata_piix"],

        // The distribution's component has a driver for every SCSI adapter; a guest has the disks of hypervisors.
        ["scsi-modules"] =
        [
            "drivers/block/virtio_blk", "drivers/block/xen-blkfront", "drivers/nvme/host/nvme", "drivers/scsi/hv_storvsc",
            "drivers/scsi/virtio_scsi", "drivers/scsi/vmw_pvscsi",
        ],
        ["scsi-core-modules"] = ["drivers/scsi/scsi_mod", "drivers/scsi/sd_mod"],
        ["squashfs-modules"] = ["fs/squashfs/squashfs"],
        ["udf-modules"] = ["fs/udf/udf"],
        ["xfs-modules"] = ["fs/xfs/xfs"],
    };

    /// <summary>The names of the sets, for messages.</summary>
    public static IEnumerable<string> Names => Sets.Keys.Order(StringComparer.Ordinal);

    /// <summary>The modules of a component.</summary>
    /// <param name="component">The component's name, kernel version included.</param>
    /// <param name="kernelVersion">The kernel's release.</param>
    /// <returns>Paths below <c>kernel/</c> without an ending, or null when this component is not known.</returns>
    public static IReadOnlyList<string>? Find(string component, string kernelVersion)
    {
        string ending = $"-{kernelVersion}{Suffix}";
        return component.EndsWith(ending, StringComparison.Ordinal) ? Sets.GetValueOrDefault(component[..^ending.Length]) : null;
    }
}

using Virtigo.Installers.Debian;

namespace Virtigo.Appliances;

/// <summary>The keys of the machine's disk and firmware.</summary>
internal static partial class SpecKeys
{
    private static SpecKey[] Disk() =>
    [
        new("disk", new GroupType(
            [
                new("disk.size", new SizeType(2048 * MiB, 16L << 40), "The size of the disk. It is sparse: what is not used takes no space.", "8GiB",
                    "2GiB to 16TiB, whole MiB", "size: 20GiB"),
                new("disk.layout", TextType.OneOf("plain", "lvm"), "Partitions, or logical volumes in the group `system` beside a partition for `/boot`.", "plain",
                    "`plain` or `lvm`", "layout: lvm"),
                new("disk.encrypt", new TextType("a passphrase", ValueChecks.PassphraseOrReference),
                    "Encrypts the disk, all but `/boot`: the passphrase, or where it is, as for a password. It is asked for at every boot, on the serial console. "
                    + "The layout is `lvm` then.",
                    "not encrypted", "8 to 256 printable ASCII characters without `\\`, no blank first or last", "encrypt: env:DISK_PASSPHRASE")
                    { Secret = true },
                new("disk.grow", new FlagType(),
                    "Whether the root file system grows at boot when the machine's disk is larger than the image's.", "false", "`true` or `false`", "grow: true"),
                new("disk.filesystem", FileSystem(), "The kind of the root file system.", "ext4", "`ext4`, `xfs` or `btrfs`", "filesystem: xfs"),
                new("disk.swap", new SizeType(64 * MiB, 1L << 40), "The size of a swap space.", "none", "64MiB to 1TiB, whole MiB", "swap: 1GiB"),
                new("disk.mounts", new ItemsType(
                    [
                        new("disk.mounts[].path", new TextType("a path", ValueChecks.MountPath, "^/[a-z]"), "Where it is mounted.", "required",
                            "an absolute path of lower-case letters, digits, `-` and `_`", "path: /var"),
                        new("disk.mounts[].size", new SizeType(64 * MiB, 16L << 40), "Its size.", "required", "64MiB to 16TiB, whole MiB", "size: 4GiB"),
                        new("disk.mounts[].filesystem", FileSystem(), "Its kind.", "that of the root", "`ext4`, `xfs` or `btrfs`", "filesystem: ext4"),
                        new("disk.mounts[].options", new ListType(TextType.OneOf([.. DebianDisk.MountOptions]), 16), "How it is mounted.", "`defaults`",
                            "of " + string.Join(", ", DebianDisk.MountOptions.Select(option => $"`{option}`")), "options: [nodev, nosuid]"),
                    ], 20, ["path", "size"]),
                    "File systems of their own. What they and the swap space leave is the root's.", "none", "at most 20",
                    "mounts: [{path: /home, size: 4GiB}]"),
            ], "size"),
            "The disk. `disk: 20GiB` is short for the size alone.", "8GiB, one ext4 file system", "", "disk: {size: 20GiB, layout: lvm, swap: 1GiB}")
            { InConfig = true },
        new("firmware", TextType.OneOf("bios", "uefi"),
            "What starts the machine. An image for `uefi` also boots where Secure Boot is on, and on a machine that knows nothing of it.", "bios",
            "`bios` or `uefi`", "firmware: uefi")
            { InConfig = true },
    ];

    private static TextType FileSystem() => TextType.OneOf("ext4", "xfs", "btrfs");
}

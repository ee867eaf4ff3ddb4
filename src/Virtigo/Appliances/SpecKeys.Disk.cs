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
                new("disk.root", new SizeType(1536 * MiB, 16L << 40), "The size of the root file system where one of `disk.mounts` takes the rest.", "what the others leave",
                    "1536MiB to 16TiB, whole MiB", "root: 4GiB"),
                new("disk.swap", new SizeType(64 * MiB, 1L << 40), "The size of a swap space.", "none", "64MiB to 1TiB, whole MiB", "swap: 1GiB"),
                new("disk.mounts", new ItemsType(
                    [
                        new("disk.mounts[].path", new TextType("a path", ValueChecks.MountPath, "^/[a-z]"), "Where it is mounted.", "required",
                            "an absolute path of lower-case letters, digits, `-` and `_`", "path: /var"),
                        new("disk.mounts[].size", new PartSizeType(), "Its size; `30%` of the disk; or `rest`, what the others and `disk.root` leave.", "required", PartSizeType.Values, "size: 4GiB"),
                        new("disk.mounts[].filesystem", FileSystem(), "Its kind.", "that of the root", "`ext4`, `xfs` or `btrfs`", "filesystem: ext4"),
                        new("disk.mounts[].options", new ListType(TextType.OneOf([.. DebianDisk.MountOptions]), 16), "How it is mounted.", "`defaults`",
                            "of " + string.Join(", ", DebianDisk.MountOptions.Select(option => $"`{option}`")), "options: [nodev, nosuid]"),
                    ], 20, ["path", "size"]),
                    "File systems of their own. What they and the swap space leave is the root's.", "none", "at most 20",
                    "mounts: [{path: /home, size: 4GiB}]"),
                FurtherDisks(),
            ], "size"),
            "The disk. `disk: 20GiB` is short for the size alone.", "8GiB, one ext4 file system", "", "disk: {size: 20GiB, layout: lvm, swap: 1GiB}")
            { InConfig = true },
        new("firmware", TextType.OneOf("bios", "uefi"),
            "What starts the machine. An image for `uefi` also boots where Secure Boot is on, and on a machine that knows nothing of it.", "bios",
            "`bios` or `uefi`", "firmware: uefi")
            { InConfig = true },
    ];

    private static SpecKey FurtherDisks() => new("disk.disks", new ItemsType(
        [
            new("disk.disks[].name", new TextType("a disk's name", ValueChecks.DiskName, "^[a-z][a-z0-9-]*$"),
                "Its name, and its serial number: the machine has it as `/dev/disk/by-id/virtio-NAME`.", "required",
                "at most 20 lower-case letters, digits and `-`, a letter first; not `system`, which is the first disk", "name: data"),
            new("disk.disks[].size", new SizeType(64 * MiB, 16L << 40), "Its size. It is sparse.", "required", "64MiB to 16TiB, whole MiB", "size: 4GiB"),
            new("disk.disks[].partitions", new ItemsType(
                [
                    new("disk.disks[].partitions[].size", new PartSizeType(), "Its size; `30%` of the disk; or `rest`, what the others leave.", "required",
                        PartSizeType.Values, "size: rest"),
                    new("disk.disks[].partitions[].filesystem", TextType.OneOf("ext4", "xfs", "btrfs", "swap"), "What is on it.",
                        "`ext4` where it is mounted, else nothing", "`ext4`, `xfs`, `btrfs` or `swap`", "filesystem: xfs"),
                    new("disk.disks[].partitions[].path", new TextType("a path", ValueChecks.MountPath, "^/[a-z]"),
                        "Where it is mounted, from before the first package is unpacked.", "nowhere",
                        "an absolute path of lower-case letters, digits, `-` and `_`", "path: /srv"),
                    new("disk.disks[].partitions[].options", new ListType(TextType.OneOf([.. DebianDisk.MountOptions]), 16), "How it is mounted.", "`defaults`",
                        "of " + string.Join(", ", DebianDisk.MountOptions.Select(option => $"`{option}`")), "options: [nodev, nosuid]"),
                ], 20, ["size"]),
                "Its partitions, in a GPT.", "none: the disk is empty", "at most 20", "partitions: [{size: rest, path: /srv}]"),
        ], Hypervisors.Qemu.QemuCommandLine.MaxDevices - 1, ["name", "size"]),
        "Further disks of the machine. It boots from the first.", "none", "at most 7", "disks: [{name: data, size: 4GiB, partitions: [{size: rest, path: /srv}]}]");

    private static TextType FileSystem() => TextType.OneOf("ext4", "xfs", "btrfs");
}

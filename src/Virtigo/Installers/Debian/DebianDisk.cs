using System.Globalization;
using Virtigo.Host;
using Virtigo.Hypervisors;

namespace Virtigo.Installers.Debian;

/// <summary>A file system of its own.</summary>
/// <param name="Path">Where it is mounted: absolute, without a slash at its end.</param>
/// <param name="MiB">Its size in MiB.</param>
/// <param name="FileSystem">Its kind: <c>ext4</c>, <c>xfs</c> or <c>btrfs</c>.</param>
internal sealed record DiskMount(string Path, long MiB, string FileSystem)
{
    /// <summary>How it is mounted, of <see cref="DebianDisk.MountOptions"/>, joined by commas; empty for the defaults.</summary>
    public string Options { get; init; } = "";
}

/// <summary>How the installer lays a disk out.</summary>
internal sealed record DebianDisk
{
    private const string DefaultFileSystem = "ext4";

    /// <summary>What may be said of how a file system is mounted: what partman offers for each kind, and the install survives.</summary>
    public static IReadOnlyList<string> MountOptions { get; } = ["noatime", "nodev", "nosuid", "noexec"];

    /// <summary>The firmware the machine boots from.</summary>
    public FirmwareKind Firmware { get; init; }

    /// <summary>Whether everything but what boots is on logical volumes.</summary>
    public bool Lvm { get; init; }

    /// <summary>What opens the disk, all but <c>/boot</c>; null for one that is not encrypted. Only with <see cref="Lvm"/>.</summary>
    public Passphrase? Passphrase { get; init; }

    /// <summary>Whether the root grows with the disk.</summary>
    public bool Grow { get; init; }

    /// <summary>The kind of the root file system.</summary>
    public string FileSystem { get; init; } = DefaultFileSystem;

    /// <summary>The size of the swap space in MiB; 0 for none.</summary>
    public long SwapMiB { get; init; }

    /// <summary>Further file systems. What they leave is the root's.</summary>
    public IReadOnlyList<DiskMount> Mounts { get; init; } = [];

    /// <summary>The disks beside this one.</summary>
    public IReadOnlyList<FurtherDisk> Further { get; init; } = [];

    /// <summary>Where file systems of their own are mounted.</summary>
    public IEnumerable<string> MountedPaths =>
        Mounts.Select(mount => mount.Path).Concat(Further.SelectMany(disk => disk.Partitions).Where(one => one.IsMounted).Select(one => one.Path));

    /// <summary>The kinds of file systems that partitions or volumes have.</summary>
    public IReadOnlyList<string> FileSystems =>
        [.. Mounts.Select(mount => mount.FileSystem).Concat(Further.SelectMany(disk => disk.Partitions).Select(one => one.FileSystem)).Append(FileSystem).Distinct().Order(StringComparer.Ordinal)];

    // Four partitions are all that an MBR has without a chain of them; firmware that boots from GPT boots from it everywhere.
    private bool HasGpt => Firmware == FirmwareKind.Uefi || Mounts.Count > 0 || Lvm;

    /// <summary>The components of the installer that this needs beside the usual ones.</summary>
    public IEnumerable<string> Components =>
    [
        .. Lvm ? ["partman-lvm", "partman-auto-lvm", "lvm2-udeb", "md-modules"] : Array.Empty<string>(),
        .. Passphrase is null ? Array.Empty<string>() : ["partman-auto-crypto", "partman-crypto", "partman-crypto-dm", "cdebconf-text-entropy"],
        .. FileSystems.Contains("xfs") ? ["partman-xfs", "xfsprogs-udeb", "xfs-modules"] : Array.Empty<string>(),
        .. FileSystems.Contains("btrfs") ? ["partman-btrfs", "btrfs-progs-udeb", "btrfs-modules"] : Array.Empty<string>(),
        .. Firmware == FirmwareKind.Uefi ? ["partman-efi", "dosfstools-udeb", "fat-modules"] : Array.Empty<string>(),
    ];

    /// <summary>The packages that the installed system needs for it, which the installer would add one by one.</summary>
    public IEnumerable<string> Packages =>
    [
        .. Firmware == FirmwareKind.Uefi ? ["grub-efi-amd64-bin", "efibootmgr", "dosfstools"] : (string[])["grub-pc-bin"],
        .. Lvm ? ["lvm2"] : Array.Empty<string>(),
        .. Passphrase is null ? Array.Empty<string>() : ["cryptsetup-initramfs", "systemd-cryptsetup"],
        .. Grow ? ["fdisk"] : Array.Empty<string>(),
        .. FileSystems.Contains("xfs") ? ["xfsprogs"] : Array.Empty<string>(),
        .. FileSystems.Contains("btrfs") ? ["btrfs-progs"] : Array.Empty<string>(),
    ];

    /// <summary>The answers to partman's questions.</summary>
    /// <param name="disk">The disk as the installer names it.</param>
    public IEnumerable<Answer> Answers(string disk)
    {
        yield return Text("partman-auto/method", Passphrase is not null ? "crypto" : Lvm ? "lvm" : "regular",
            Passphrase is not null ? "An encrypted disk is asked for: logical volumes in one encrypted partition, /boot beside it."
            : Lvm ? "Logical volumes are asked for." : "Plain partitions: an image is grown and backed up as a whole.");
        yield return Text("partman-auto/disk", disk, Further.Count == 0 ? "The only disk." : "The first disk; the others are Virtigo's to lay out.");
        foreach (Answer answer in Encryption())
        {
            yield return answer;
        }

        if (Lvm)
        {
            yield return Text("partman-auto-lvm/guided_size", "max", "The whole disk is the machine's.");
            yield return Text("partman-auto-lvm/new_vg_name", "system", "The same name in every image, so that tools find it.");
            yield return Boolean("partman-lvm/device_remove_lvm", true);
            yield return Boolean("partman-lvm/confirm", true);
            yield return Boolean("partman-lvm/confirm_nooverwrite", true);
        }

        yield return Text("partman-auto/expert_recipe", Recipe(), this == new DebianDisk()
            ? "One ext4 file system on the whole disk. Swap in an image costs space and snapshots; memory is set from outside."
            : "The file systems asked for; what they leave is the root's.");
        yield return Text("partman-partitioning/default_label", HasGpt ? "gpt" : "msdos",
            Firmware == FirmwareKind.Uefi ? "The image boots from UEFI." : "The image boots from BIOS.");
        yield return Boolean("partman-partitioning/confirm_write_new_label", true);
        yield return new Answer("d-i", "partman/choose_partition", "select", "finish", "Takes the partitions as laid out above.");
        if (SwapMiB == 0)
        {
            yield return new Answer("d-i", "partman-basicfilesystems/no_swap", "boolean", "false", "Goes on without swap instead of back to the partitions.");
        }

        yield return Boolean("partman/confirm", true);
        yield return Boolean("partman/confirm_nooverwrite", true);
    }

    // It asks for the passphrase twice, takes both out of its database, and asks once more only about one of less than eight characters.
    private IEnumerable<Answer> Encryption() => Passphrase is null ? [] :
    [
        new("d-i", "partman-crypto/passphrase", "password", Passphrase.Reveal(), "What opens the disk.", Secret: true),
        new("d-i", "partman-crypto/passphrase-again", "password", Passphrase.Reveal(), "The same.", Secret: true),
        new("d-i", "partman-auto-crypto/erase_disks", "boolean", "false", "The disk is new: there is nothing to write over, and the image stays small."),
    ];

    /// <summary>The partitions in partman's own words: least size, priority and most size in MB, kind, and what to do with it, each ended by a dot.</summary>
    private string Recipe() => "virtigo : " + string.Join(' ', Partitions());

    private IEnumerable<string> Partitions()
    {
        yield return Firmware == FirmwareKind.Uefi
            ? "538 538 538 free $iflabel{ gpt } $reusemethod{ } method{ efi } format{ } ."
            : "1 1 1 free $iflabel{ gpt } method{ biosgrub } .";
        if (Lvm)
        {
            yield return "768 768 768 ext4 $primary{ } $bootable{ } method{ format } format{ } use_filesystem{ } filesystem{ ext4 } mountpoint{ /boot } .";
        }

        if (SwapMiB > 0)
        {
            yield return $"{Fixed(SwapMiB)} linux-swap {Volume("swap")}method{{ swap }} format{{ }} .";
        }

        foreach (DiskMount mount in Mounts)
        {
            yield return $"{Fixed(mount.MiB)} {mount.FileSystem} {Volume(mount.Path.Trim('/').Replace('/', '-'))}{Formatted(mount.FileSystem, mount.Path, mount.Options)}";
        }

        string place = Lvm ? Volume("root") : "$primary{ } $bootable{ } ";
        yield return $"1000 2000 -1 {FileSystem} {place}{Formatted(FileSystem, "/")}";
    }

    private string Volume(string name) => Lvm ? $"$lvmok{{ }} lv_name{{ {name} }} " : "";

    private static string Formatted(string fileSystem, string path, string options = "") =>
        $"method{{ format }} format{{ }} use_filesystem{{ }} filesystem{{ {fileSystem} }} mountpoint{{ {path} }} "
        + string.Concat(options.Split(',', StringSplitOptions.RemoveEmptyEntries).Select(option => $"options/{option}{{ {option} }} ")) + ".";

    // partman counts in millions of bytes.
    private static string Fixed(long mebibytes)
    {
        long megabytes = ((mebibytes << 20) + 999_999) / 1_000_000;
        return string.Create(CultureInfo.InvariantCulture, $"{megabytes} {megabytes} {megabytes}");
    }

    private static Answer Text(string question, string value, string reason) => new("d-i", question, "string", value, reason);

    private static Answer Boolean(string question, bool value) =>
        new("d-i", question, "boolean", value ? "true" : "false", "The disk is new and empty.");
}

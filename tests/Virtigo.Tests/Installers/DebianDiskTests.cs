using Virtigo.Hypervisors;
using Virtigo.Installers.Debian;
using Xunit;

namespace Virtigo.Tests.Installers;

public sealed class DebianDiskTests
{
    private static readonly DebianDisk s_everything = new()
    {
        Firmware = FirmwareKind.Uefi,
        Lvm = true,
        FileSystem = "xfs",
        SwapMiB = 512,
        Mounts = [new DiskMount("/home", 1024, "btrfs"), new DiskMount("/var/log", 2048, "ext4")],
    };

    [Fact]
    public void A_disk_of_defaults_gives_the_golden_answers() => Golden.Same("disk-default.cfg", Written(new DebianDisk()));

    [Fact]
    public void A_disk_with_everything_gives_the_golden_answers() => Golden.Same("disk-everything.cfg", Written(s_everything));

    [Fact]
    public void Plain_partitions_beyond_the_root_give_the_golden_answers() =>
        Golden.Same("disk-plain.cfg", Written(s_everything with { Firmware = FirmwareKind.Bios, Lvm = false }));

    [Fact]
    public void What_a_layout_needs_is_asked_for_and_nothing_else()
    {
        Assert.Empty(new DebianDisk().Components);
        Assert.Equal(["grub-pc-bin"], new DebianDisk().Packages);
        Assert.Contains("partman-btrfs", s_everything.Components);
        Assert.Contains("partman-auto-lvm", s_everything.Components);
        Assert.Contains("partman-efi", s_everything.Components);
        Assert.DoesNotContain("grub-pc-bin", s_everything.Packages);
        Assert.Equal(["btrfs", "ext4", "xfs"], s_everything.FileSystems);
    }

    private static string Written(DebianDisk disk) => PreseedWriter.Write([.. disk.Answers("/dev/vda")], redact: false);
}

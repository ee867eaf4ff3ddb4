using System.Diagnostics;
using Virtigo.Host;
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
    public void An_encrypted_disk_that_grows_gives_the_golden_answers() =>
        Golden.Same("disk-encrypted.cfg", Written(s_everything with { Passphrase = new Passphrase("correct horse", "d"), Grow = true }));

    [Fact]
    public void What_makes_a_disk_grow_or_opens_it_is_given_to_the_installer_only_when_asked_for_and_is_shell()
    {
        Assert.DoesNotContain(InstallHooks.Shared("", "mirror.example", new DebianDisk(), InstallMachine.Virtio), file => file.Path.Contains("grow", StringComparison.Ordinal));
        IReadOnlyList<InitrdFile> files =
            InstallHooks.Shared("", "mirror.example", new DebianDisk { Lvm = true, Grow = true, Passphrase = new Passphrase("correct horse", "d") }, InstallMachine.Virtio);
        Assert.Contains(files, file => file.Path == "usr/lib/partman/finish.d/92virtigo");
        Assert.Contains(files, file => file.Path == "virtigo/grow/hook");
        foreach (InitrdFile script in files.Where(file => file.Content.Span.StartsWith("#!/bin/sh\n"u8)))
        {
            using Process shell = Process.Start(new ProcessStartInfo("/bin/sh", ["-n"]) { RedirectStandardInput = true, RedirectStandardError = true })!;
            shell.StandardInput.BaseStream.Write(script.Content.Span);
            shell.StandardInput.Close();
            Assert.Equal("", shell.StandardError.ReadToEnd());
            Assert.DoesNotContain("correct horse", script.Text, StringComparison.Ordinal);
        }
    }

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

using Virtigo.Appliances;
using Virtigo.Host;
using Virtigo.Hypervisors;
using Xunit;

namespace Virtigo.GuestTests.BootLoaders;

/// <summary>
/// A system that mmdebstrap unpacked as an ordinary user and mke2fs put into a disk: what many image builders make, and leave without a boot loader.
/// It is of this host's own release: fakechroot takes the host's libraries along.
/// </summary>
[Trait(Tiers.Name, Tiers.Thorough)]
public sealed class BootstrappedDiskTests(Lab lab) : IDisposable
{
    private const string Uuid = "5b0f7a52-9b7e-4f0c-8a4e-0f6a3a3c1d11";
    private const string Said = "THE SYSTEM IS UP:";

    private const string Announce = $"""
        #!/bin/sh
        echo "{Said} $(findmnt -nro SOURCE /) $(stat -c %u:%g /etc/shadow)" >/dev/ttyS0
        sync
        sleep 1
        echo o >/proc/sysrq-trigger
        sleep 60

        """;

    private const string Fill = $"""
        set -e
        mkdir tree
        tar -C tree --numeric-owner -xf root.tar
        install -m 755 announce tree/usr/local/sbin/announce
        echo 'UUID={Uuid} / ext4 defaults 0 1' >tree/etc/fstab
        mke2fs -q -F -t ext4 -U {Uuid} -d tree -E offset=$((66 * 1048576)) disk.raw 1900M
        """;

    private const string Divide = """
        set -e
        truncate -s 2G disk.raw
        printf '%s\n' 'label: gpt' 'size=1MiB, type="BIOS boot"' 'size=64MiB, type="EFI System"' 'type=linux' | sfdisk -q disk.raw
        mkfs.vfat -C esp 65536
        dd if=esp of=disk.raw bs=1M seek=2 conv=notrunc,sparse status=none
        """;

    private static readonly TimeSpan s_limit = TimeSpan.FromMinutes(8);
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("virtigo-bootstrapped");

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public async Task A_system_that_was_unpacked_into_a_disk_boots_by_both_firmwares_and_again_when_its_loaders_were_damaged_and_repaired()
    {
        using IDisposable place = await lab.PlaceAsync();
        AppliancePlan plan = await lab.PlanAsync();
        string release = File.ReadLines("/etc/os-release").First(line => line.StartsWith("VERSION_CODENAME=", StringComparison.Ordinal)).Split('=')[1];
        await RunAsync("mmdebstrap", "--quiet", "--mode=fakechroot", "--variant=apt", "--include=linux-image-cloud-amd64", release, "root.tar", plan.Mirror.Value.AbsoluteUri);
        await File.WriteAllTextAsync(Path.Combine(_folder.FullName, "announce"), Announce, Cancel);
        await RunAsync("sh", "-c", Divide);
        await RunAsync("fakeroot", "sh", "-c", Fill);

        string disk = Path.Combine(_folder.FullName, "disk.raw");
        CommandResult installed = await lab.RunAsync("bootloader", "install", disk, "--append", "console=ttyS0 quiet init=/usr/local/sbin/announce");
        Assert.True(installed.ExitCode == 0, installed.People);
        await ExpectWholeAsync(disk);
        await BootAsync(disk, FirmwareKind.Bios);

        await RunAsync("mdel", "-i", disk + "@@2M", "::/EFI/BOOT/BOOTX64.EFI");
        await RunAsync("dd", "if=/dev/zero", "of=" + disk, "bs=440", "count=1", "conv=notrunc", "status=none");
        CommandResult broken = await lab.RunAsync("bootloader", "verify", disk);
        Assert.NotEqual(0, broken.ExitCode);
        Assert.Contains("there is no /EFI/BOOT/BOOTX64.EFI", broken.Data + broken.People, StringComparison.Ordinal);
        CommandResult repaired = await lab.RunAsync("bootloader", "repair", disk);
        Assert.True(repaired.ExitCode == 0, repaired.People);
        await ExpectWholeAsync(disk);
        await BootAsync(disk, FirmwareKind.Uefi);
        await BootAsync(disk, FirmwareKind.Bios);
    }

    private async Task ExpectWholeAsync(string disk)
    {
        CommandResult verified = await lab.RunAsync("bootloader", "verify", disk);
        Assert.True(verified.ExitCode == 0 && verified.People.Contains("the chain is whole", StringComparison.Ordinal), verified.People);
    }

    private static async Task BootAsync(string disk, FirmwareKind firmware) =>
        Assert.Contains($"{Said} /dev/vda3 0:42", await BareMachine.RunAsync(disk, firmware, s_limit, Cancel, memoryMiB: 512), StringComparison.Ordinal);

    private async Task RunAsync(string program, params string[] arguments)
    {
        var command = new ChildCommand(program, arguments)
        {
            WorkingDirectory = _folder.FullName,
            Environment = new Dictionary<string, string> { ["TMPDIR"] = _folder.FullName, ["PATH"] = Environment.GetEnvironmentVariable("PATH") + ":/usr/sbin:/sbin" },
        };
        ToolResult result = await Tool.TryRunAsync(command, default, Cancel);
        Assert.True(result.ExitCode == 0, $"{command} ended with {result.ExitCode}: {result.Error}");
    }
}

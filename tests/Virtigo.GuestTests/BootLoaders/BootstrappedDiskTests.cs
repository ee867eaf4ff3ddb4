using Virtigo.Environments;
using Virtigo.Host;
using Virtigo.Hypervisors;
using Virtigo.Machines;
using Xunit;

namespace Virtigo.GuestTests.BootLoaders;

/// <summary>A system that mmdebstrap unpacked and mke2fs put into a disk: what many image builders make, and leave without a boot loader.</summary>
[Trait(Tiers.Name, Tiers.Thorough)]
public sealed class BootstrappedDiskTests(Lab lab) : IDisposable
{
    private const string Uuid = "5b0f7a52-9b7e-4f0c-8a4e-0f6a3a3c1d11";
    private const string Said = "THE SYSTEM IS UP:";

    // Within a guest: what packages do when they are installed is not for the host.
    private const string Make = $"""
        set -e
        export DEBIAN_FRONTEND=noninteractive
        apt-get -qq update && apt-get -qq -y install --no-install-recommends mmdebstrap fdisk >/dev/null
        mkdir /srv/made && cd /srv/made
        mmdebstrap --quiet --variant=apt --include=linux-image-cloud-amd64,systemd-sysv trixie tree $(sed -n 's/^URIs: //p; s/^deb [^h]*\(http[^ ]*\).*/\1/p' /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null | head -n 1)
        echo 'UUID={Uuid} / ext4 defaults 0 1' >tree/etc/fstab
        cat >tree/etc/systemd/system/announce.service <<'END'
        [Service]
        Type=oneshot
        StandardOutput=tty
        TTYPath=/dev/ttyS0
        ExecStart=/bin/sh -c 'echo; echo "{Said} $(findmnt -no UUID /) $(systemctl is-active local-fs.target)"'
        ExecStartPost=/bin/systemctl --no-block poweroff
        END
        mkdir -p tree/etc/systemd/system/multi-user.target.wants
        ln -s ../announce.service tree/etc/systemd/system/multi-user.target.wants/announce.service
        truncate -s 3G disk.raw
        printf '%s\n' 'label: gpt' 'size=1MiB, type="BIOS boot"' 'size=64MiB, type="EFI System"' 'type=linux' | sfdisk -q disk.raw
        mke2fs -q -F -t ext4 -U {Uuid} -d tree -E offset=$((66 * 1048576)) disk.raw 2900M
        sync
        """;

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("virtigo-bootstrapped");

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public async Task A_system_that_was_unpacked_into_a_disk_boots_by_both_firmwares()
    {
        await lab.Golden;
        using IDisposable places = await lab.AllPlacesAsync();
        string disk = Path.Combine(_folder.FullName, "disk.raw");
        string file = Path.Combine(_folder.FullName, "made.yml");
        await File.WriteAllTextAsync(file, $"egress: [archives]\nmachines: {{maker: {{appliance: {lab.Example}, memory: 1GiB}}}}\n", Cancel);
        await using (VirtualEnvironment environment = await VirtualEnvironment.FromFile(file).StartAsync(cancellationToken: Cancel))
        {
            Machine maker = environment["maker"];
            await maker.RunAsync(Make, new CommandOptions { Limit = TimeSpan.FromMinutes(60) }, Cancel);
            await maker.CopyOutAsync("/srv/made/disk.raw", disk, Cancel);
        }

        string esp = Path.Combine(_folder.FullName, "esp");
        await Tool.RunAsync("mkfs.vfat", ["-C", esp, "65536"], Cancel);
        await Tool.RunAsync("dd", ["if=" + esp, "of=" + disk, "bs=1M", "seek=2", "conv=notrunc,sparse", "status=none"], Cancel);
        CommandResult installed = await lab.RunAsync("bootloader", "install", disk, "--append", "console=ttyS0 quiet");
        Assert.True(installed.ExitCode == 0, installed.People);
        CommandResult verified = await lab.RunAsync("bootloader", "verify", disk);
        Assert.Contains("the chain is whole", verified.People, StringComparison.Ordinal);
        foreach (FirmwareKind firmware in (FirmwareKind[])[FirmwareKind.Bios, FirmwareKind.Uefi])
        {
            string said = await BareMachine.RunAsync(disk, firmware, TimeSpan.FromMinutes(8), Cancel, memoryMiB: 768);
            Assert.Contains($"{Said} {Uuid} active", said, StringComparison.Ordinal);
        }
    }
}

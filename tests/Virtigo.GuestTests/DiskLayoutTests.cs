using Virtigo.Hypervisors;
using Virtigo.Images;
using Xunit;

namespace Virtigo.GuestTests;

/// <summary>What a spec says of disk and firmware is what the installer makes.</summary>
[Trait(Tiers.Name, Tiers.Thorough)]
public sealed class DiskLayoutTests(Lab lab) : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("virtigo-disks");

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public async Task Volumes_other_file_systems_swap_and_UEFI_are_there_and_boot()
    {
        string spec = Path.Combine(_folder.FullName, "disks.yml");
        await File.WriteAllTextAsync(spec, """
            packages: [curl]
            firmware: uefi
            disk:
              size: 12GiB
              layout: lvm
              filesystem: xfs
              swap: 512MiB
              mounts:
                - {path: /home, size: 1GiB, filesystem: btrfs}
                - {path: /var/log, size: 1GiB, filesystem: ext4}
            """, Cancel);
        using (IDisposable place = await lab.PlaceAsync())
        {
            CommandResult result = await lab.RunAsync("build", spec);
            Assert.True(result.ExitCode == 0, result.People);
        }

        StoredImage image = new ImageStore(lab.Paths).Find("disks");
        Assert.Equal("uefi", image.Manifest.Firmware);
        await using BootedCopy machine = await lab.BootAsync(image.DiskPath, firmware: FirmwareKind.Uefi);
        Assert.Equal("""
            / xfs /dev/mapper/system-root
            /boot ext4 /dev/vda2
            /boot/efi vfat /dev/vda1
            /home btrfs /dev/mapper/system-home
            /var/log ext4 /dev/mapper/system-var--log
            """, await machine.ShellAsync("for p in / /boot /boot/efi /home /var/log; do findmnt -rno TARGET,FSTYPE,SOURCE $p; done", Cancel));
        Assert.Equal("512M", await machine.ShellAsync("swapon --show=SIZE --noheadings", Cancel));
        Assert.Equal("""
            /boot/efi/EFI/BOOT/BOOTX64.EFI
            /boot/efi/EFI/debian/grubx64.efi
            /boot/efi/EFI/debian/shimx64.efi
            """, await machine.ShellAsync("find /boot/efi -iname 'BOOTX64.EFI' -o -name 'shimx64.efi' -o -path '*debian/grubx64.efi' | sort", Cancel));
        Assert.Equal("", await machine.ShellAsync("systemctl list-units --failed --plain --no-legend", Cancel));
    }
}

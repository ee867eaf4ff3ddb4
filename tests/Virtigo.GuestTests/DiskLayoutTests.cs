using Virtigo.Environments;
using Virtigo.Hypervisors;
using Virtigo.Images;
using Virtigo.Machines;
using Xunit;

namespace Virtigo.GuestTests;

/// <summary>What a spec says of disk and firmware is what the installer makes.</summary>
[Trait(Tiers.Name, Tiers.Thorough)]
public sealed class DiskLayoutTests(Lab lab) : IDisposable
{
    private const string Passphrase = "it's $HOME \"or\" #1 here";

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
                - {path: /var/log, size: 10%, filesystem: ext4}
              disks:
                - name: data
                  size: 2GiB
                  partitions:
                    - {path: /srv/deep, size: 30%, filesystem: xfs, options: noatime}
                    - {size: 128MiB, filesystem: swap}
                    - {path: /srv, size: rest}
                - {name: spare, size: 64MiB}
            files:
              - {content: "on the second disk\n", to: /srv/note}
            run: "echo ran > /srv/deep/ran"
            """, Cancel);
        using (IDisposable place = await lab.PlaceAsync())
        {
            CommandResult result = await lab.RunAsync("build", spec);
            Assert.True(result.ExitCode == 0, result.People);
        }

        StoredImage image = new ImageStore(lab.Paths).Find("disks");
        Assert.Equal("uefi", image.Manifest.Firmware);
        Assert.Equal(["data", "spare"], image.Manifest.FurtherDisks.Select(disk => disk.Name));
        await IsReadFromOutsideAsync(image);
        string file = Path.Combine(_folder.FullName, "machines.yml");
        await File.WriteAllTextAsync(file, "machines: {disks: {appliance: disks.yml}}\n", Cancel);
        using IDisposable places = await lab.AllPlacesAsync();
        using EnvironmentSnapshot ready = await VirtualEnvironment.FromFile(file).PrepareAsync(cancellationToken: Cancel);
        await using (VirtualEnvironment fork = await ready.ForkAsync(Cancel))
        {
            await LayoutIsAsAskedForAsync(fork["disks"]);
            await FurtherDisksAreAsAskedForAsync(fork["disks"]);
        }

        await using VirtualEnvironment other = await ready.ForkAsync(Cancel);
        Assert.Equal("on the second disk", (await other["disks"].RunAsync("cat /srv/note", Cancel)).TrimEnd());
        Assert.Equal("0", (await other["disks"].RunAsync("head -c 1048576 /dev/disk/by-id/virtio-spare | tr -d '\\0' | wc -c", Cancel)).Trim());
    }

    /// <summary>The packages on a root of xfs on a logical volume, what is mounted below it, and the chain that boots it.</summary>
    private async Task IsReadFromOutsideAsync(StoredImage image)
    {
        CommandResult verified = await lab.RunAsync("images", "verify", image.Key);
        Assert.True(verified.ExitCode == 0, verified.People + verified.Data);
        CommandResult chain = await lab.RunAsync("bootloader", "verify", image.DiskPath);
        Assert.True(chain.ExitCode == 0, chain.People + chain.Data);
        using var files = ImageFiles.Open(image.DiskPath);
        Assert.Equal(("xfs", null), (files.RootSystem!.Kind, files.RootPartition));
        Assert.All((string[])["/boot/grub/grub.cfg", "/var/lib/dpkg/status"], path => Assert.Equal(path, files.Find(path)?.Path));
        Assert.All((string[])["/boot", "/home", "/var/log"], path => Assert.NotSame(files.Find("/")!.Volume, files.Find(path)!.Volume));
    }

    private static async Task FurtherDisksAreAsAskedForAsync(Machine machine)
    {
        Assert.Equal("""
            /srv ext4 /dev/vdb3
            /srv/deep xfs /dev/vdb1
            """, (await machine.RunAsync("for p in /srv /srv/deep; do findmnt -rno TARGET,FSTYPE,SOURCE $p; done", Cancel)).TrimEnd());
        Assert.Contains("noatime", await machine.RunAsync("findmnt -nro OPTIONS /srv/deep", Cancel), StringComparison.Ordinal);
        Assert.Equal("ran", await machine.RunAsync("cat /srv/deep/ran", Cancel));
        Assert.Equal("3", (await machine.RunAsync("grep -cE '^UUID=[0-9a-f-]{36} (/srv|/srv/deep|none swap sw)' /etc/fstab", Cancel)).Trim());
        await machine.RunAsync("findmnt --verify && sfdisk --verify /dev/disk/by-id/virtio-data", Cancel);
        await machine.RunAsync("echo changed > /srv/note && dd if=/dev/urandom of=/dev/disk/by-id/virtio-spare bs=1M count=1 oflag=direct", Cancel);
        await machine.SetDiskFaultAsync(machine.DiskNumber("spare"), new DiskFault(DiskFaultKind.Error), Cancel);
        Assert.NotEqual(0, (await machine.ExecuteAsync("dd if=/dev/urandom of=/dev/disk/by-id/virtio-spare bs=1M count=1 oflag=direct", Cancel)).ExitCode);
        await machine.RunAsync("dd if=/dev/zero of=/srv/whole bs=1M count=1 oflag=direct", Cancel);
    }

    private static async Task LayoutIsAsAskedForAsync(Machine machine)
    {
        Assert.Equal("""
            / xfs /dev/mapper/system-root
            /boot ext4 /dev/vda2
            /boot/efi vfat /dev/vda1
            /home btrfs /dev/mapper/system-home
            /var/log ext4 /dev/mapper/system-var--log
            """, await ShellAsync(machine, "for p in / /boot /boot/efi /home /var/log; do findmnt -rno TARGET,FSTYPE,SOURCE $p; done"));
        Assert.Equal("128M\n512M", await ShellAsync(machine, "swapon --show=SIZE --noheadings | tr -d ' ' | sort"));
        Assert.Equal("""
            /boot/efi/EFI/BOOT/BOOTX64.EFI
            /boot/efi/EFI/debian/grubx64.efi
            /boot/efi/EFI/debian/shimx64.efi
            """, await ShellAsync(machine, "find /boot/efi -iname 'BOOTX64.EFI' -o -name 'shimx64.efi' -o -path '*debian/grubx64.efi' | sort"));
        Assert.Equal("", await ShellAsync(machine, "systemctl list-units --failed --plain --no-legend"));
    }

    private static async Task<string> ShellAsync(Machine machine, string command) => (await machine.RunAsync(command, Cancel)).TrimEnd();

    [Fact]
    public async Task An_encrypted_disk_opens_with_its_passphrase_which_is_nowhere_and_grows_with_the_machines_disk()
    {
        (_, StoredImage image) = await BuildEncryptedAsync();
        Assert.DoesNotContain(Passphrase, await File.ReadAllTextAsync(Path.Combine(image.Directory, "manifest.json"), Cancel), StringComparison.Ordinal);

        await using BootedCopy machine = await lab.BootAsync(image.DiskPath, firmware: FirmwareKind.Uefi, larger: new BootedDisk(10L << 30, Passphrase));
        Assert.Equal("""
            /dev/mapper/system-root lvm
            /dev/mapper/vda3_crypt crypt
            /dev/vda3 part
            /dev/vda disk
            """, await machine.ShellAsync("lsblk -nrspo NAME,TYPE /dev/mapper/system-root", Cancel));
        Assert.Equal("2", await machine.ShellAsync("cryptsetup luksDump /dev/vda3 | sed -n 's/^Version:[[:space:]]*//p'", Cancel));

        // Of 10 GiB, the boot loader, /boot, swap and /home take less than 2.5.
        string size = await machine.ShellAsync("findmnt -bnro SIZE /", Cancel);
        Assert.InRange(long.Parse(size, System.Globalization.CultureInfo.InvariantCulture), (long)(7.5 * (1L << 30)), 10L << 30);
        Assert.Equal("fine", await machine.ShellAsync("systemctl restart virtigo-grow && sfdisk --verify /dev/vda >/dev/null 2>&1 && echo fine", Cancel));
        Assert.Equal(size, await machine.ShellAsync("findmnt -bnro SIZE /", Cancel));
        Assert.Equal("btrfs rw,nodev,noatime", (await machine.ShellAsync("findmnt -nro FSTYPE,OPTIONS /home", Cancel))[..22]);

        Assert.Contains("allow_discards", await machine.ShellAsync("dmsetup table vda3_crypt", Cancel), StringComparison.Ordinal);
        Assert.StartsWith("/: ", await machine.ShellAsync("fstrim --verbose /", Cancel), StringComparison.Ordinal);
        Assert.Equal("enabled", await machine.ShellAsync("systemctl is-enabled fstrim.timer", Cancel));

        // The machine's journal has this command.
        string hidden = Convert.ToBase64String(System.Text.Encoding.ASCII.GetBytes(Passphrase));
        Assert.Equal("", await machine.ShellAsync($"echo {hidden} | base64 -d | grep -rlF --binary-files=text -f - /etc /boot /root /srv /tmp /usr/local /var", Cancel));
        Assert.DoesNotContain(Passphrase, machine.ConsoleLog, StringComparison.Ordinal);
        Assert.Equal("", await machine.ShellAsync("systemctl list-units --failed --plain --no-legend", Cancel));
    }

    [Fact]
    public async Task A_machine_of_an_environment_opens_its_disk_at_every_boot()
    {
        (string spec, _) = await BuildEncryptedAsync();
        string file = Path.Combine(_folder.FullName, "locked.yml");
        await File.WriteAllTextAsync(file, $"machines: {{vault: {{appliance: {Path.GetFileName(spec)}, disk-size: 10GiB}}}}\n", Cancel);
        using IDisposable places = await lab.AllPlacesAsync();
        using EnvironmentSnapshot ready = await VirtualEnvironment.FromFile(file).PrepareAsync(cancellationToken: Cancel);
        await using VirtualEnvironment fork = await ready.ForkAsync(Cancel);
        Assert.Contains("crypt", await fork["vault"].RunAsync("dmsetup table vda3_crypt", Cancel), StringComparison.Ordinal);
        Assert.Equal("10G", (await fork["vault"].RunAsync("lsblk -ndro SIZE /dev/vda", Cancel)).Trim());
        await fork["vault"].RebootAsync(Cancel);
        Assert.Contains("crypt", await fork["vault"].RunAsync("dmsetup table vda3_crypt", Cancel), StringComparison.Ordinal);
        Assert.DoesNotContain(Passphrase, fork["vault"].ConsoleTail(10_000), StringComparison.Ordinal);
    }

    private async Task<(string Spec, StoredImage Image)> BuildEncryptedAsync()
    {
        Environment.SetEnvironmentVariable("VIRTIGO_TEST_PASSPHRASE", Passphrase);
        string spec = Path.Combine(_folder.FullName, "crypt.yml");
        await File.WriteAllTextAsync(spec, """
            packages: [curl]
            firmware: uefi
            disk:
              size: 6GiB
              encrypt: env:VIRTIGO_TEST_PASSPHRASE
              grow: true
              filesystem: xfs
              swap: 256MiB
              mounts:
                - {path: /home, size: 512MiB, filesystem: btrfs, options: [noatime, nodev]}
            """, Cancel);
        using IDisposable place = await lab.PlaceAsync();
        CommandResult result = await lab.RunAsync("build", spec);
        Assert.True(result.ExitCode == 0, result.People);
        Assert.DoesNotContain(Passphrase, result.People, StringComparison.Ordinal);
        return (spec, new ImageStore(lab.Paths).Find("crypt"));
    }
}

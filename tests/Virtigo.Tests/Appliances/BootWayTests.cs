using System.Text;
using Virtigo.Appliances;
using Virtigo.Host;
using Virtigo.Hypervisors;
using Virtigo.Hypervisors.Uml;
using Virtigo.Hypervisors.Xen;
using Virtigo.Installers.Debian;
using Virtigo.Tests.Archives;
using Virtigo.Tests.Environments;
using Virtigo.Tests.Images;
using Xunit;

namespace Virtigo.Tests.Appliances;

/// <summary>How installed systems start where guests have no firmware.</summary>
public sealed class BootWayTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("vt");

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private static HostPaths Paths => new("/c", "/d", "/s", "/e", "/r");

    private static XenHypervisor Xen => new(Paths, XenDomainKind.Pvh);

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public async Task Under_Xen_a_system_starts_by_its_own_kernel_told_what_its_boot_loader_tells_it_but_for_the_console()
    {
        BootWay way = await BootWay.OfAsync(Xen, "The image web", await DiskAsync("quiet console=tty0 console=ttyS0,115200 init=/bin/other -- single"), Token);
        await way.PrepareAsync("web", _folder.FullName, Token);
        GuestConfig machine = way.Start(Machine, _folder.FullName);

        Assert.Equal("a kernel", await File.ReadAllTextAsync(machine.Kernel!.KernelPath, Token));
        Assert.Equal("an initrd", await File.ReadAllTextAsync(machine.Kernel.InitrdPath!, Token));
        string line = machine.Kernel.CommandLine;
        Assert.StartsWith($"root=UUID={BootImageMaker.Uuid} ro quiet console=hvc0 init=/bin/sh -- -c \"echo ", line, StringComparison.Ordinal);
        Assert.True(line.Length < XlConfig.LongestArguments, $"{line.Length}");
        Assert.Equal(2, line.Count(character => character == '"'));
        string script = Encoding.ASCII.GetString(Convert.FromBase64String(line.Split("echo ")[1].Split(' ')[0]));
        Assert.Contains("qemu-ga -m isa-serial -p /dev/hvc1\n", script, StringComparison.Ordinal);
        TestArchiveTools.Run("/bin/sh", null, "-n", "-c", script);
        Assert.Equal((Accelerator.Auto, FirmwareKind.Bios, null), (machine.Accelerator, machine.Firmware, machine.Disks[0].Serial));
    }

    [Fact]
    public async Task A_system_without_a_configuration_of_its_loaders_is_told_where_its_root_is()
    {
        BootWay way = await BootWay.OfAsync(Xen, "The image web", await DiskAsync(null), Token);
        await way.PrepareAsync("web", _folder.FullName, Token);

        Assert.StartsWith($"root=UUID={BootImageMaker.Uuid} ro console=hvc0 ", way.Start(Machine, _folder.FullName).Kernel!.CommandLine, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_disk_without_a_system_is_refused()
    {
        string disk = await new BootImageMaker(_folder.FullName).DiskAsync("dos", 512, (2048, 100_000, "83", null));

        VirtigoException error = await Assert.ThrowsAsync<VirtigoException>(() => BootWay.OfAsync(Xen, "The image web", disk, Token));
        Assert.Equal((FailureKind.Usage, "The image web cannot be booted by xen: no kernel is found on its first disk, on ext4, xfs or btrfs on a partition or a logical volume."), (error.Kind, error.Message));
    }

    [Fact]
    public async Task Where_guests_have_firmware_nothing_is_read_and_nothing_changes()
    {
        BootWay way = await BootWay.OfAsync(new PlayedHypervisor("played", PlayedHypervisor.Everything), "It", "/no/disk", Token);
        await way.PrepareAsync("web", "/no/folder", Token);

        Assert.Equal(Machine with { Accelerator = Accelerator.Auto }, way.Start(Machine, "/no/folder") with { Disks = Machine.Disks, Serials = Machine.Serials });
    }

    [Fact]
    public void What_cannot_be_read_from_outside_is_refused_before_anything_is_installed()
    {
        var plain = new DebianDisk();
        DebianDisk volumes = plain with { Lvm = true, FileSystem = "xfs" }, other = plain with { FileSystem = "btrfs" };

        Assert.Equal([null, null, null], ((DebianDisk[])[plain, volumes, other]).Select(disk => BootWay.ObstacleOf(new PlayedHypervisor("played", PlayedHypervisor.Everything), disk)));
        Assert.Equal([null, null, null], ((DebianDisk[])[plain, volumes, other]).Select(disk => BootWay.ObstacleOf(Xen, disk)));
        Assert.Equal([true, false, false], ((DebianDisk[])[plain, volumes, other]).Select(disk => BootWay.ObstacleOf(new UmlHypervisor(Paths), disk) is null));
    }

    private static GuestConfig Machine { get; } = new()
    {
        Name = "web",
        WorkDirectory = "/nowhere",
        MemoryMiB = 512,
        Accelerator = Accelerator.Tcg,
        AgentChannel = true,
        Disks = [new GuestDisk("/a/disk", Virtigo.Hypervisors.DiskFormat.Qcow2) { Serial = "first" }],
        Serials = [new GuestSerial("console")],
    };

    private async Task<string> DiskAsync(string? told)
    {
        var maker = new BootImageMaker(_folder.FullName);
        string tree = maker.Tree(grub: told is not null);
        string config = Path.Combine(tree, "boot", "grub", "grub.cfg");
        if (told is not null)
        {
            await File.WriteAllTextAsync(config, (await File.ReadAllTextAsync(config, Token)).Replace(" ro\n", $" ro {told}\n", StringComparison.Ordinal), Token);
        }

        return await maker.DiskAsync("dos", 512, (2048, 100_000, "83", tree));
    }
}

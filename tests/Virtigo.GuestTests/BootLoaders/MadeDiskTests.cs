using System.Text.RegularExpressions;
using Virtigo.GuestTests.Hypervisors;
using Virtigo.Hypervisors;
using Virtigo.Tests.Images;
using Xunit;

namespace Virtigo.GuestTests.BootLoaders;

/// <summary>Disks that were made by hand, without root, boot by real firmware once <c>virtigo bootloader install</c> was at them.</summary>
[Collection(KernelGuests.Name)]
public sealed partial class MadeDiskTests(Lab lab, KernelFixture fixture) : IDisposable
{
    private const string Arguments = "console=ttyS0 quiet norandmaps mitigations=off";
    private static readonly TimeSpan s_limit = TimeSpan.FromMinutes(4);
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("virtigo-made");

    public static TheoryData<string, string, string> All
    {
        get
        {
            var all = new TheoryData<string, string, string>();
            string[] layouts = ["mbr", "mbr+esp", "gpt+bios", "gpt+bios+esp", "gpt+esp"];
            string[] systems = ["ext4", "xfs", "btrfs", "lvm-ext4", "lvm-xfs", "btrfs-@"];
            foreach ((int row, string layout) in layouts.Index())
            {
                foreach ((int column, string system) in systems.Index())
                {
                    all.Add(layout, system, (row + column) % 2 == 0 ? "qcow2" : "raw");
                }
            }

            return all;
        }
    }

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Delete(recursive: true);

    [Theory]
    [InlineData("mbr", "lvm-ext4", "raw")]
    [InlineData("mbr gap", "ext4", "qcow2")]
    [InlineData("gpt+esp 4k", "ext4", "raw")]
    [InlineData("mbr+esp", "btrfs-@", "raw")]
    [InlineData("gpt+bios+esp", "xfs", "qcow2")]
    public Task A_disk_made_by_hand_boots(string layout, string system, string format) => BootsAsync(layout, system, format);

    [Theory]
    [Trait(Tiers.Name, Tiers.Thorough)]
    [MemberData(nameof(All))]
    public Task A_disk_of_any_layout_boots(string layout, string system, string format) => BootsAsync(layout, system, format);

    private async Task BootsAsync(string layout, string system, string format)
    {
        using IDisposable place = await lab.PlaceAsync();
        string initrd = Path.Combine(_folder.FullName, "initrd");
        IReadOnlyList<(string, byte[])> modules = await GuestModules.ReadAsync(await lab.Installer, "virtio_pci", "virtio_blk");
        await TinyGuest.WriteInitrdAsync(initrd, await fixture.BusyboxAsync(), modules, prepare: MadeDisk.Announcement);
        MadeDisk disk = await MadeDisk.MakeAsync(_folder.FullName, layout, system, format, fixture.Kernel, initrd);

        CommandResult installed = await lab.RunAsync("bootloader", "install", disk.Path, "--append", Arguments);
        Assert.True(installed.ExitCode == 0, installed.People);
        if (layout.EndsWith("gap", StringComparison.Ordinal))
        {
            Assert.Contains("of the same version", installed.People, StringComparison.Ordinal);
        }

        bool volumes = system.StartsWith("lvm-", StringComparison.Ordinal);
        Assert.Equal(volumes, installed.People.Contains(PhysicalVolume.GrubName, StringComparison.Ordinal));
        FirmwareKind[] firmwares = [.. Firmwares(layout)];
        Assert.Equal(firmwares.Contains(FirmwareKind.Bios), installed.People.Contains("BIOS: put", StringComparison.Ordinal));
        Assert.Equal(firmwares.Contains(FirmwareKind.Uefi), installed.People.Contains("UEFI: put", StringComparison.Ordinal));
        foreach (FirmwareKind firmware in firmwares)
        {
            long start = TimeProvider.System.GetTimestamp();
            string said = await BareMachine.RunAsync(disk.Path, firmware, s_limit, Cancel, disk.SectorBytes);
            TestContext.Current.TestOutputHelper!.WriteLine($"{firmware}: {TimeProvider.System.GetElapsedTime(start).TotalSeconds:0.0} s");
            string told = Line(said, MadeDisk.TextSaid);
            Assert.Contains("root=UUID=" + disk.Uuid, told, StringComparison.Ordinal);
            Assert.Equal(system == "btrfs-@", told.Contains("rootflags=subvol=@", StringComparison.Ordinal));

            if (firmware == FirmwareKind.Uefi)
            {
                // Its menu is on the serial port as well: one kernel, one entry.
                Assert.Equal(1, Entry().Count(said));
            }

            // Within a volume the tiny system does not look.
            string root = volumes ? "" : $"/dev/vda{disk.RootNumber}";
            Assert.Equal(root, Line(said, MadeDisk.RootSaid));
        }
    }

    private static IEnumerable<FirmwareKind> Firmwares(string layout)
    {
        if (layout.Contains("bios", StringComparison.Ordinal) || layout.StartsWith("mbr", StringComparison.Ordinal))
        {
            yield return FirmwareKind.Bios;
        }

        if (layout.Contains("esp", StringComparison.Ordinal))
        {
            yield return FirmwareKind.Uefi;
        }
    }

    private static string Line(string said, string start)
    {
        int at = said.IndexOf(start, StringComparison.Ordinal);
        return at >= 0 ? said[(at + start.Length)..].Split('\n')[0].Trim() : throw new InvalidDataException($"It did not say '{start}', but: {said}");
    }

    // What GRUB draws of its menu: the place, whether it is the one to be taken, the entry.
    [GeneratedRegex(@"\[\d+;\d+H[* ]\([^)]*\)/")]
    private static partial Regex Entry();
}

using System.Diagnostics;
using System.Security.Cryptography;
using Virtigo.Host;
using Virtigo.Images;
using Xunit;

namespace Virtigo.Tests.Images;

public sealed class BootLoaderTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("virtigo-boot-").FullName;
    private readonly BootImageMaker _maker;

    public BootLoaderTests() => _maker = new BootImageMaker(_folder);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task An_old_table_gets_a_core_into_its_gap_and_nothing_else_of_the_disk_changes(bool grub)
    {
        string disk = await _maker.MbrAsync(_maker.Tree(grub));
        byte[] before = await File.ReadAllBytesAsync(disk, Token);
        Assert.Equal("boot sector", (await BootLoader.ExamineAsync(disk, null, Token)).Chain.Single(one => one.Verdict == BootVerdict.Broken).Link);

        BootLoaderReport report = await BootLoader.InstallAsync(disk, null, Token);
        Assert.True(report.Boots);
        Assert.DoesNotContain(report.Chain, one => one.Verdict != BootVerdict.Good);
        string[] links = grub ? ["boot sector", "core", "prefix", "configuration", "kernel", "initrd", "root"] : ["boot sector", "core", "prefix", "configuration", "kernel", "initrd"];
        Assert.Equal(links, report.Chain.Select(one => one.Link));
        Assert.Equal("/boot/vmlinuz-6.12.0", report.Chain.Single(one => one.Link == "kernel").Text);
        Assert.Equal(512 * 2047, report.Layout.CoreBytes);
        byte[] after = await File.ReadAllBytesAsync(disk, Token);
        Assert.True(after.AsSpan(440, 72).SequenceEqual(before.AsSpan(440, 72)), "the table and the disk's number changed");
        Assert.True(after.AsSpan(2048 * 512).SequenceEqual(before.AsSpan(2048 * 512)), "the partition changed");
        Assert.False(File.Exists(UndoJournal.PathOf(disk)));
    }

    [Fact]
    public async Task A_GPT_gets_its_core_into_the_partition_for_it_and_UEFI_a_program_onto_the_FAT()
    {
        string disk = await _maker.DiskAsync("gpt", 512, (2048, 2048, BootImageMaker.BiosBoot, null), (4096, 32768, BootImageMaker.Esp, null), (36864, 40960, "linux", _maker.Tree(grub: true)));
        BootLoaderReport report = await BootLoader.InstallAsync(disk, null, Token);
        Assert.True(report.Boots);
        Assert.Equal([BootFirmware.Bios, BootFirmware.Uefi], report.Chain.Select(one => one.Firmware).Distinct());
        Assert.Equal(["bios-boot", "esp", "boot"], report.Layout.Partitions.Select(one => one.Role));
        string listing = await Tool.RunAsync("mdir", ["-b", "-i", $"{disk}@@{4096 * 512}", "::/EFI/BOOT"], Token);
        Assert.Contains("BOOTX64.EFI", listing, StringComparison.OrdinalIgnoreCase);
        using (var made = BootDisk.Open(disk, null))
        {
            GrubCore core = GrubCore.FromUefi(made.Esp!.Files!.File(UefiPlace.Path)!.Read(32 << 20)!)!;
            Assert.Contains("efi_gop", core.Modules);
        }

        await Tool.RunAsync("sfdisk", ["--verify", disk], Token);

        // A second time is the same, in whatever state the first left it.
        Assert.True((await BootLoader.InstallAsync(disk, null, Token)).Boots);
        string system = Path.Combine(_folder, "fat");
        await File.WriteAllBytesAsync(system, (await File.ReadAllBytesAsync(disk, Token))[(4096 * 512)..(36864 * 512)], Token);
        await Tool.RunAsync("fsck.vfat", ["-n", system], Token);
    }

    [Fact]
    public async Task The_partitions_that_sfdisk_makes_by_name_are_known_by_their_types()
    {
        // By name: so the types are not those that we believe them to have.
        string disk = await _maker.DiskAsync("gpt", 512, (2048, 2048, "\"BIOS boot\"", null), (4096, 32768, "\"EFI System\"", null), (36864, 40960, "linux", null));
        Assert.Equal(["bios-boot", "esp", null], (await BootLoader.ExamineAsync(disk, null, Token)).Layout.Partitions.Select(one => one.Role));
    }

    [Fact]
    public async Task A_system_in_a_subvolume_is_told_which_it_is()
    {
        string disk = await _maker.DiskAsync("dos", 512, (2048, 700_000, "83", null));
        string system = Path.Combine(_folder, "system");
        string tree = Path.Combine(_folder, "volumes");
        Directory.CreateDirectory(tree);
        Directory.Move(_maker.Tree(grub: false), Path.Combine(tree, "@"));
        await using (FileStream file = File.Create(system))
        {
            file.SetLength(700_000 * 512L);
        }

        await Tool.RunAsync("mkfs.btrfs", ["-q", "--rootdir", tree, system], Token);
        await BootImageMaker.PutAsync(disk, 2048 * 512, system);
        await BootLoader.InstallAsync(disk, null, Token);
        using var made = BootDisk.Open(disk, null);
        Assert.Contains("rootflags=subvol=$subvolume", GrubCore.FromBios(BiosLoader.Read(made.Whole)!.ReadCore(made.Whole)!)!.Carried, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_qcow2_disk_stays_sound_and_sparse()
    {
        string raw = await _maker.MbrAsync(_maker.Tree(grub: true));
        string disk = Path.Combine(_folder, "disk.qcow2");
        await Tool.RunAsync("qemu-img", ["convert", "-c", "-f", "raw", "-O", "qcow2", raw, disk], Token);
        await Tool.RunAsync("qemu-img", ["resize", "-q", disk, "10G"], Token);
        long before = DiskFile.AllocatedBytes(disk);
        var time = Stopwatch.StartNew();
        BootLoaderReport report = await BootLoader.InstallAsync(disk, null, Token);
        Assert.True(report.Boots);
        Assert.Equal("qcow2", report.Layout.Format);
        Assert.InRange(DiskFile.AllocatedBytes(disk) - before, 1, 2 << 20);
        await Tool.RunAsync("qemu-img", ["check", disk], Token);
        await BootLoader.InstallAsync(raw, null, Token);
        ToolResult same = await Tool.TryRunAsync(new ChildCommand("qemu-img", ["compare", disk, raw]), default, Token);
        Assert.True(same.ExitCode == 0, same.Output);
    }

    [Fact]
    public async Task A_GPT_without_a_place_for_a_core_is_refused_with_numbers_and_as_it_was()
    {
        string disk = await _maker.DiskAsync("gpt", 512, (2048, 40960, "linux", _maker.Tree(grub: true)));
        VirtigoException refused = await RefusedAsync(disk);
        Assert.Contains("without a BIOS boot partition", refused.Message, StringComparison.Ordinal);
        Assert.Contains("1,007 KiB", refused.Message, StringComparison.Ordinal);
        Assert.Contains("21686148", refused.Hint, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_tiny_gap_takes_a_small_core_where_the_modules_are_of_the_same_version_and_is_refused_where_not()
    {
        string own = await _maker.MbrAsync(_maker.Tree(grub: true, modules: true), start: 63);
        BootLoaderReport report = await BootLoader.InstallAsync(own, null, Token);
        Assert.True(report.Boots);
        Assert.Contains(report.Chain, one => one is { Link: "modules", Verdict: BootVerdict.Good });
        Assert.Contains("of the same version", Assert.Single(report.Done), StringComparison.Ordinal);

        VirtigoException refused = await RefusedAsync(await _maker.MbrAsync(_maker.Tree(grub: true), start: 63));
        Assert.Contains("31,744 (62 sectors)", refused.Message, StringComparison.Ordinal);

        // Without its modules the small core leads nowhere.
        VirtigoException none = await RefusedAsync(await _maker.MbrAsync(_maker.Tree(grub: false), start: 1));
        Assert.Contains("no gap", none.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Large_sectors_boot_by_UEFI_and_not_by_a_BIOS()
    {
        string disk = await _maker.DiskAsync("gpt", 4096, (256, 66000, BootImageMaker.Esp, null), (66304, 5120, "linux", _maker.Tree(grub: true)));
        BootLoaderReport report = await BootLoader.InstallAsync(disk, null, Token);
        Assert.True(report.Boots);
        Assert.Equal(4096, report.Layout.SectorBytes);
        Assert.All(report.Chain, one => Assert.Equal(BootFirmware.Uefi, one.Firmware));
        VirtigoException refused = await RefusedAsync(disk, new BootLoaderOptions { Firmware = BootFirmware.Bios });
        Assert.Contains("sectors of 4096 bytes", refused.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("xfs", false)]
    [InlineData("xfs", true)]
    [InlineData("btrfs", false)]
    [InlineData("btrfs", true)]
    public async Task Of_xfs_and_btrfs_the_chain_is_walked_to_the_kernel_and_a_lost_one_is_missed(string kind, bool grub)
    {
        string tree = _maker.Tree(grub);
        string mkfs = $"mkfs.{kind} {(kind == "xfs" ? "-m uuid=" : "-U ")}{BootImageMaker.Uuid}";
        var maker = new VolumeMaker(_folder);
        string disk = await maker.DiskAsync(tree, mkfs);
        BootLoaderReport report = await BootLoader.InstallAsync(disk, null, Token);
        Assert.True(report.Boots);
        Assert.All(report.Chain, one => Assert.Equal(BootVerdict.Good, one.Verdict));
        Assert.Equal("/boot/vmlinuz-6.12.0", Assert.Single(report.Chain, one => one.Link == "kernel").Text);
        Assert.Equal(kind, Assert.Single(report.Layout.Partitions).FileSystem);
        using (var loader = BootDisk.Open(disk, null))
        {
            GrubCore core = GrubCore.FromBios(BiosLoader.Read(loader.Whole)!.ReadCore(loader.Whole)!)!;
            Assert.Contains(kind, core.Modules);
            Assert.Contains(report.Layout.Partitions[0].Uuid!, core.Carried, StringComparison.Ordinal);
        }

        foreach (string kernel in Directory.EnumerateFiles(Path.Combine(tree, "boot"), "vmlinuz-*"))
        {
            File.Delete(kernel);
        }

        await BootImageMaker.PutAsync(disk, VolumeMaker.Start, await maker.SystemAsync(tree, mkfs));
        BootFinding missed = Assert.Single((await BootLoader.ExamineAsync(disk, null, Token)).Chain, one => one.Verdict == BootVerdict.Broken);
        Assert.Equal("kernel", missed.Link);
    }

    public static TheoryData<string, string> Damages { get; } = new()
    {
        { "boot sector", "boot sector" }, { "wrong sector", "core" }, { "moved core", "core" }, { "torn core", "core" }, { "half core", "core" },
    };

    [Theory]
    [MemberData(nameof(Damages))]
    public async Task A_damaged_boot_loader_is_found_and_repaired(string damage, string link)
    {
        string disk = await _maker.MbrAsync(_maker.Tree(grub: true));
        await BootLoader.InstallAsync(disk, null, Token);
        byte[] sound = await File.ReadAllBytesAsync(disk, Token);
        switch (damage)
        {
            case "boot sector":
                BootImageMaker.Write(disk, 0, new byte[440]);
                break;
            case "wrong sector":
                BootImageMaker.Write(disk, 0x5C, 77);
                break;
            case "moved core":
                BootImageMaker.Write(disk, 512, [.. new byte[512], .. sound.AsSpan(512, 300_000)]);
                break;
            case "torn core":
                BootImageMaker.Write(disk, 512 + 60_000, new byte[4096]);
                break;
            case "half core":
                BootImageMaker.Write(disk, 512 + 100_000, new byte[200_000]);
                break;
        }

        BootLoaderReport broken = await BootLoader.ExamineAsync(disk, null, Token);
        Assert.False(broken.Boots);
        Assert.Equal(link, broken.Chain[^1].Link);
        Assert.Equal(BootVerdict.Broken, broken.Chain[^1].Verdict);
        Assert.True((await BootLoader.RepairAsync(disk, null, Token)).Boots);
        Assert.Empty((await BootLoader.RepairAsync(disk, null, Token)).Done);
    }

    [Fact]
    public async Task What_a_boot_loader_does_not_mend_is_named_and_the_disk_is_left_as_it_was()
    {
        string tree = _maker.Tree(grub: true);
        File.Delete(Path.Combine(tree, "boot", "initrd.img-6.12.0"));
        File.Delete(Path.Combine(tree, "boot", "vmlinuz-6.9.0"));
        string disk = await _maker.MbrAsync(tree);
        VirtigoException refused = await RefusedAsync(disk);
        Assert.Contains("initrd.img-6.12.0", refused.Message, StringComparison.Ordinal);

        string empty = _maker.Tree(grub: false);
        Directory.Delete(Path.Combine(empty, "boot"), recursive: true);
        Assert.Contains("no file system with a kernel", (await RefusedAsync(await _maker.MbrAsync(empty))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_later_entry_that_leads_nowhere_is_doubtful_and_not_broken()
    {
        string tree = _maker.Tree(grub: true);
        File.Delete(Path.Combine(tree, "boot", "vmlinuz-6.9.0"));
        BootLoaderReport report = await BootLoader.InstallAsync(await _maker.MbrAsync(tree), null, Token);
        Assert.True(report.Boots);
        Assert.Contains(report.Chain, one => one.Verdict == BootVerdict.Doubtful && one.Text.Contains("'Older'", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Repair_puts_back_what_the_image_keeps_of_its_own_boot_loader()
    {
        string tree = _maker.Tree(grub: true, modules: true);
        string own = Path.Combine(tree, "boot", "grub", "i386-pc");
        await Tool.RunAsync("grub-mkimage", ["-O", "i386-pc", "-o", Path.Combine(own, "core.img"), "-p", "(,msdos1)/boot/grub", "biosdisk", "part_msdos", "ext2"], Token);
        File.Copy("/usr/lib/grub/i386-pc/boot.img", Path.Combine(own, "boot.img"));
        string disk = await _maker.MbrAsync(tree);
        BootLoaderReport report = await BootLoader.RepairAsync(disk, null, Token);
        Assert.True(report.Boots);
        Assert.Contains("the image's own /boot/grub/i386-pc/core.img", Assert.Single(report.Done), StringComparison.Ordinal);
        Assert.Contains(report.Chain, one => one is { Link: "modules", Verdict: BootVerdict.Good });
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Repair_tells_kernels_what_the_loader_told_them_that_it_replaces(bool core)
    {
        string disk = await _maker.DiskAsync("gpt", 512, (2048, 2048, BootImageMaker.BiosBoot, null), (4096, 32768, BootImageMaker.Esp, null), (36864, 40960, "linux", _maker.Tree(grub: false)));
        await BootLoader.InstallAsync(disk, new BootLoaderOptions { KernelArguments = "console=ttyS0 init=/bin/x" }, Token);
        if (core)
        {
            BootImageMaker.Write(disk, 2048 * 512, new byte[1 << 20]);
        }
        else
        {
            BootImageMaker.Write(disk, 0, new byte[440]);
            await Tool.RunAsync("mdel", ["-i", $"{disk}@@{4096 * 512}", "::" + UefiPlace.Path], Token);
        }

        Assert.True((await BootLoader.RepairAsync(disk, null, Token)).Boots);
        using var made = BootDisk.Open(disk, null);
        string?[] carried =
        [
            GrubCore.FromBios(BiosLoader.Read(made.Whole)!.ReadCore(made.Whole)!)!.Carried,
            GrubCore.FromUefi(made.Esp!.Files!.File(UefiPlace.Path)!.Read(32 << 20)!)!.Carried,
        ];
        Assert.All(carried, script => Assert.Equal("console=ttyS0 init=/bin/x", CarriedConfig.Arguments(script!)));
        Assert.Null(CarriedConfig.Arguments("menuentry x {\n  linux /vmlinuz ro\n}\n"));
    }

    [Fact]
    public async Task Repair_gives_UEFI_a_copy_of_the_program_that_the_image_keeps_for_itself()
    {
        string disk = await _maker.DiskAsync("gpt", 512, (4096, 32768, BootImageMaker.Esp, null), (36864, 40960, "linux", _maker.Tree(grub: true)));
        string early = Path.Combine(_folder, "early"), own = Path.Combine(_folder, "own"), at = $"{disk}@@{4096 * 512}";
        await File.WriteAllTextAsync(early, $"search.fs_uuid {BootImageMaker.Uuid} root\nset prefix=($root)/boot/grub\n", Token);
        await Tool.RunAsync("grub-mkimage", ["-O", "x86_64-efi", "-o", own, "-p", "/EFI/debian", "-c", early, "part_gpt", "ext2", "search_fs_uuid", "normal", "linux", "search"], Token);
        await Tool.RunAsync("mmd", ["-i", at, "::/EFI", "::/EFI/debian"], Token);
        await Tool.RunAsync("mcopy", ["-i", at, own, "::/EFI/debian/grubx64.efi"], Token);
        BootFinding broken = Assert.Single((await BootLoader.ExamineAsync(disk, null, Token)).Chain, one => one.Verdict == BootVerdict.Broken);
        Assert.Equal("program", broken.Link);

        BootLoaderReport report = await BootLoader.RepairAsync(disk, null, Token);
        Assert.True(report.Boots);
        Assert.Contains("a copy of the image's own /EFI/debian/grubx64.efi", Assert.Single(report.Done), StringComparison.OrdinalIgnoreCase);
        using var made = BootDisk.Open(disk, null);
        Assert.Equal(await File.ReadAllBytesAsync(own, Token), made.Esp!.Files!.File(UefiPlace.Path)!.Read(32 << 20));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    public async Task A_change_that_was_killed_in_the_middle_is_undone_by_whoever_comes_next(int written)
    {
        string disk = await _maker.MbrAsync(_maker.Tree(grub: true));
        byte[] before = await File.ReadAllBytesAsync(disk, Token);
        DiskChange[] changes = [new(512, [.. Enumerable.Repeat((byte)7, 4096)]), new(0, [.. Enumerable.Repeat((byte)9, 512)])];
        using (var content = DiskContent.Open(disk))
        {
            await UndoJournal.WriteAsync(disk, content, changes, Token);
        }

        foreach (DiskChange change in changes.Take(written))
        {
            BootImageMaker.Write(disk, change.Offset, change.Bytes);
        }

        BootLoaderReport report = await BootLoader.ExamineAsync(disk, null, Token);
        Assert.Contains("undid", Assert.Single(report.Done), StringComparison.Ordinal);
        Assert.Equal(before, await File.ReadAllBytesAsync(disk, Token));
        Assert.False(File.Exists(UndoJournal.PathOf(disk)));
    }

    [Fact]
    public async Task A_disk_that_was_written_to_after_a_killed_change_is_not_put_back()
    {
        string disk = await _maker.MbrAsync(_maker.Tree(grub: true));
        using (var content = DiskContent.Open(disk))
        {
            await UndoJournal.WriteAsync(disk, content, [new(512, new byte[512]), new(0, [.. Enumerable.Repeat((byte)9, 512)])], Token);
        }

        BootImageMaker.Write(disk, 600, 1, 2, 3);
        byte[] before = await File.ReadAllBytesAsync(disk, Token);
        VirtigoException refused = await Assert.ThrowsAsync<VirtigoException>(() => BootLoader.ExamineAsync(disk, null, Token));
        Assert.Contains("written to since", refused.Message, StringComparison.Ordinal);
        Assert.Equal(before, await File.ReadAllBytesAsync(disk, Token));
    }

    [Fact]
    public async Task Devices_running_disks_and_other_formats_are_refused()
    {
        Assert.Contains("is a device", (await Assert.ThrowsAsync<VirtigoException>(() => BootLoader.InstallAsync("/dev/null", null, Token))).Message, StringComparison.Ordinal);
        Assert.Equal(FailureKind.Usage, (await Assert.ThrowsAsync<VirtigoException>(() => BootLoader.InstallAsync(Path.Combine(_folder, "none"), null, Token))).Kind);
        string disk = await _maker.MbrAsync(_maker.Tree(grub: true));
        string vmdk = Path.Combine(_folder, "disk.vmdk");
        await Tool.RunAsync("qemu-img", ["convert", "-f", "raw", "-O", "vmdk", disk, vmdk], Token);
        Assert.Contains("VMDK", (await Assert.ThrowsAsync<VirtigoException>(() => BootLoader.InstallAsync(vmdk, null, Token))).Message, StringComparison.Ordinal);
        await using (await DiskEdit.OpenAsync(disk, "raw", Token))
        {
            Assert.Contains("in use", (await RefusedAsync(disk)).Message, StringComparison.Ordinal);
        }

        Assert.True((await BootLoader.InstallAsync(disk, null, Token)).Boots);
    }

    /// <summary>Asserts that installing is refused, that the disk is as it was and that nothing lies beside it.</summary>
    private static async Task<VirtigoException> RefusedAsync(string disk, BootLoaderOptions? options = null)
    {
        byte[] before = SHA256.HashData(await File.ReadAllBytesAsync(disk, Token));
        VirtigoException refused = await Assert.ThrowsAsync<VirtigoException>(() => BootLoader.InstallAsync(disk, options, Token));
        Assert.Equal(FailureKind.Usage, refused.Kind);
        Assert.Equal(before, SHA256.HashData(await File.ReadAllBytesAsync(disk, Token)));
        Assert.False(File.Exists(UndoJournal.PathOf(disk)));
        return refused;
    }
}

using System.Globalization;

namespace Virtigo.Images;

/// <summary>Walks the chain that boots an image, by reading what each link says of the next, until it ends in a kernel or breaks.</summary>
internal sealed class BootChain
{
    private const int MostProgramBytes = 32 << 20;
    private const int MostFollowed = 4;
    private const int MostShown = 160;
    private readonly BootDisk _disk;
    private readonly BootFirmware _firmware;
    private readonly List<BootFinding> _found = [];

    private BootChain(BootDisk disk, BootFirmware firmware) => (_disk, _firmware) = (disk, firmware);

    /// <summary>Where a firmware's chain is expected to be: where there is a place for it.</summary>
    public static IReadOnlyList<BootFirmware> Expected(BootDisk disk)
    {
        bool uefi = disk.Esp is not null;
        bool bios = disk.BiosBoot is not null || BiosLoader.Read(disk.Whole) is not null || (!uefi && disk.Layout.SectorBytes == BiosLoader.Sector);
        return [.. bios ? [BootFirmware.Bios] : Array.Empty<BootFirmware>(), .. uefi ? [BootFirmware.Uefi] : Array.Empty<BootFirmware>()];
    }

    /// <summary>Walks it.</summary>
    public static IReadOnlyList<BootFinding> Walk(BootDisk disk, BootFirmware firmware)
    {
        var chain = new BootChain(disk, firmware);
        try
        {
            if (firmware == BootFirmware.Bios)
            {
                chain.FromBootSector();
            }
            else
            {
                chain.FromSystemPartition();
            }
        }
        catch (DamagedDiskException damaged)
        {
            chain.Add("file system", BootVerdict.Broken, $"a file system on the way is damaged: {damaged.Message}");
        }

        return chain._found;
    }

    /// <summary>Where a core looks for its configuration.</summary>
    public static BootVolume? Target(BootDisk disk, GrubCore core)
    {
        GrubConfig first = GrubConfig.Read(core.Carried ?? core.Config ?? "");
        (string? device, _) = GrubConfig.Place(core.Prefix);
        return first.Uuid is { } uuid ? disk.WithUuid(uuid) : (first.Device ?? device) is { } named ? disk.WithDevice(named) : null;
    }

    private void FromBootSector()
    {
        if (BiosLoader.Read(_disk.Whole) is not { } loader)
        {
            Add("boot sector", BootVerdict.Broken, "the first sector does not start GRUB");
            return;
        }

        Add("boot sector", BootVerdict.Good, $"GRUB's; it looks for the core in sector {Number(loader.CoreSector)}");
        if (loader.Runs.Count == 0)
        {
            Add("core", BootVerdict.Broken, $"sector {Number(loader.CoreSector)} does not begin a core of GRUB");
            return;
        }

        if (loader.ReadCore(_disk.Whole) is not { } bytes || GrubCore.FromBios(bytes) is not { } core)
        {
            Add("core", BootVerdict.Broken, $"the core in sector {Number(loader.CoreSector)} is damaged: it cannot be unpacked");
            return;
        }

        string place = Where(loader);
        Add("core", place.Length > 0 ? BootVerdict.Doubtful : BootVerdict.Good,
            $"{Number(bytes.Length)} bytes in {loader.Runs.Count} runs of sectors, {core.Modules.Count} modules{place}");
        FromCore(core, null);
    }

    /// <summary>Says when the core lies where a file system's own content may be moved over it.</summary>
    private string Where(BiosLoader loader)
    {
        foreach (Partition partition in _disk.Layout.Partitions.Where(one => one.Number > 0 && one.Type != BootDisk.BiosBootType))
        {
            long first = partition.Start / BiosLoader.Sector;
            long last = first + (partition.Length / BiosLoader.Sector);
            if (loader.Runs.Any(run => run.Sector < last && run.Sector + run.Count > first))
            {
                return $"; it lies within partition {partition.Number}, whose file system may move it";
            }
        }

        return "";
    }

    private void FromSystemPartition()
    {
        if (_disk.Esp is not { } esp)
        {
            Add("system partition", BootVerdict.Broken, "there is no EFI system partition");
            return;
        }

        if (esp.Files is not { } files)
        {
            Add("system partition", BootVerdict.Broken, $"the EFI system partition {esp.Shown} has no FAT that can be read");
            return;
        }

        Add("system partition", BootVerdict.Good, $"partition {esp.Partition.Number}, FAT");
        if (Program(files, UefiPlace.Path) is not { } program)
        {
            return;
        }

        string at = UefiPlace.Path;
        GrubCore? core = GrubCore.FromUefi(program);
        if (core is null && files.File("/EFI/BOOT/grubx64.efi") is not null)
        {
            // What is signed for secure boot starts the GRUB beside it.
            at = "/EFI/BOOT/grubx64.efi";
            core = Program(files, at) is { } second ? GrubCore.FromUefi(second) : null;
        }

        if (core is null)
        {
            Add("program", BootVerdict.NotChecked, $"{at} is not GRUB; where it goes on is not known here");
            return;
        }

        Add("core", BootVerdict.Good, $"{at}, {core.Modules.Count} modules");
        FromCore(core, esp);
    }

    private byte[]? Program(IVolumeFiles files, string path)
    {
        if (files.File(path) is not { } file || file.Read(MostProgramBytes) is not { } program)
        {
            Add("program", BootVerdict.Broken, $"there is no {path} on the EFI system partition, or it is too large to be one");
            return null;
        }

        if (!UefiPlace.IsProgram(program))
        {
            Add("program", BootVerdict.Broken, $"{path} is not a program for a 64-bit PC's UEFI");
            return null;
        }

        Add("program", BootVerdict.Good, $"{path}, {Number(program.Length)} bytes");
        return program;
    }

    private void FromCore(GrubCore core, BootVolume? own)
    {
        GrubConfig first = GrubConfig.Read(core.Carried ?? core.Config ?? "");
        (string? device, string folder) = GrubConfig.Place(core.Prefix);
        folder = first.Prefix ?? folder;
        BootVolume? volume = first.Uuid is not null || (first.Device ?? device) is not null ? Target(_disk, core) : own;
        if (volume is null)
        {
            Add("prefix", BootVerdict.Broken, first.Uuid is { } uuid
                ? $"the core looks for the file system {Shown(uuid)}, which is not on this disk"
                : $"the core looks on ({Shown(first.Device ?? device ?? "")}), which this disk does not have");
            return;
        }

        if (core.Carried is not null)
        {
            Add("prefix", BootVerdict.Good, $"the core looks for its configuration on {volume.Shown}");
            FromCarried(volume);
            return;
        }

        Add("prefix", BootVerdict.Good, $"{volume.Shown} {Shown(folder)}");
        if (volume.Files is { } files && !core.Modules.Contains("normal"))
        {
            string module = $"{folder}/{(_firmware == BootFirmware.Bios ? "i386-pc" : "x86_64-efi")}/normal.mod";
            if (files.File(module) is null)
            {
                Add("modules", BootVerdict.Broken, $"the core needs {Shown(module)}, which is not there");
                return;
            }

            Add("modules", BootVerdict.Good, Shown(module));
        }

        Follow(volume, folder, 0);
    }

    private void FromCarried(BootVolume volume)
    {
        if (volume.Files is null)
        {
            NotRead(volume, "configuration");
        }
        else if (CarriedConfig.Folders.FirstOrDefault(at => volume.Files.File(at + "/grub.cfg") is { Size: > 0 }) is { } folder)
        {
            Follow(volume, folder, 0);
        }
        else if (CarriedConfig.NewestKernel(volume.Files) is { } kernel)
        {
            Add("configuration", BootVerdict.Good, "the core's own: the file system has none");
            Add("kernel", BootVerdict.Good, Shown(kernel.Kernel));
            Add("initrd", kernel.Initrd is null ? BootVerdict.Doubtful : BootVerdict.Good, kernel.Initrd is null ? "none" : Shown(kernel.Initrd));
        }
        else
        {
            Add("kernel", BootVerdict.Broken, $"{volume.Shown} has neither a grub.cfg nor a kernel");
        }
    }

    private void Follow(BootVolume volume, string folder, int depth)
    {
        string path = folder.TrimEnd('/') + "/grub.cfg";
        if (volume.Files is null)
        {
            NotRead(volume, "configuration");
            return;
        }

        if (volume.Files.File(path) is not { } file)
        {
            Add("configuration", BootVerdict.Broken, $"there is no {Shown(path)} on {volume.Shown}");
            return;
        }

        if (file.Read(GrubConfig.MostBytes) is not { } bytes)
        {
            Add("configuration", BootVerdict.Broken, $"{Shown(path)} is too large to be one");
            return;
        }

        GrubConfig config = GrubConfig.Read(System.Text.Encoding.UTF8.GetString(bytes));
        if (config.Entries.Count == 0 && config.Prefix is { } next && depth < MostFollowed && !(config.Uuid is null && config.Device is null && next == folder))
        {
            Add("configuration", BootVerdict.Good, $"{volume.Shown} {Shown(path)}");
            if ((config.Uuid is { } uuid ? _disk.WithUuid(uuid) : config.Device is { } device ? _disk.WithDevice(device) : volume) is { } further)
            {
                Follow(further, next, depth + 1);
            }
            else
            {
                Add("configuration", BootVerdict.Broken, $"it looks for the file system {Shown(config.Uuid ?? config.Device ?? "")}, which is not on this disk");
            }
        }
        else if (config.Entries.Count == 0)
        {
            Add("configuration", config.IsDynamic ? BootVerdict.NotChecked : BootVerdict.Broken, config.IsDynamic
                ? $"{Shown(path)} makes its entries while it runs" : $"{Shown(path)} on {volume.Shown} names no kernel");
        }
        else
        {
            Add("configuration", BootVerdict.Good, $"{volume.Shown} {Shown(path)}, {config.Entries.Count} entries");
            foreach ((int index, GrubEntry entry) in config.Entries.Index())
            {
                Check(volume, entry, index == 0);
            }
        }
    }

    /// <summary>Checks an entry: the first is what boots; a later one that leads nowhere is only worth a word.</summary>
    private void Check(BootVolume current, GrubEntry entry, bool first)
    {
        BootVerdict wrong = first ? BootVerdict.Broken : BootVerdict.Doubtful;
        if ((entry.Uuid is { } uuid ? _disk.WithUuid(uuid) : current) is not { } volume)
        {
            Add("kernel", wrong, $"the entry '{Shown(entry.Title)}' looks for the file system {Shown(entry.Uuid!)}, which is not on this disk");
            return;
        }

        if (volume.Files is not { } files)
        {
            NotRead(volume, "kernel");
            return;
        }

        foreach ((string path, string link) in entry.Initrds.Select(one => (one, "initrd")).Prepend((entry.Kernel, "kernel")))
        {
            (string? device, string at) = GrubConfig.Place(path);
            IVolumeFiles? on = device is null ? files : _disk.WithDevice(device)?.Files;
            if (at.Contains('$', StringComparison.Ordinal) || on is null)
            {
                Add(link, BootVerdict.NotChecked, $"{Shown(path)}: only GRUB itself knows where that is");
            }
            else if (on.File(at) is { Size: > 0 })
            {
                if (first)
                {
                    Add(link, BootVerdict.Good, Shown(at));
                }
            }
            else
            {
                Add(link, wrong, $"there is no {Shown(at)} on {volume.Shown}, which the entry '{Shown(entry.Title)}' names, or it is empty");
            }
        }

        if (first && entry.Arguments.FirstOrDefault(one => one.StartsWith("root=UUID=", StringComparison.Ordinal)) is { } root)
        {
            string id = root["root=UUID=".Length..];
            Add("root", _disk.WithUuid(id) is null ? BootVerdict.Doubtful : BootVerdict.Good,
                _disk.WithUuid(id) is { } found ? $"{found.Shown}, as the kernel is told" : $"the kernel is told of the file system {Shown(id)}, which is not on this disk");
        }
    }

    private void NotRead(BootVolume volume, string link) => Add(link, BootVerdict.NotChecked,
        $"{volume.Shown}: files are read here from ext2, ext3, ext4, xfs, btrfs and FAT, on partitions and on linear logical volumes");

    private void Add(string link, BootVerdict verdict, string text) => _found.Add(new BootFinding(_firmware, link, verdict, text));

    private static string Number(long number) => number.ToString("N0", CultureInfo.InvariantCulture);

    /// <summary>A guest's word in a message of ours.</summary>
    private static string Shown(string text) => string.Concat(text.Take(MostShown).Select(c => char.IsControl(c) ? '?' : c));
}

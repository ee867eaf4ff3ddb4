namespace Virtigo.Images;

public static partial class BootLoader
{
    private const int MostCoreFile = 2 << 20;
    private const int MostModuleFile = 1 << 20;
    private const int MostProgram = 32 << 20;
    private const int MostArguments = 2048;
    private const string AllowedInPath = "/._+~-@";
    private const string AllowedInArguments = " =,./:_+-@%";

    /// <summary>The firmwares that are meant: each that the disk has a place for.</summary>
    private static BootFirmware[] For(BootDisk disk, BootFirmware asked)
    {
        if (asked != BootFirmware.Auto)
        {
            return [asked];
        }

        bool bios = BootPlace.Find(disk) is { } place && (disk.Esp is null || place.Bytes >= 32 << 10);
        BootFirmware[] found = [.. bios ? [BootFirmware.Bios] : Array.Empty<BootFirmware>(), .. disk.Esp?.Files is not null ? [BootFirmware.Uefi] : Array.Empty<BootFirmware>()];
        if (found.Length == 0)
        {
            BootPlace.Require(disk);
        }

        return found;
    }

    /// <summary>Makes a boot loader of this host's GRUB.</summary>
    private static async Task<List<DiskChange>> BuildAsync(
        BootDisk disk, BootFirmware firmware, BootLoaderOptions options, List<string> done, CancellationToken cancellationToken)
    {
        BootTarget target = BootTarget.Find(disk) ?? throw new VirtigoException(FailureKind.Usage,
            $"{disk.Path} has no file system with a kernel that GRUB could boot: it has {Systems(disk)}.",
            "Put a kernel into /boot first. GRUB reads ext2, ext3, ext4, xfs, btrfs and FAT, on partitions and logical volumes, not on encrypted ones.");
        string script = CarriedConfig.Script(target.Boot.System!.Uuid!, target.Root.System!.Uuid!,
            target.Kernel is { } kernel && kernel.All(c => char.IsAsciiLetterOrDigit(c) || AllowedInPath.Contains(c, StringComparison.Ordinal)) ? kernel : null,
            Arguments(options.KernelArguments));
        string carries = target.Folder is { } folder ? $"it goes on with {target.Boot.Shown} {folder}/grub.cfg, which is kept"
            : target.Boot.Files is null ? $"it goes on with a grub.cfg on {target.Boot.Shown} if there is one, else with an entry for each kernel there; this configuration is in the core"
            : $"it has an entry for each kernel on {target.Boot.Shown}, found when it runs; this configuration is in the core, as there is no grub.cfg";
        if (firmware == BootFirmware.Uefi)
        {
            if (disk.Esp is not { Files: not null } esp)
            {
                throw new VirtigoException(FailureKind.Usage, disk.Esp is null ? $"{disk.Path} has no EFI system partition: it has {Systems(disk)}."
                    : $"The EFI system partition of {disk.Path} has no FAT that can be read.",
                    "Make one, of type C12A7328-F81F-11D2-BA4B-00A0C93EC93B on a GPT or EF on an old table, with mkfs.vfat on it.");
            }

            byte[] program = await GrubBuilder.WholeAsync(firmware, target.Modules, script, cancellationToken);
            done.Add($"UEFI: put GRUB, {program.Length} bytes, into {UefiPlace.Path} of partition {esp.Partition.Number}; {carries}");
            return await EspEdit.InstallAsync(disk, esp, program, cancellationToken);
        }

        BootPlace place = BootPlace.Require(disk);
        byte[] boot = GrubBuilder.BiosFile("boot.img");
        byte[] core = await GrubBuilder.WholeAsync(firmware, target.Modules, script, cancellationToken);
        if (Sectors(core.Length) > place.Bytes && target.Folder is { } own && HasSameModules(target))
        {
            string module = disk.Layout.Scheme == PartitionScheme.Gpt ? "part_gpt" : "part_msdos";
            core = await GrubBuilder.SmallAsync([.. target.Modules, module], target.Boot.System.Uuid!, own, cancellationToken);
            carries = $"it loads its modules from {target.Boot.Shown} {own}/i386-pc, which are of the same version, since a core with all of them is too large";
        }

        if (Sectors(core.Length) > place.Bytes)
        {
            throw place.TooSmall(disk, core.Length);
        }

        done.Add($"BIOS: put GRUB's core, {core.Length} of {place.Bytes} bytes, into {place.Name}; {carries}");
        return Placed(disk, place, boot, core);
    }

    /// <summary>Puts back what the image itself keeps of its boot loader; null when it keeps nothing that would do.</summary>
    private static async Task<List<DiskChange>?> RestoreAsync(BootDisk disk, BootFirmware firmware, List<string> done, CancellationToken cancellationToken)
    {
        if (firmware == BootFirmware.Uefi)
        {
            foreach (string folder in disk.Esp?.Files?.Names("/EFI").Where(name => !name.Equals("BOOT", StringComparison.OrdinalIgnoreCase)) ?? [])
            {
                string path = $"/EFI/{folder}/grubx64.efi";
                if (disk.Esp!.Files!.File(path)?.Read(MostProgram) is { } program && UefiPlace.IsProgram(program) && GrubCore.FromUefi(program) is { } inside
                    && (GrubConfig.Place(inside.Prefix).Device is null || BootChain.Target(disk, inside) is not null))
                {
                    done.Add($"UEFI: put a copy of the image's own {path} into {UefiPlace.Path}");
                    return await EspEdit.InstallAsync(disk, disk.Esp, program, cancellationToken);
                }
            }

            return null;
        }

        if (BootPlace.Find(disk) is not { } place || BootTarget.Find(disk) is not { Folder: { } grub, Boot.Files: { } files } target)
        {
            return null;
        }

        if (files.File($"{grub}/i386-pc/core.img")?.Read(MostCoreFile) is not { } core || files.File($"{grub}/i386-pc/boot.img")?.Read(BiosLoader.Sector) is not { Length: BiosLoader.Sector } boot
            || Sectors(core.Length) > place.Bytes || GrubCore.FromBios(core) is not { } kept || BootChain.Target(disk, kept) != target.Boot)
        {
            return null;
        }

        done.Add($"BIOS: put back the image's own {grub}/i386-pc/core.img, {core.Length} of {place.Bytes} bytes, into {place.Name}");
        return Placed(disk, place, boot, core);
    }

    /// <summary>What a core that was made here tells kernels, where one is left, for whichever firmware; null when none says anything.</summary>
    private static string? Told(BootDisk disk)
    {
        try
        {
            return Cores(disk).Select(core => core.Carried is { } script ? CarriedConfig.Arguments(script) : null)
                .FirstOrDefault(told => told is { Length: > 0 and <= MostArguments } && told.All(IsAllowed));
        }
        catch (DamagedDiskException)
        {
            return null;
        }
    }

    private static IEnumerable<GrubCore> Cores(BootDisk disk)
    {
        if (BootPlace.Find(disk) is { } place && BiosLoader.At(disk.Whole, place.Start / BiosLoader.Sector).ReadCore(disk.Whole) is { } bytes
            && GrubCore.FromBios(bytes) is { } core)
        {
            yield return core;
        }

        if (disk.Esp?.Files?.File(UefiPlace.Path)?.Read(MostProgram) is { } program && GrubCore.FromUefi(program) is { } inside)
        {
            yield return inside;
        }
    }

    private static List<DiskChange> Placed(BootDisk disk, BootPlace place, byte[] boot, byte[] core)
    {
        byte[] first = new byte[BiosLoader.Sector];
        disk.Whole.Read(0, first);
        BiosLoader.BootSector(boot, place.Start / BiosLoader.Sector).CopyTo(first, 0);
        (first[510], first[511]) = (0x55, 0xAA);

        // The core before what starts it.
        return [new DiskChange(place.Start, BiosLoader.Placed(core, place.Start / BiosLoader.Sector)), new DiskChange(0, first)];
    }

    private static long Sectors(long bytes) => (bytes + BiosLoader.Sector - 1) / BiosLoader.Sector * BiosLoader.Sector;

    /// <summary>Whether the image's modules are those of this host: a core loads only modules of its own version.</summary>
    private static bool HasSameModules(BootTarget target) => ((string[])["normal", "linux", "search"]).All(name =>
        target.Boot.Files?.File($"{target.Folder}/i386-pc/{name}.mod")?.Read(MostModuleFile) is { } module && module.AsSpan().SequenceEqual(GrubBuilder.BiosFile(name + ".mod")));

    private static string Arguments(string? arguments) =>
        arguments is null ? ""
        : arguments.Length <= MostArguments && arguments.All(IsAllowed) ? arguments
        : throw new VirtigoException(FailureKind.Usage, "The kernel's arguments have characters that mean something to GRUB, or are too many.",
            $"Letters, digits and these are taken: {AllowedInArguments.Trim()}");

    private static bool IsAllowed(char c) => char.IsAsciiLetterOrDigit(c) || AllowedInArguments.Contains(c, StringComparison.Ordinal);

    private static string Systems(BootDisk disk) =>
        disk.Volumes.Count == 0 ? "nothing at all" : string.Join(", ", disk.Volumes.Select(one => $"({one.Device}) {one.System?.Kind ?? "unknown"}"));
}

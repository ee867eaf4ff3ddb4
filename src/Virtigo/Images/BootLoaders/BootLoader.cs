using Virtigo.Host;

namespace Virtigo.Images;

/// <summary>
/// Boot loaders of disk images, from outside: as an ordinary user, on the file. Nothing is mounted, no device is touched, and no machine is
/// started. A change is whole or undone, also when this process is killed: then by the next call for the same image.
/// </summary>
public static partial class BootLoader
{
    /// <summary>How an image is laid out, and its chain.</summary>
    /// <param name="path">The disk: raw or qcow2.</param>
    /// <param name="options">The size of sectors, where the table does not tell.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    /// <exception cref="VirtigoException">
    /// It is not there, a device or of another format (<see cref="FailureKind.Usage"/>); it is damaged (<see cref="FailureKind.Host"/>).
    /// </exception>
    public static async Task<BootLoaderReport> ExamineAsync(string path, BootLoaderOptions? options = null, CancellationToken cancellationToken = default)
    {
        options ??= new BootLoaderOptions();
        List<string> done = await RecoverAsync(path, cancellationToken);
        return await Task.Run(() => Examine(path, options, done), cancellationToken);
    }

    /// <summary>Makes a boot loader and puts it into an image; an image's own configuration stays as it is.</summary>
    /// <param name="path">The disk: raw or qcow2.</param>
    /// <param name="options">For which firmware, and so on.</param>
    /// <param name="cancellationToken">Ends the work; the image is then as it was.</param>
    /// <exception cref="VirtigoException">
    /// There is no room or nothing to boot, or a machine has the disk (<see cref="FailureKind.Usage"/>); a tool or a permission is missing
    /// (<see cref="FailureKind.Host"/>).
    /// </exception>
    public static async Task<BootLoaderReport> InstallAsync(string path, BootLoaderOptions? options = null, CancellationToken cancellationToken = default)
    {
        options ??= new BootLoaderOptions();
        List<string> done = await RecoverAsync(path, cancellationToken);
        return await ChangeAsync(path, options, done, async (disk, changes) =>
        {
            foreach (BootFirmware firmware in For(disk, options.Firmware))
            {
                changes.AddRange(await BuildAsync(disk, firmware, options, done, cancellationToken));
            }

            return For(disk, options.Firmware);
        }, cancellationToken);
    }

    /// <summary>Mends what is broken of an image's boot loader, with what the image itself has if possible, and leaves alone what is not broken.</summary>
    /// <param name="path">The disk: raw or qcow2.</param>
    /// <param name="options">For which firmware, and so on.</param>
    /// <param name="cancellationToken">Ends the work; the image is then as it was.</param>
    /// <exception cref="VirtigoException">
    /// What is broken is not the boot loader, or there is no room (<see cref="FailureKind.Usage"/>); a tool or a permission is missing
    /// (<see cref="FailureKind.Host"/>).
    /// </exception>
    public static async Task<BootLoaderReport> RepairAsync(string path, BootLoaderOptions? options = null, CancellationToken cancellationToken = default)
    {
        options ??= new BootLoaderOptions();
        List<string> done = await RecoverAsync(path, cancellationToken);
        return await ChangeAsync(path, options, done, async (disk, changes) =>
        {
            var mended = new List<BootFirmware>();
            foreach (BootFirmware firmware in For(disk, options.Firmware))
            {
                if (BootChain.Walk(disk, firmware).All(one => one.Verdict != BootVerdict.Broken))
                {
                    continue;
                }

                changes.AddRange(await RestoreAsync(disk, firmware, done, cancellationToken)
                    ?? await BuildAsync(disk, firmware, options with { KernelArguments = options.KernelArguments ?? Told(disk) }, done, cancellationToken));
                mended.Add(firmware);
            }

            return mended;
        }, cancellationToken);
    }

    private static BootLoaderReport Examine(string path, BootLoaderOptions options, IReadOnlyList<string> done)
    {
        using var disk = BootDisk.Open(path, options.SectorBytes);
        return BootDisk.Guarded(path, () => new BootLoaderReport(Layout(disk), Chain(disk, options.Firmware), done));
    }

    private static List<BootFinding> Chain(BootDisk disk, BootFirmware firmware) =>
        [.. (firmware == BootFirmware.Auto ? BootChain.Expected(disk) : [firmware]).SelectMany(one => BootChain.Walk(disk, one))];

    /// <summary>Applies what is worked out while the disk is locked, looks at the result, and undoes it when the chain is still broken.</summary>
    private static async Task<BootLoaderReport> ChangeAsync(
        string path, BootLoaderOptions options, List<string> done, Func<BootDisk, List<DiskChange>, Task<IReadOnlyList<BootFirmware>>> plan,
        CancellationToken cancellationToken)
    {
        using var disk = BootDisk.Open(path, options.SectorBytes);
        await using DiskEdit edit = await DiskEdit.OpenAsync(path, disk.Format, cancellationToken);
        var changes = new List<DiskChange>();
        IReadOnlyList<BootFirmware> firmwares;
        try
        {
            firmwares = await plan(disk, changes);
        }
        catch (DamagedDiskException damaged)
        {
            throw new VirtigoException(FailureKind.Host, $"A file system on {path} is damaged: {damaged.Message}.", "Check it in a running copy: virtigo run", damaged);
        }

        if (changes.Count == 0)
        {
            return Examine(path, options, done);
        }

        UndoJournal journal = await UndoJournal.WriteAsync(path, disk.Content, changes, cancellationToken);
        try
        {
            await edit.WriteAsync(changes, cancellationToken);
            BootLoaderReport report = Examine(path, options, done);
            if (report.Chain.FirstOrDefault(one => one.Verdict == BootVerdict.Broken && firmwares.Contains(one.Firmware)) is { } broken)
            {
                throw new VirtigoException(FailureKind.Usage, $"{path} would still not boot, and is as it was: {broken.Link}: {broken.Text}.",
                    "A boot loader alone does not mend this. See all: " + ShellQuote.Command("virtigo", ["bootloader", "verify", path]));
            }

            journal.Remove();
            return report;
        }
        catch
        {
            await edit.WriteAsync(journal.Undo, CancellationToken.None);
            journal.Remove();
            throw;
        }
    }

    /// <summary>Undoes what a killed process left half done.</summary>
    private static async Task<List<string>> RecoverAsync(string path, CancellationToken cancellationToken)
    {
        if (!File.Exists(path) || UndoJournal.Find(path) is not { } journal)
        {
            return [];
        }

        using var content = DiskContent.Open(path);
        await using DiskEdit edit = await DiskEdit.OpenAsync(path, content is Qcow2Disk ? "qcow2" : "raw", cancellationToken);
        if (!journal.Fits(content))
        {
            throw new VirtigoException(FailureKind.Usage, $"A change of {path} was interrupted, and the disk was written to since: it is not put back.",
                $"Remove {UndoJournal.PathOf(path)} to go on with the disk as it is.");
        }

        await edit.WriteAsync(journal.Undo, CancellationToken.None);
        journal.Remove();
        return ["undid a change that had been interrupted"];
    }

    private static BootLayout Layout(BootDisk disk)
    {
        BootPlace? place = BootPlace.Find(disk);
        BootVolume? boot = BootTarget.Find(disk)?.Boot;
        return new BootLayout(Path.GetFullPath(disk.Path), disk.Format, disk.Content.Length,
#pragma warning disable CA1308 // Small letters are what the field has, not a way to compare.
            disk.Layout.Scheme.ToString().ToLowerInvariant(), disk.Layout.SectorBytes, place?.Start, place?.Bytes ?? 0,
#pragma warning restore CA1308
            [.. disk.Volumes.Select(one => new BootPartition(one.Device, one.Partition.Number, one.Partition.Start, one.Range.Length, one.Partition.Type,
                string.Concat(one.Partition.Name.Select(c => char.IsControl(c) ? '?' : c)), one.System?.Kind, one.System?.Uuid,
                one.Partition == disk.BiosBoot ? "bios-boot" : one == disk.Esp ? "esp" : one == boot ? "boot" : null))]);
    }
}

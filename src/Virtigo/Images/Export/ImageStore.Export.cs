using System.Globalization;
using Virtigo.Host;

namespace Virtigo.Images;

public sealed partial class ImageStore
{
    /// <summary>Writes an image's disk to a file of the user's: whole, or not at all.</summary>
    /// <param name="image">The image.</param>
    /// <param name="path">The file to write.</param>
    /// <param name="options">Format and so on; plain qcow2 when null.</param>
    /// <param name="progress">Told the part done, 0 to 1.</param>
    /// <param name="cancellationToken">Ends the export; the file is then as it was.</param>
    /// <exception cref="VirtigoException">
    /// The file exists, the options contradict each other (<see cref="FailureKind.Usage"/>), or space, a tool or the signature lacks
    /// (<see cref="FailureKind.Host"/>).
    /// </exception>
    public async Task<ImageExport> ExportAsync(
        StoredImage image, string path, ExportOptions? options = null, IProgress<double>? progress = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(image);
        options ??= new ExportOptions();
        using ImageLease lease = await LeaseAsync(image, cancellationToken);
        path = Path.GetFullPath(path);
        (string Path, ImageDisk Sealed) disk = ChooseDisk(image, options);
        CheckExport(disk.Path, path, options);
        CheckSize(image, options.DiskBytes);
        string temporary = $"{path}.{Guid.NewGuid():N}.part";
        try
        {
            await new DiskExporter(image, disk.Path, disk.Sealed, path).WriteAsync(temporary, options, progress, cancellationToken);
            await Task.Run(() => DiskFile.Flush(temporary), cancellationToken);
            if (!options.Sums && options.SignCommand is null)
            {
                Publish(temporary, path, options.Force);
                progress?.Report(1);
                return new ImageExport(path, new FileInfo(path).Length, null, []);
            }

            string hash = await DiskHash.ComputeAsync(temporary, null, cancellationToken);
            using ExportSums sums = await ExportSums.PrepareAsync(path, hash, options.SignCommand, cancellationToken);
            Publish(temporary, path, options.Force);
            IReadOnlyList<string> beside = sums.Publish();
            progress?.Report(1);
            return new ImageExport(path, new FileInfo(path).Length, hash, beside);
        }
        finally
        {
            File.Delete(temporary);
        }
    }

    private static (string Path, ImageDisk Sealed) ChooseDisk(StoredImage image, ExportOptions options)
    {
        IReadOnlyList<(string Name, string Path, ImageDisk Sealed)> disks = image.Disks;
        string names = string.Join(", ", disks.Select(disk => disk.Name));
        if (options is { Format: DiskFormat.Ova, Disk: not null })
        {
            throw new VirtigoException(FailureKind.Usage, "An OVA holds all disks of an image.", "Leave out --disk, or choose another format.");
        }

        if (disks.Count > 1 && options is { Disk: null, Format: not DiskFormat.Ova })
        {
            throw new VirtigoException(FailureKind.Usage, $"The image {image.Name} has several disks, and a {DiskFormats.NameOf(options.Format)} file holds one: {names}.",
                $"Export each, beginning with --disk {disks[0].Name}; or all in one file as ova.");
        }

        (string Name, string Path, ImageDisk Sealed) found = options.Disk is null ? disks[0] : disks.FirstOrDefault(disk => disk.Name == options.Disk);
        return found.Path is null
            ? throw new VirtigoException(FailureKind.Usage, $"The image {image.Name} has no disk {options.Disk}; it has: {names}.", "virtigo images show lists them.")
            : found.Path != image.DiskPath && options.DiskBytes is not null
            ? throw new VirtigoException(FailureKind.Usage, "Only the first disk can be exported larger than it is.", "Leave out --disk-size.")
            : (found.Path, found.Sealed);
    }

    private static void CheckExport(string diskPath, string path, ExportOptions options)
    {
        if (options is { Compress: true, Format: not DiskFormat.Qcow2 })
        {
            throw new VirtigoException(FailureKind.Usage, options.Format is DiskFormat.Raw or DiskFormat.Vdi or DiskFormat.Vhdx
                    ? $"A {DiskFormats.NameOf(options.Format)} disk cannot be compressed."
                    : $"A {DiskFormats.NameOf(options.Format)} file is always compressed.",
                "Leave out --compress, or export as qcow2, raw.zst or raw.xz.");
        }

        if (Directory.Exists(path))
        {
            throw new VirtigoException(FailureKind.Usage, $"{path} is a folder.", "Give the name of a file.");
        }

        if (File.Exists(path) && !options.Force)
        {
            throw new VirtigoException(FailureKind.Usage, $"The file {path} exists.", "Give another name, or --force to replace it.");
        }

        if (Path.GetDirectoryName(path) is { } folder && !Directory.Exists(folder))
        {
            throw new VirtigoException(FailureKind.Usage, $"The folder {folder} does not exist.", $"Make it first: mkdir -p {folder}");
        }

        // How small compression makes a disk is known only afterwards.
        long needed = options.Compress || options.Format is DiskFormat.Vmdk or DiskFormat.Ova or DiskFormat.RawZst or DiskFormat.RawXz
            ? 0 : DiskFile.AllocatedBytes(diskPath);
        long free = DiskFile.FreeBytes(Path.GetDirectoryName(path)!);
        if (needed > free)
        {
            throw new VirtigoException(FailureKind.Host,
                string.Create(CultureInfo.InvariantCulture,
                    $"{path} needs about {needed >> 20} MiB, but its file system has only {free >> 20} MiB free."),
                "Make room, or export to another file system.");
        }
    }

    private static void Publish(string temporary, string path, bool force)
    {
        try
        {
            File.Move(temporary, path, force);
        }
        catch (IOException error) when (!force && File.Exists(path))
        {
            throw new VirtigoException(FailureKind.Usage, $"The file {path} was made by somebody else meanwhile.",
                "Give another name, or --force to replace it.", error);
        }

        DiskFile.FlushFolder(Path.GetDirectoryName(path)!);
    }
}

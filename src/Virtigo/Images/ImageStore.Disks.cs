using System.Globalization;
using Virtigo.Host;

namespace Virtigo.Images;

/// <summary>The format of a disk file.</summary>
public enum DiskFormat
{
    /// <summary>QEMU's format: grows as it is written, can be compressed.</summary>
    Qcow2,

    /// <summary>The bytes of the disk as they are, with holes where nothing was written.</summary>
    Raw,
}

/// <summary>How to export an image.</summary>
public sealed record ExportOptions
{
    /// <summary>The format of the exported file.</summary>
    public DiskFormat Format { get; init; } = DiskFormat.Qcow2;

    /// <summary>Compress the exported file: smaller, slower to read. Only for <see cref="DiskFormat.Qcow2"/>.</summary>
    public bool Compress { get; init; }

    /// <summary>Replace the file if there is one.</summary>
    public bool Force { get; init; }
}

/// <summary>Whether an image's disk is what was sealed.</summary>
/// <param name="Expected">The SHA-256 in the manifest.</param>
/// <param name="Actual">The SHA-256 of the disk now.</param>
public sealed record ImageVerification(string Expected, string Actual)
{
    /// <summary>Whether the disk is unchanged since it was sealed.</summary>
    public bool IsIntact => Expected == Actual;
}

public sealed partial class ImageStore
{
    /// <summary>Reads an image's disk and compares its hash with the manifest.</summary>
    /// <param name="image">The image.</param>
    /// <param name="progress">Told the part done, 0 to 1.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    public async Task<ImageVerification> VerifyAsync(
        StoredImage image, IProgress<double>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(image);
        using ImageLease lease = await LeaseAsync(image, cancellationToken);
        return new ImageVerification(
            image.Manifest.Disk.Sha256, await DiskHash.ComputeAsync(image.DiskPath, progress, cancellationToken));
    }

    /// <summary>Writes an image's disk to a file of the user's: whole, or not at all.</summary>
    /// <param name="image">The image.</param>
    /// <param name="path">The file to write.</param>
    /// <param name="options">Format and so on; plain qcow2 when null.</param>
    /// <param name="progress">Told the part done, 0 to 1.</param>
    /// <param name="cancellationToken">Ends the export; the file is then as it was.</param>
    /// <exception cref="VirtigoException">
    /// The file exists, the options contradict each other (<see cref="FailureKind.Usage"/>), or space or <c>qemu-img</c> lacks
    /// (<see cref="FailureKind.Host"/>).
    /// </exception>
    public async Task ExportAsync(
        StoredImage image, string path, ExportOptions? options = null, IProgress<double>? progress = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(image);
        options ??= new ExportOptions();
        using ImageLease lease = await LeaseAsync(image, cancellationToken);
        path = Path.GetFullPath(path);
        CheckExport(image, path, options);
        string temporary = $"{path}.{Guid.NewGuid():N}.part";
        try
        {
            var gauge = new ConvertProgress(progress);
            await QemuImage.RunAsync(ConvertArguments(image, temporary, options), $"The image {image.Name} could not be exported to {path}.",
                gauge.Read, cancellationToken);
            await Task.Run(() => DiskFile.Flush(temporary), cancellationToken);
            Publish(temporary, path, options.Force);
        }
        finally
        {
            File.Delete(temporary);
        }

        progress?.Report(1);
    }

    /// <summary>Makes a disk that begins as a copy of an image and keeps only what is written to it. The image stays as it is.</summary>
    /// <param name="image">The image; hold a <see cref="LeaseAsync"/> on it for as long as the overlay is used.</param>
    /// <param name="path">The overlay to make, as qcow2.</param>
    /// <param name="cancellationToken">Ends the making.</param>
    public static Task CreateOverlayAsync(StoredImage image, string path, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(image);
        return QemuImage.CreateOverlayAsync(image.DiskPath, path, cancellationToken);
    }

    private static string[] ConvertArguments(StoredImage image, string target, ExportOptions options) =>
    [
        "convert", "-p", .. options.Compress ? new[] { "-c" } : [],
        "-f", "qcow2", "-O", options.Format == DiskFormat.Raw ? "raw" : "qcow2",
        image.DiskPath, target,
    ];

    private static void CheckExport(StoredImage image, string path, ExportOptions options)
    {
        if (options is { Compress: true, Format: DiskFormat.Raw })
        {
            throw new VirtigoException(FailureKind.Usage, "A raw disk cannot be compressed.", "Export as qcow2, or leave compression out.");
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
        long needed = options.Compress ? 0 : DiskFile.AllocatedBytes(image.DiskPath);
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

namespace Virtigo.Images;

/// <summary>Whether an image's disk is what was sealed.</summary>
/// <param name="Expected">The SHA-256 in the manifest.</param>
/// <param name="Actual">The SHA-256 of the disk now.</param>
public sealed record ImageVerification(string Expected, string Actual)
{
    /// <summary>The name of the disk: of the first that is not what was sealed, else <see cref="ImageManifest.FirstDiskName"/>.</summary>
    public string Disk { get; init; } = ImageManifest.FirstDiskName;

    /// <summary>Whether the disk is unchanged since it was sealed.</summary>
    public bool IsIntact => Expected == Actual;
}

public sealed partial class ImageStore
{
    /// <summary>Reads an image's disks and compares their hashes with the manifest.</summary>
    /// <param name="image">The image.</param>
    /// <param name="progress">Told the part done, 0 to 1.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    public async Task<ImageVerification> VerifyAsync(
        StoredImage image, IProgress<double>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(image);
        using ImageLease lease = await LeaseAsync(image, cancellationToken);
        ImageVerification? good = null;
        IReadOnlyList<(string Name, string Path, ImageDisk Sealed)> disks = image.Disks;
        long all = Math.Max(1, disks.Sum(disk => disk.Sealed.FileBytes));
        long before = 0;
        foreach ((string name, string path, ImageDisk disk) in disks)
        {
            long done = before;
            var part = progress is null ? null : new PartOfProgress(progress, (double)done / all, (double)disk.FileBytes / all);
            var result = new ImageVerification(disk.Sha256, await DiskHash.ComputeAsync(path, part, cancellationToken)) { Disk = name };
            if (!result.IsIntact)
            {
                return result;
            }

            good ??= result;
            before += disk.FileBytes;
        }

        return good!;
    }

    private sealed class PartOfProgress(IProgress<double> whole, double from, double share) : IProgress<double>
    {
        public void Report(double value) => whole.Report(Math.Min(1, from + (share * value)));
    }

    /// <summary>Makes a disk that begins as a copy of an image and keeps only what is written to it. The image stays as it is.</summary>
    /// <param name="image">The image; hold a <see cref="LeaseAsync"/> on it for as long as the overlay is used.</param>
    /// <param name="path">The overlay to make, as qcow2.</param>
    /// <param name="cancellationToken">Ends the making.</param>
    public static Task CreateOverlayAsync(StoredImage image, string path, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(image);
        return CreateOverlayAsync(image, null, path, cancellationToken);
    }

    /// <summary>The same, of another size; what is beyond the image's end is empty.</summary>
    /// <param name="image">The image; hold a <see cref="LeaseAsync"/> on it for as long as the overlay is used.</param>
    /// <param name="bytes">The size that a guest sees, in bytes, at least the image's; null for the image's.</param>
    /// <param name="path">The overlay to make, as qcow2.</param>
    /// <param name="cancellationToken">Ends the making.</param>
    /// <exception cref="VirtigoException"><see cref="FailureKind.Usage"/>: the size is less than the image's.</exception>
    internal static Task CreateOverlayAsync(StoredImage image, long? bytes, string path, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(image);
        CheckSize(image, bytes);
        return QemuImage.CreateOverlayAsync(image.DiskPath, bytes, path, cancellationToken);
    }

    /// <summary>Makes an overlay of each further disk of an image.</summary>
    /// <param name="image">The image; hold a <see cref="LeaseAsync"/> on it for as long as the overlays are used.</param>
    /// <param name="path">Names the overlay of a disk.</param>
    /// <param name="cancellationToken">Ends the making.</param>
    /// <returns>The disks for a machine, in their order.</returns>
    internal static async Task<IReadOnlyList<Hypervisors.GuestDisk>> OverlayFurtherAsync(StoredImage image, Func<string, string> path, CancellationToken cancellationToken)
    {
        foreach ((string name, string disk, _) in image.Disks.Skip(1))
        {
            await QemuImage.CreateOverlayAsync(disk, path(name), cancellationToken);
        }

        return FurtherDisks(image.Manifest.FurtherDisks.Select(disk => disk.Name), path);
    }

    /// <summary>Further disks as a machine has them: in their order, each known by its name.</summary>
    /// <param name="names">Their names.</param>
    /// <param name="path">Where each is.</param>
    internal static IReadOnlyList<Hypervisors.GuestDisk> FurtherDisks(IEnumerable<string> names, Func<string, string> path) =>
        [.. names.Select(name => new Hypervisors.GuestDisk(path(name), Hypervisors.DiskFormat.Qcow2) { Unsafe = true, Serial = name })];

    /// <summary>Refuses a size into which an image's disk does not fit: a disk is never cut off.</summary>
    internal static void CheckSize(StoredImage image, long? bytes, string place = "")
    {
        const int mebibyte = 20;
        if (bytes is { } wanted && wanted < image.Manifest.Disk.VirtualBytes)
        {
            throw new VirtigoException(FailureKind.Usage,
                FormattableString.Invariant($"{place}A disk of {wanted >> mebibyte} MiB is too small: that of the image {image.Name} has {image.Manifest.Disk.VirtualBytes >> mebibyte} MiB."),
                "Give at least that, or build the image with a smaller disk.");
        }
    }
}

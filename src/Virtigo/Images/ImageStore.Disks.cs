namespace Virtigo.Images;

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

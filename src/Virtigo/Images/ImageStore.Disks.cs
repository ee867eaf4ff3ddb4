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
        return QemuImage.CreateOverlayAsync(image.DiskPath, path, cancellationToken);
    }
}

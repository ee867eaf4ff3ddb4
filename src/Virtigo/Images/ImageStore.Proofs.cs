using Virtigo.Host;

namespace Virtigo.Images;

public sealed partial class ImageStore
{
    /// <summary>Writes into an image's manifest that it booted; an earlier proof of the same hypervisor and accelerator is replaced.</summary>
    /// <param name="image">The image.</param>
    /// <param name="proof">What was proven.</param>
    /// <param name="cancellationToken">Ends the writing; the manifest is then as it was.</param>
    /// <returns>The image with its new manifest.</returns>
    /// <exception cref="VirtigoException">The image is gone (<see cref="FailureKind.Usage"/>), or cannot be written (<see cref="FailureKind.Host"/>).</exception>
    public async Task<StoredImage> RecordProofAsync(StoredImage image, ImageProof proof, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(image);
        ArgumentNullException.ThrowIfNull(proof);
        using ImageLease lease = await LeaseAsync(image, cancellationToken);
        using FileLock turn = await FileLock.AcquireAsync(LockPath(image.Key, "proof"), null, cancellationToken);
        ImageManifest now = TryGet(image.Key)?.Manifest ?? image.Manifest;
        ImageManifest proven = now with
        {
            Proofs =
            [
                .. now.Proofs.Where(old => (old.Hypervisor.Name, old.Hypervisor.Accelerator) != (proof.Hypervisor.Name, proof.Hypervisor.Accelerator)),
                proof,
            ],
        };
        try
        {
            await ImageManifestFile.WriteAsync(Path.Combine(image.Directory, StoredImage.ManifestName), proven, cancellationToken);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new VirtigoException(FailureKind.Host, $"The manifest of {image.Name} cannot be written: {error.Message}", null, error);
        }

        return new StoredImage(image.Directory, proven);
    }
}

using Virtigo.Host;
using Virtigo.Hypervisors;
using Virtigo.Images;

namespace Virtigo.Appliances;

/// <summary>The kernel on an image, copied out to measure hypervisors by. Disposing removes the copy.</summary>
/// <param name="paths">Where everything is kept.</param>
/// <param name="image">The image.</param>
public sealed class ImageKernel(HostPaths paths, StoredImage image) : IDisposable
{
    private WorkFolder? _folder;

    /// <summary>Copies the kernel out.</summary>
    /// <param name="cancellationToken">Ends the copying.</param>
    /// <returns>Its path; null when the image's file system cannot be read from outside.</returns>
    public async Task<string?> CopyOutAsync(CancellationToken cancellationToken)
    {
        _folder ??= WorkFolder.Create(paths, "kernel");
        string kernel = Path.Combine(_folder.Path, "kernel");
        try
        {
            await new ImageStore(paths).ExtractBootAsync(image, kernel, Path.Combine(_folder.Path, "initrd"), force: true, cancellationToken);
            return kernel;
        }
        catch (VirtigoException unread) when (unread.Kind is FailureKind.Usage)
        {
            return null;
        }
    }

    /// <summary>How fast a hypervisor's guests are here: what is remembered, else what it boots an image's kernel in; null where no kernel is at hand to find out.</summary>
    internal static async Task<AcceleratorReport?> MeasureAsync(HostPaths paths, StoredImage image, IHypervisor hypervisor, CancellationToken cancellationToken)
    {
        if (hypervisor.Remembered() is { } known)
        {
            return known;
        }

        using var own = new ImageKernel(paths, image);
        return (hypervisor.OwnKernel ?? await own.CopyOutAsync(cancellationToken)) is { } kernel
            ? await hypervisor.ProbeAsync(kernel, cancellationToken)
            : null;
    }

    /// <inheritdoc/>
    public void Dispose() => _folder?.Dispose();
}

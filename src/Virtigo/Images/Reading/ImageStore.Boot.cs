using Virtigo.Host;

namespace Virtigo.Images;

/// <summary>An image's kernel, taken out for booting without the image's own boot loader.</summary>
/// <param name="KernelPath">The kernel's file on the host.</param>
/// <param name="InitrdPath">The initial file system's file on the host; null when the image's kernel needs none.</param>
/// <param name="KernelSource">Where the kernel is in the image: a guest's word.</param>
/// <param name="InitrdSource">Where the initial file system is in the image, or null: a guest's word.</param>
/// <param name="CommandLine">What the image's boot loader tells the kernel, printable ASCII; null when it is not known.</param>
public sealed record ExtractedBoot(string KernelPath, string? InitrdPath, string KernelSource, string? InitrdSource, string? CommandLine);

public sealed partial class ImageStore
{
    private const long MostBootBytes = 2L << 30;

    /// <summary>Copies the kernel and the initial file system that an image boots to files of the user's; nothing is mounted or started.</summary>
    /// <param name="image">The image.</param>
    /// <param name="kernelPath">The file for the kernel.</param>
    /// <param name="initrdPath">The file for the initial file system; not written when there is none.</param>
    /// <param name="force">Replace these files if they exist.</param>
    /// <param name="cancellationToken">Ends the copying; each file is whole or as it was.</param>
    /// <exception cref="VirtigoException">
    /// A file exists, or no kernel is found on a file system that can be read (<see cref="FailureKind.Usage"/>); the disk is damaged
    /// (<see cref="FailureKind.Host"/>).
    /// </exception>
    public async Task<ExtractedBoot> ExtractBootAsync(
        StoredImage image, string kernelPath, string initrdPath, bool force = false, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(image);
        using ImageLease lease = await LeaseAsync(image, cancellationToken);
        (kernelPath, initrdPath) = (CheckTarget(kernelPath, force), CheckTarget(initrdPath, force));
        if (kernelPath == initrdPath)
        {
            throw new VirtigoException(FailureKind.Usage, "Kernel and initial file system cannot be the same file.", "Give two names.");
        }

        return await ExtractBootAsync($"The image {image.Name}", image.DiskPath, kernelPath, initrdPath, cancellationToken);
    }

    /// <summary>Copies the kernel and the initial file system that an installed system boots to files, over what is there.</summary>
    /// <param name="name">The system, to begin a sentence.</param>
    /// <param name="disk">Its disk: raw, or qcow2 that is self-contained. It does not change meanwhile.</param>
    /// <param name="kernelPath">The file for the kernel.</param>
    /// <param name="initrdPath">The file for the initial file system; not written when there is none.</param>
    /// <param name="cancellationToken">Ends the copying; each file is whole or as it was.</param>
    /// <exception cref="VirtigoException">No kernel is found (<see cref="FailureKind.Usage"/>), or the disk is damaged (<see cref="FailureKind.Host"/>).</exception>
    internal static async Task<ExtractedBoot> ExtractBootAsync(string name, string disk, string kernelPath, string initrdPath, CancellationToken cancellationToken)
    {
        using ImageFiles files = await Task.Run(() => ImageFiles.Open(disk), cancellationToken);
        BootChoice boot = await Task.Run(() => BootFinder.Find(files), cancellationToken) ?? throw NoKernel(name, files);
        foreach (ImageEntry entry in new[] { boot.Kernel, boot.Initrd }.OfType<ImageEntry>())
        {
            if (entry.Size > MostBootBytes)
            {
                throw new VirtigoException(FailureKind.Host, $"{name} has a kernel or initial file system of {entry.Size >> 20} MiB: more than "
                    + $"{MostBootBytes >> 20} MiB are not believed.", "Look at it in a running copy: virtigo run");
            }
        }

        await WriteAsync(files, boot.Kernel, kernelPath, cancellationToken);
        if (boot.Initrd is not null)
        {
            await WriteAsync(files, boot.Initrd, initrdPath, cancellationToken);
        }

        return new ExtractedBoot(kernelPath, boot.Initrd is null ? null : initrdPath, boot.Kernel.Path, boot.Initrd?.Path, boot.CommandLine);
    }

    private static string CheckTarget(string path, bool force)
    {
        path = Path.GetFullPath(path);
        if (Directory.Exists(path) || (File.Exists(path) && !force))
        {
            throw new VirtigoException(FailureKind.Usage, $"{path} exists.", "Give another name, or --force to replace a file.");
        }

        return Directory.Exists(Path.GetDirectoryName(path)) ? path
            : throw new VirtigoException(FailureKind.Usage, $"The folder {Path.GetDirectoryName(path)} does not exist.",
                $"Make it first: mkdir -p {Path.GetDirectoryName(path)}");
    }

    private static Task WriteAsync(ImageFiles files, ImageEntry entry, string path, CancellationToken cancellationToken) =>
        AtomicFile.WriteAsync(path, (target, token) => Task.Run(() => files.Copy(entry, target, token), token), cancellationToken: cancellationToken);

    private static VirtigoException NoKernel(string name, ImageFiles files)
    {
        if (!files.HasRootVolume)
        {
            files.RequireRoot();
        }

        return new VirtigoException(FailureKind.Usage, $"{name} has no kernel in /boot.", "Look into a running copy: virtigo run");
    }
}

namespace Virtigo.Images;

/// <summary>An image in the store.</summary>
public sealed class StoredImage
{
    internal const string DiskName = "disk.qcow2";
    internal const string ManifestName = "manifest.json";

    internal StoredImage(string directory, ImageManifest manifest) => (Directory, Manifest) = (directory, manifest);

    /// <summary>The address: 64 lower-case hexadecimal digits.</summary>
    public string Key => Manifest.Key;

    /// <summary>The appliance's name.</summary>
    public string Name => Manifest.Name;

    /// <summary>The folder with the disk, the manifest and the logs of the build.</summary>
    public string Directory { get; }

    /// <summary>The disk; read only. Boot a copy made by <see cref="ImageStore.CreateOverlayAsync(StoredImage, string, CancellationToken)"/>.</summary>
    public string DiskPath => Path.Combine(Directory, DiskName);

    /// <summary>The path of each further disk, in the order of the manifest; read only.</summary>
    public IReadOnlyList<string> FurtherDiskPaths => [.. Manifest.FurtherDisks.Select(disk => FurtherDiskPath(Directory, disk.Name))];

    /// <summary>Where a further disk of an image is, in its folder.</summary>
    internal static string FurtherDiskPath(string folder, string name) => Path.Combine(folder, $"disk-{name}.qcow2");

    /// <summary>Every disk with its path and what the manifest says of it; the first has the name <see cref="ImageManifest.FirstDiskName"/>.</summary>
    internal IReadOnlyList<(string Name, string Path, ImageDisk Sealed)> Disks =>
        [(ImageManifest.FirstDiskName, DiskPath, Manifest.Disk), .. Manifest.FurtherDisks.Zip(FurtherDiskPaths).Select(disk => (disk.First.Name, disk.Second, disk.First.Disk))];

    /// <summary>Everything known about the image.</summary>
    public ImageManifest Manifest { get; }
}

/// <summary>A folder in the store that cannot be used as an image.</summary>
/// <param name="Key">The key under which it is stored.</param>
/// <param name="Directory">The folder.</param>
/// <param name="Problem">What is wrong with it.</param>
public sealed record BrokenImage(string Key, string Directory, string Problem);

/// <summary>What the store holds.</summary>
/// <param name="Images">The images, newest first.</param>
/// <param name="Broken">The folders that cannot be used; remove them with <see cref="ImageStore.RemoveAsync"/>.</param>
public sealed record ImageListing(IReadOnlyList<StoredImage> Images, IReadOnlyList<BrokenImage> Broken);

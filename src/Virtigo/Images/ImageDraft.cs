using Virtigo.Host;

namespace Virtigo.Images;

/// <summary>
/// An image in the making. It is the only one of its key on this host; it enters the store whole by <see cref="SealAsync"/>,
/// and leaves nothing behind when it is disposed before that or its process is killed.
/// </summary>
public sealed class ImageDraft : IAsyncDisposable
{
    private const UnixFileMode Sealed = UnixFileMode.UserRead;
    private readonly HostPaths _paths;
    private readonly FileLock _turn;
    private readonly WorkFolder _folder;
    private bool _sealed;

    internal ImageDraft(HostPaths paths, string key, FileLock turn, WorkFolder folder) =>
        (_paths, Key, _turn, _folder) = (paths, key, turn, folder);

    /// <summary>The key under which the image will be stored.</summary>
    public string Key { get; }

    /// <summary>The folder to build in. Everything in it becomes part of the image: put logs to keep here, and remove the rest.</summary>
    public string Directory => _folder.Path;

    /// <summary>Where the disk must be made, as qcow2 without a backing file.</summary>
    public string DiskPath => Path.Combine(_folder.Path, StoredImage.DiskName);

    /// <summary>Where a further disk must be made, as qcow2 without a backing file.</summary>
    /// <param name="name">The disk's name.</param>
    public string FurtherDiskPath(string name) => StoredImage.FurtherDiskPath(_folder.Path, name);

    /// <summary>Measures and hashes a finished further disk for the manifest.</summary>
    /// <param name="name">The disk's name.</param>
    /// <param name="cancellationToken">Ends the hashing.</param>
    /// <exception cref="VirtigoException">The disk is missing or is not a self-contained qcow2 file.</exception>
    public async Task<ImageFurtherDisk> MeasureFurtherDiskAsync(string name, CancellationToken cancellationToken = default) =>
        new(name, await MeasureAsync(FurtherDiskPath(name), cancellationToken));

    /// <summary>Measures and hashes the finished disk for the manifest.</summary>
    /// <param name="cancellationToken">Ends the hashing.</param>
    /// <exception cref="VirtigoException">The disk is missing or is not a self-contained qcow2 file.</exception>
    public Task<ImageDisk> MeasureDiskAsync(CancellationToken cancellationToken = default) => MeasureAsync(DiskPath, cancellationToken);

    private static async Task<ImageDisk> MeasureAsync(string path, CancellationToken cancellationToken)
    {
        Qcow2Header header = Qcow2Header.Read(path);
        if (!header.IsSelfContained)
        {
            throw new VirtigoException(FailureKind.Internal, $"The disk {path} refers to another file; an image must stand alone.");
        }

        string hash = await DiskHash.ComputeAsync(path, null, cancellationToken);
        return new ImageDisk("qcow2", header.VirtualBytes, new FileInfo(path).Length, DiskFile.AllocatedBytes(path), hash);
    }

    /// <summary>Writes the manifest, waits until everything is on its storage, and puts the image into the store by one rename.</summary>
    /// <param name="manifest">The manifest; its key must be the draft's, its disk the result of <see cref="MeasureDiskAsync"/>.</param>
    /// <param name="cancellationToken">Ends the sealing; the store is then unchanged.</param>
    /// <returns>The image in the store.</returns>
    public async Task<StoredImage> SealAsync(ImageManifest manifest, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(manifest);
        if (_sealed)
        {
            throw new InvalidOperationException("the draft is sealed already");
        }

        if (manifest.Key != Key)
        {
            throw new ArgumentException($"the manifest is for {manifest.Key}, the draft for {Key}", nameof(manifest));
        }

        await ImageManifestFile.WriteAsync(Path.Combine(_folder.Path, StoredImage.ManifestName), manifest, cancellationToken);
        foreach (string file in System.IO.Directory.EnumerateFiles(_folder.Path, "*", SearchOption.AllDirectories))
        {
            await Task.Run(() => DiskFile.Flush(file), cancellationToken);
            File.SetUnixFileMode(file, Sealed);
        }

        DiskFile.FlushFolder(_folder.Path);
        System.IO.Directory.CreateDirectory(_paths.Images);
        string target = Path.Combine(_paths.Images, Key);
        using WorkFolder? broken = ImageStore.TakeOut(_paths, target);
        System.IO.Directory.Move(_folder.Path, target);
        _sealed = true;
        DiskFile.FlushFolder(_paths.Images);
        return new StoredImage(target, manifest);
    }

    /// <summary>Ends the draft; unless it was sealed, nothing of it remains.</summary>
    public ValueTask DisposeAsync()
    {
        _folder.Dispose();
        _turn.Dispose();
        return ValueTask.CompletedTask;
    }
}

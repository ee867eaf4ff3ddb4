using System.Globalization;
using Virtigo.Host;

namespace Virtigo.Images;

/// <summary>
/// The finished images of this user, one folder per image, addressed by the hash of what they were made from.
/// Safe to use from several processes at once. An image never changes after it was sealed.
/// </summary>
public sealed partial class ImageStore
{
    private const int ShortestPrefix = 4;
    private readonly HostPaths _paths;
    private readonly TimeProvider _clock;
    private readonly BuildMemory _memory;

    /// <summary>Opens the store; nothing is read or written yet.</summary>
    /// <param name="paths">Where the store is.</param>
    /// <param name="clock">The clock that ages are measured with; the system's when null.</param>
    public ImageStore(HostPaths paths, TimeProvider? clock = null)
    {
        ArgumentNullException.ThrowIfNull(paths);
        (_paths, _clock, _memory) = (paths, clock ?? TimeProvider.System, new BuildMemory(paths));
    }

    /// <summary>The image with this key, or null when there is none that can be used. No disk is read.</summary>
    /// <param name="key">64 lower-case hexadecimal digits.</param>
    public StoredImage? TryGet(string key)
    {
        string folder = PathOf(key);
        return Directory.Exists(folder) ? Read(folder, key).Image : null;
    }

    /// <summary>Everything in the store. An image that cannot be used is reported, it never hides the others.</summary>
    public ImageListing List()
    {
        var images = new List<StoredImage>();
        var broken = new List<BrokenImage>();
        foreach (string folder in Folders())
        {
            (StoredImage? image, BrokenImage? problem) = Read(folder, Path.GetFileName(folder));
            if (image is not null)
            {
                images.Add(image);
            }
            else if (problem is not null)
            {
                broken.Add(problem);
            }
        }

        images.Sort((a, b) => b.Manifest.Created.CompareTo(a.Manifest.Created) is not 0 and var order
            ? order : string.CompareOrdinal(a.Key, b.Key));
        return new ImageListing(images, broken);
    }

    /// <summary>The image that a person means: the newest of a name, or the one whose key begins so.</summary>
    /// <param name="nameOrPrefix">A name, or at least 4 digits of a key.</param>
    /// <exception cref="VirtigoException">
    /// Nothing or more than one image is meant (<see cref="FailureKind.Usage"/>), or the image is broken (<see cref="FailureKind.Host"/>).
    /// </exception>
    public StoredImage Find(string nameOrPrefix)
    {
        ImageListing all = List();
        if (all.Images.FirstOrDefault(image => image.Name == nameOrPrefix) is { } named)
        {
            return named;
        }

        string key = FindKey(nameOrPrefix, all);
        if (all.Images.FirstOrDefault(image => image.Key == key) is { } found)
        {
            return found;
        }

        BrokenImage broken = all.Broken.First(image => image.Key == key);
        throw new VirtigoException(FailureKind.Host, $"The image {ImageKey.Short(key)} cannot be used: {broken.Problem}.",
            $"Remove it and build it again: virtigo images rm {ImageKey.Short(key)}");
    }

    /// <summary>The key that a person means, of broken images too.</summary>
    /// <param name="nameOrPrefix">A name, or at least 4 digits of a key.</param>
    /// <exception cref="VirtigoException">Nothing or more than one image is meant (<see cref="FailureKind.Usage"/>).</exception>
    public string FindKey(string nameOrPrefix)
    {
        ImageListing all = List();
        return all.Images.FirstOrDefault(image => image.Name == nameOrPrefix)?.Key ?? FindKey(nameOrPrefix, all);
    }

    /// <summary>Begins to make an image. At most one process at a time makes the image of one key.</summary>
    /// <param name="key">64 lower-case hexadecimal digits.</param>
    /// <param name="waiting">Called once if another build of the same image is under way and is waited for.</param>
    /// <param name="rebuild">Make it even if it is in the store; the old one is replaced when the new one is sealed.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The draft, or null when the image is in the store: <see cref="TryGet"/> gives it.</returns>
    /// <exception cref="VirtigoException">The store's folders cannot be written to (<see cref="FailureKind.Host"/>).</exception>
    public async Task<ImageDraft?> BeginAsync(
        string key, Action? waiting = null, bool rebuild = false, CancellationToken cancellationToken = default)
    {
        FileLock? turn = null;
        ImageDraft? draft = null;
        try
        {
            turn = await FileLock.AcquireAsync(LockPath(key, "build"), waiting, cancellationToken);
            WorkFolder.Sweep(_paths);
            draft = rebuild || TryGet(key) is null ? new ImageDraft(_paths, key, turn, WorkFolder.Create(_paths, "draft")) : null;
            return draft;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new VirtigoException(FailureKind.Host, $"No image can be made in {_paths.Work}: {error.Message}",
                "See what this host lacks: virtigo doctor", error);
        }
        finally
        {
            if (draft is null)
            {
                turn?.Dispose();
            }
        }
    }

    /// <summary>Keeps an image from being removed until the lease is disposed or this process ends.</summary>
    /// <param name="image">The image.</param>
    /// <param name="cancellationToken">Ends the wait for a removal that is under way.</param>
    /// <exception cref="VirtigoException">The image is gone (<see cref="FailureKind.Usage"/>).</exception>
    public async Task<ImageLease> LeaseAsync(StoredImage image, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(image);
        FileLock held = await FileLock.AcquireSharedAsync(LockPath(image.Key, "use"), cancellationToken);
        if (image.Disks.All(disk => File.Exists(disk.Path)))
        {
            return new ImageLease(image, held);
        }

        held.Dispose();
        throw new VirtigoException(FailureKind.Usage, $"The image {image.Name} ({ImageKey.Short(image.Key)}) was removed meanwhile.",
            "List what there is: virtigo images");
    }

    /// <summary>Notes which image a plan led to, so that the same build is answered at once next time.</summary>
    /// <param name="build">The build.</param>
    /// <param name="cancellationToken">Ends the writing.</param>
    public Task RememberAsync(RememberedBuild build, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(build);
        return _memory.RememberAsync(build, cancellationToken);
    }

    /// <summary>The build that was noted for a plan and whose image is still in the store, or null. Needs no network.</summary>
    /// <param name="fingerprint">The plan's fingerprint: 64 lower-case hexadecimal digits.</param>
    public RememberedBuild? Lookup(string fingerprint) =>
        _memory.Find(fingerprint) is { } build && File.Exists(Path.Combine(PathOf(build.ImageKey), StoredImage.ManifestName)) ? build : null;

    /// <summary>Moves a folder out of the store by one rename.</summary>
    /// <returns>Deletes it when disposed; null when there was no folder.</returns>
    internal static WorkFolder? TakeOut(HostPaths paths, string folder)
    {
        if (!Directory.Exists(folder))
        {
            return null;
        }

        var bin = WorkFolder.Create(paths, "removed");
        Directory.Move(folder, Path.Combine(bin.Path, "image"));
        return bin;
    }

    private static (StoredImage? Image, BrokenImage? Broken) Read(string folder, string key)
    {
        ManifestReading reading = ImageManifestFile.Read(Path.Combine(folder, StoredImage.ManifestName), key);
        StoredImage? image = reading.Manifest is { } manifest ? new StoredImage(folder, manifest) : null;
        string? problem = image is null ? reading.Problem! : DiskProblem(image);

        // An image that was removed while the store was read is neither there nor broken.
        return problem is null ? (image, null)
            : Directory.Exists(folder) ? (null, new BrokenImage(key, folder, problem))
            : (null, null);
    }

    private static string? DiskProblem(StoredImage image)
    {
        foreach ((string name, string path, ImageDisk expected) in image.Disks)
        {
            var disk = new FileInfo(path);
            string what = path == image.DiskPath ? "the disk" : $"the disk {name}";
            if (!disk.Exists)
            {
                return what + " is missing";
            }

            if (disk.Length != expected.FileBytes)
            {
                return string.Create(CultureInfo.InvariantCulture, $"{what} has {disk.Length} bytes instead of {expected.FileBytes}");
            }
        }

        return null;
    }

    private static string FindKey(string prefix, ImageListing all)
    {
        IEnumerable<string> keys = all.Images.Select(image => image.Key).Concat(all.Broken.Select(image => image.Key));
        string[] meant = prefix.Length >= ShortestPrefix && ImageKey.IsHexadecimal(prefix)
            ? [.. keys.Where(key => key.StartsWith(prefix, StringComparison.Ordinal))]
            : [];
        return meant switch
        {
            [string only] => only,
            [] => throw new VirtigoException(FailureKind.Usage, $"There is no image \"{prefix}\".", HintFor(prefix, all)),
            _ => throw new VirtigoException(FailureKind.Usage,
                $"\"{prefix}\" begins the keys of {meant.Length} images: {string.Join(", ", meant.Take(5).Select(ImageKey.Short))}.",
                "Give more digits, or the name."),
        };
    }

    private static string HintFor(string wanted, ImageListing all)
    {
        IReadOnlyList<string> near = NearMatches.Of(wanted, all.Images.Select(image => image.Name).Distinct());
        return near.Count > 0 ? $"Did you mean {string.Join(" or ", near)}?"
            : all.Images.Count > 0 ? "List what there is: virtigo images"
            : "The store is empty. Build one: virtigo build debian";
    }

    private IEnumerable<string> Folders() =>
        Directory.Exists(_paths.Images)
            ? Directory.EnumerateDirectories(_paths.Images).Where(folder => ImageKey.IsValid(Path.GetFileName(folder)))
            : [];

    private string PathOf(string key) => Path.GetFullPath(Path.Combine(_paths.Images, ImageKey.Require(key)));

    private string LockPath(string key, string purpose) => Path.Combine(_paths.Locks, $"{ImageKey.Require(key)}.{purpose}");
}

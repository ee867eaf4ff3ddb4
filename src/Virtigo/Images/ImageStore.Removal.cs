using Virtigo.Host;

namespace Virtigo.Images;

/// <summary>Which images to prune. An image is pruned when every rule that is given says so.</summary>
public sealed record PruneRules
{
    /// <summary>How many of each name to keep, the newest; null when their number does not matter.</summary>
    public int? KeepNewest { get; init; }

    /// <summary>The least age of an image to be pruned; null when its age does not matter.</summary>
    public TimeSpan? OlderThan { get; init; }

    /// <summary>Only say what would be pruned.</summary>
    public bool DryRun { get; init; }
}

/// <summary>What was pruned, or would be.</summary>
/// <param name="Removed">The images removed.</param>
/// <param name="InUse">Images that the rules name but that are in use, and so were kept.</param>
/// <param name="FreedBytes">The space that their disks took, in bytes.</param>
public sealed record PruneResult(IReadOnlyList<StoredImage> Removed, IReadOnlyList<StoredImage> InUse, long FreedBytes);

public sealed partial class ImageStore
{
    /// <summary>Removes an image, also a broken one.</summary>
    /// <param name="key">64 lower-case hexadecimal digits.</param>
    /// <param name="cancellationToken">Ends the removal before it begins.</param>
    /// <exception cref="VirtigoException">There is no such image, or it is in use (<see cref="FailureKind.Usage"/>).</exception>
    public async Task RemoveAsync(string key, CancellationToken cancellationToken = default)
    {
        if (!Directory.Exists(PathOf(key)))
        {
            throw new VirtigoException(FailureKind.Usage, $"There is no image {ImageKey.Short(key)}.", "List what there is: virtigo images");
        }

        if (!await TryRemoveAsync(key, cancellationToken))
        {
            throw new VirtigoException(FailureKind.Usage, $"The image {ImageKey.Short(key)} is in use by a running machine.",
                "End the machine first, then try again.");
        }
    }

    /// <summary>Removes the images that the rules name and nobody uses. Broken images are left: remove those by their key.</summary>
    /// <param name="rules">At least one rule must be given.</param>
    /// <param name="cancellationToken">Ends the pruning between two images.</param>
    /// <exception cref="VirtigoException">No rule is given, or a negative one (<see cref="FailureKind.Usage"/>).</exception>
    public async Task<PruneResult> PruneAsync(PruneRules rules, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(rules);
        if (rules is { KeepNewest: null, OlderThan: null } or { KeepNewest: < 0 } || rules.OlderThan < TimeSpan.Zero)
        {
            throw new VirtigoException(FailureKind.Usage, "Pruning needs a rule: how many of each name to keep, or from which age to remove.",
                "For instance: virtigo images prune --keep 1");
        }

        WorkFolder.Sweep(_paths);
        DateTimeOffset newestRemoved = _clock.GetUtcNow() - (rules.OlderThan ?? TimeSpan.Zero);
        IEnumerable<StoredImage> named = List().Images
            .GroupBy(image => image.Name)
            .SelectMany(images => images.Skip(rules.KeepNewest ?? 0))
            .Where(image => rules.OlderThan is null || image.Manifest.Created <= newestRemoved);
        var removed = new List<StoredImage>();
        var inUse = new List<StoredImage>();
        long freed = 0;
        foreach (StoredImage image in named)
        {
            cancellationToken.ThrowIfCancellationRequested();
            long size = AllocatedBytes(image);
            bool gone = rules.DryRun ? !IsInUse(image.Key) : await TryRemoveAsync(image.Key, cancellationToken);
            (gone ? removed : inUse).Add(image);
            freed += gone ? size : 0;
        }

        if (!rules.DryRun)
        {
            _memory.Forget(key => Directory.Exists(PathOf(key)));
        }

        return new PruneResult(removed, inUse, freed);
    }

    /// <summary>The space that an image's disks take on the host now, in bytes; 0 when it is gone.</summary>
    public static long AllocatedBytes(StoredImage image)
    {
        ArgumentNullException.ThrowIfNull(image);
        try
        {
            return image.Disks.Sum(disk => DiskFile.AllocatedBytes(disk.Path));
        }
        catch (IOException)
        {
            return 0;
        }
    }

    private bool IsInUse(string key)
    {
        using FileLock? free = FileLock.TryAcquire(LockPath(key, "use"));
        return free is null;
    }

    private Task<bool> TryRemoveAsync(string key, CancellationToken cancellationToken) => Task.Run(
        () =>
        {
            using WorkFolder? bin = TakeOutUnused(key, out bool inUse);
            return !inUse;
        },
        cancellationToken);

    private WorkFolder? TakeOutUnused(string key, out bool inUse)
    {
        using FileLock? free = FileLock.TryAcquire(LockPath(key, "use"));
        inUse = free is null;
        return inUse ? null : TakeOut(_paths, PathOf(key));
    }
}

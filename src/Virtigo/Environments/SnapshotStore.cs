using System.Globalization;
using Virtigo.Host;
using Virtigo.Images;

namespace Virtigo.Environments;

/// <summary>
/// The ready snapshots of this user's environments, one folder each, addressed by the hash of what they were made from. A newer snapshot of
/// the same file replaces an older one that nobody uses.
/// </summary>
/// <param name="host">Where they are, and what uses them.</param>
internal sealed class SnapshotStore(EnvironmentHost host)
{
    /// <summary>The snapshot of a plan, or null when there is none that can be used.</summary>
    public async Task<EnvironmentSnapshot?> TryOpenAsync(EnvironmentPlan plan, CancellationToken cancellationToken)
    {
        var folder = new SnapshotFolder(PathOf(plan.Key));
        if (!File.Exists(folder.Marker))
        {
            return null;
        }

        var held = new List<IDisposable>();
        try
        {
            held.Add(await FileLock.AcquireSharedAsync(LockPath(plan.Key, "use"), cancellationToken));
            held.AddRange(await LeaseAsync(host, plan, cancellationToken));
            if (File.Exists(folder.Marker) && Taken(folder) is { } taken)
            {
                File.SetLastWriteTimeUtc(folder.Marker, host.Clock.GetUtcNow().UtcDateTime);
                return new EnvironmentSnapshot(host, plan, new SavedStart(host, plan, folder, new SharedHold(held)), taken);
            }
        }
        catch (Exception error) when (error is IOException or VirtigoException)
        {
            // An image was removed, or the snapshot: it is made again.
        }

        held.ForEach(one => one.Dispose());
        return null;
    }

    /// <summary>Makes the snapshot of a plan, unless another process makes it first.</summary>
    /// <param name="plan">The environment.</param>
    /// <param name="waiting">Called once when another process makes it.</param>
    /// <param name="make">Fills the folder; the second one is where it will be.</param>
    /// <param name="cancellationToken">Ends the making; nothing of it remains.</param>
    public async Task<EnvironmentSnapshot> MakeAsync(
        EnvironmentPlan plan, Action waiting, Func<SnapshotFolder, SnapshotFolder, Task> make, CancellationToken cancellationToken)
    {
        using FileLock turn = await FileLock.AcquireAsync(LockPath(plan.Key, "make"), waiting, cancellationToken);
        if (await TryOpenAsync(plan, cancellationToken) is { } meanwhile)
        {
            return meanwhile;
        }

        WorkFolder.Sweep(host.Paths);
        using (WorkFolder draft = WorkFolder.Create(host.Paths, "snapshot"))
        {
            var folder = new SnapshotFolder(draft.Path);
            await make(folder, new SnapshotFolder(PathOf(plan.Key)));
            await File.WriteAllTextAsync(folder.Marker,
                string.Create(CultureInfo.InvariantCulture, $"{host.Clock.GetUtcNow():O}\n{Path.GetFullPath(plan.Spec.File)}\n"), cancellationToken);
            await SnapshotTaking.FlushAsync(folder, cancellationToken);
            Directory.CreateDirectory(host.Paths.Snapshots);
            using WorkFolder? broken = await TakeOutAsync(plan.Key, cancellationToken);
            Directory.Move(draft.Path, PathOf(plan.Key));
        }

        await RemoveOlderAsync(plan, cancellationToken);
        return await TryOpenAsync(plan, cancellationToken)
            ?? throw new VirtigoException(FailureKind.Host, $"The snapshot of {plan.Spec.Name} was removed as soon as it was made.", "Run the command again.");
    }

    /// <summary>Keeps the images of a plan from being removed.</summary>
    public static async Task<IReadOnlyList<IDisposable>> LeaseAsync(EnvironmentHost host, EnvironmentPlan plan, CancellationToken cancellationToken)
    {
        var store = new ImageStore(host.Paths, host.Clock);
        var leases = new List<IDisposable>();
        try
        {
            foreach (StoredImage image in plan.Machines.Select(machine => machine.Image).DistinctBy(image => image.Key))
            {
                leases.Add(await store.LeaseAsync(image, cancellationToken));
            }

            return leases;
        }
        catch
        {
            leases.ForEach(lease => lease.Dispose());
            throw;
        }
    }

    private static DateTimeOffset? Taken(SnapshotFolder folder) =>
        DateTimeOffset.TryParseExact(File.ReadLines(folder.Marker).FirstOrDefault(), "O", CultureInfo.InvariantCulture, DateTimeStyles.None, out DateTimeOffset taken)
            ? taken
            : null;

    /// <summary>Removes earlier snapshots of the same file, and those of files that are gone, unless they are in use.</summary>
    private async Task RemoveOlderAsync(EnvironmentPlan plan, CancellationToken cancellationToken)
    {
        string file = Path.GetFullPath(plan.Spec.File);
        foreach (string path in Directory.EnumerateDirectories(host.Paths.Snapshots))
        {
            string key = Path.GetFileName(path);
            string? of = File.Exists(new SnapshotFolder(path).Marker) ? File.ReadLines(new SnapshotFolder(path).Marker).Skip(1).FirstOrDefault() : null;
            if (key != plan.Key && (of is null || of == file || !File.Exists(of)))
            {
                using FileLock? unused = FileLock.TryAcquire(LockPath(key, "use"));
                using WorkFolder? bin = unused is null ? null : await TakeOutAsync(key, cancellationToken);
            }
        }
    }

    private async Task<WorkFolder?> TakeOutAsync(string key, CancellationToken cancellationToken) =>
        await Task.Run(() => ImageStore.TakeOut(host.Paths, PathOf(key)), cancellationToken);

    private string PathOf(string key) => Path.GetFullPath(Path.Combine(host.Paths.Snapshots, key));

    private string LockPath(string key, string purpose) => Path.Combine(host.Paths.Locks, $"{key}.snapshot-{purpose}");
}

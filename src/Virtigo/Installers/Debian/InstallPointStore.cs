using System.Text.Json;
using Virtigo.Host;

namespace Virtigo.Installers.Debian;

/// <summary>
/// The saved installers of this user, one folder for each. They are a cache: the newest few are kept, and losing one costs an install from the
/// beginning. Safe to use from several processes at once.
/// </summary>
/// <param name="paths">Where they are.</param>
internal sealed class InstallPointStore(HostPaths paths)
{
    /// <summary>How many are kept. Each takes a disk and the guest's memory: some 2 GiB.</summary>
    public const int Kept = 3;

    private const string LockSuffix = ".lock";
    private const long MaximumRecordBytes = 64L << 20;

    private string Root => Path.Combine(paths.Cache, "install-points");

    /// <summary>Waits for the only turn at a key; the caller goes on from what it finds, or makes it.</summary>
    /// <param name="key">64 lower-case hexadecimal digits.</param>
    /// <param name="waiting">Called once when somebody else makes or uses it at this moment.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public async Task<InstallPointTurn> EnterAsync(string key, Action waiting, CancellationToken cancellationToken)
    {
        string folder = Path.Combine(Root, key);
        FileLock held = await FileLock.AcquireAsync(folder + LockSuffix, waiting, cancellationToken);
        return new InstallPointTurn(this, folder, Read(folder), held);
    }

    /// <summary>Those that a plan of this way may go on from, the newest first.</summary>
    /// <param name="way">See <see cref="InstallPoint.Way"/>.</param>
    public IReadOnlyList<InstallPoint> Find(string way) =>
        [.. Folders().Select(Read).OfType<InstallPoint>().Where(point => point.Way == way).OrderByDescending(point => point.Created)];

    /// <summary>Removes what is beyond the number kept, by last use, and what a killed process left. One that is in use stays.</summary>
    public void Prune()
    {
        ILookup<bool, string> whole = Folders().ToLookup(folder => Read(folder) is not null);
        foreach (string folder in whole[true].OrderByDescending(Directory.GetLastWriteTimeUtc).Skip(Kept).Concat(whole[false]))
        {
            string target = folder.EndsWith(InstallPointTurn.PartialSuffix, StringComparison.Ordinal) ? folder[..^InstallPointTurn.PartialSuffix.Length] : folder;
            using FileLock? free = FileLock.TryAcquire(target + LockSuffix);
            if (free is not null)
            {
                Directory.Delete(folder, recursive: true);
            }
        }
    }

    private string[] Folders() => Directory.Exists(Root) ? Directory.GetDirectories(Root) : [];

    private static InstallPoint? Read(string folder)
    {
        try
        {
            using FileStream file = File.OpenRead(Path.Combine(folder, InstallPointTurn.RecordName));
            return file.Length > MaximumRecordBytes ? null : JsonSerializer.Deserialize(file, InstallPointJson.Default.InstallPoint);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or JsonException)
        {
            return null;
        }
    }
}

/// <summary>The only turn at one saved installer.</summary>
internal sealed class InstallPointTurn : IDisposable
{
    /// <summary>The end of a folder's name while it is made.</summary>
    public const string PartialSuffix = ".partial";

    /// <summary>The file that says that a folder is whole.</summary>
    public const string RecordName = "point.json";

    private const string StateName = "state";
    private static readonly string[] s_logs = [DebianInstall.SyslogName, DebianInstall.ScreenName];
    private readonly InstallPointStore _store;
    private readonly string _folder;
    private readonly FileLock _held;
    private bool _ended;

    internal InstallPointTurn(InstallPointStore store, string folder, InstallPoint? point, FileLock held) =>
        (_store, _folder, Point, _held) = (store, folder, point, held);

    /// <summary>What is there, or null.</summary>
    public InstallPoint? Point { get; private set; }

    /// <summary>The guest's state, once <see cref="Point"/> is there.</summary>
    public string StatePath => Path.Combine(_folder, StateName);

    private string Partial => _folder + PartialSuffix;

    /// <summary>Begins a new one, whatever is there.</summary>
    /// <returns>Where the guest's state is to be saved.</returns>
    public string Begin()
    {
        CacheDirectory.Remove(Partial);
        Directory.CreateDirectory(Partial, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        return Path.Combine(Partial, StateName);
    }

    /// <summary>Keeps what was begun: copies the disks and the logs, and waits until all is on its storage.</summary>
    /// <param name="point">What it is.</param>
    /// <param name="diskPaths">The disks as they were when the state was saved, in their order.</param>
    /// <param name="logFolder">Where the installer's logs are.</param>
    /// <param name="cancellationToken">Ends the keeping; then there is none.</param>
    public async Task KeepAsync(InstallPoint point, IReadOnlyList<string> diskPaths, string logFolder, CancellationToken cancellationToken)
    {
        foreach ((int index, string path) in diskPaths.Index())
        {
            await CopyAsync(path, Path.Combine(Partial, DiskName(index)), cancellationToken);
        }

        foreach (string log in s_logs)
        {
            await CopyAsync(Path.Combine(logFolder, log), Path.Combine(Partial, log), cancellationToken);
        }

        await AtomicFile.WriteAsync(Path.Combine(Partial, RecordName),
            (file, token) => JsonSerializer.SerializeAsync(file, point, InstallPointJson.Default.InstallPoint, token), cancellationToken: cancellationToken);
        await Task.WhenAll(Directory.EnumerateFiles(Partial).Select(file => Task.Run(() => DiskFile.Flush(file), cancellationToken)));
        CacheDirectory.Remove(_folder);
        Directory.Move(Partial, _folder);
        DiskFile.FlushFolder(Path.GetDirectoryName(_folder)!);
        Point = point;
        _store.Prune();
    }

    /// <summary>Takes a copy of the disks and the logs, for an install that goes on from here.</summary>
    /// <param name="diskPaths">The disks to make, in their order.</param>
    /// <param name="logFolder">Where the logs are to be.</param>
    /// <param name="now">The time, for what is used the least to go first.</param>
    /// <param name="cancellationToken">Ends the copying.</param>
    public async Task TakeAsync(IReadOnlyList<string> diskPaths, string logFolder, DateTimeOffset now, CancellationToken cancellationToken)
    {
        Directory.SetLastWriteTimeUtc(_folder, now.UtcDateTime);
        foreach ((int index, string path) in diskPaths.Index())
        {
            await CopyAsync(Path.Combine(_folder, DiskName(index)), path, cancellationToken);
        }

        foreach (string log in s_logs)
        {
            await CopyAsync(Path.Combine(_folder, log), Path.Combine(logFolder, log), cancellationToken);
        }
    }

    /// <summary>Ends the turn, once. What was begun and not kept is gone.</summary>
    public void Dispose()
    {
        if (!_ended)
        {
            _ended = true;
            CacheDirectory.Remove(Partial);
            _held.Dispose();
        }
    }

    private static string DiskName(int index) => index == 0 ? "disk.qcow2" : FormattableString.Invariant($"disk-{index}.qcow2");

    private static Task CopyAsync(string from, string to, CancellationToken cancellationToken) =>
        Task.Run(() => File.Copy(from, to, overwrite: true), cancellationToken);
}

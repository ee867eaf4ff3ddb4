namespace Virtigo.Host;

/// <summary>
/// A folder for one piece of work below <see cref="HostPaths.Work"/>. It is gone when the work ends; when the process is killed,
/// the next <see cref="Sweep"/> of any process removes it, because nobody holds its lock any more.
/// </summary>
internal sealed class WorkFolder : IDisposable
{
    private const string LockSuffix = ".lock";
    private readonly FileLock _lock;

    private WorkFolder(string path, FileLock held) => (Path, _lock) = (path, held);

    /// <summary>The absolute path of the folder; its mode is 0700.</summary>
    public string Path { get; }

    /// <summary>Makes a new folder.</summary>
    /// <param name="paths">Where Virtigo works.</param>
    /// <param name="purpose">The beginning of the folder's name: letters, digits and dashes.</param>
    public static WorkFolder Create(HostPaths paths, string purpose)
    {
        while (true)
        {
            string path = System.IO.Path.GetFullPath(System.IO.Path.Combine(paths.Work, $"{purpose}-{Guid.NewGuid():N}"));
            FileLock? held = FileLock.TryAcquire(path + LockSuffix);

            // A sweeper may have found the lock file before it was locked; then the name is lost and another one is taken.
            if (held is null || !File.Exists(path + LockSuffix))
            {
                held?.Dispose();
                continue;
            }

            Directory.CreateDirectory(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
            return new WorkFolder(path, held);
        }
    }

    /// <summary>Removes the folders of processes that ended without removing theirs.</summary>
    /// <returns>How many were removed.</returns>
    public static int Sweep(HostPaths paths)
    {
        if (!Directory.Exists(paths.Work))
        {
            return 0;
        }

        int removed = 0;
        foreach (string lockFile in Directory.EnumerateFiles(paths.Work, "*" + LockSuffix).ToArray())
        {
            try
            {
                removed += RemoveAbandoned(lockFile) ? 1 : 0;
            }
            catch (Exception error) when (error is IOException or UnauthorizedAccessException)
            {
                // Another user's, root's perhaps: it costs space, but not our work.
            }
        }

        return removed;
    }

    /// <summary>Removes the folder, unless it was moved away, and frees its lock.</summary>
    public void Dispose()
    {
        using (_lock)
        {
            Remove(Path);
        }
    }

    private static bool RemoveAbandoned(string lockFile)
    {
        using FileLock? free = FileLock.TryAcquire(lockFile);
        if (free is null)
        {
            return false;
        }

        string path = lockFile[..^LockSuffix.Length];
        bool found = Directory.Exists(path);
        Remove(path);
        return found;
    }

    private static void Remove(string path)
    {
        if (Directory.Exists(path))
        {
            Directory.Delete(path, recursive: true);
        }

        File.Delete(path + LockSuffix);
    }
}

namespace Virtigo.Host;

/// <summary>
/// A folder for the sockets of one guest: short, since the path of a unix socket has at most 107 bytes, and open to its owner only.
/// Its lock tells folders of the dead from folders in use.
/// </summary>
internal sealed class SocketFolder : IDisposable
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
    private readonly FileLock _use;

    private SocketFolder(string path, FileLock use) => (Path, _use) = (path, use);

    /// <summary>The folder.</summary>
    public string Path { get; }

    /// <summary>Makes a folder, and removes those whose process was killed.</summary>
    public static SocketFolder Create(HostPaths paths)
    {
        EnsureBase(paths);
        Sweep(paths);
        while (true)
        {
            // Another process that sweeps may hold the lock of a folder it has not seen in use yet: then a new name.
            string path = System.IO.Path.Combine(paths.Runtime, Guid.NewGuid().ToString("N")[..8]);
            if (FileLock.TryAcquire(path + ".lock") is { } use)
            {
                Directory.CreateDirectory(path, OwnerOnly);
                return new SocketFolder(path, use);
            }
        }
    }

    /// <summary>Makes the folder that all sockets are below, and checks that it is this user's alone.</summary>
    /// <exception cref="VirtigoException"><see cref="FailureKind.Host"/> when it is not.</exception>
    public static void EnsureBase(HostPaths paths)
    {
        Directory.CreateDirectory(paths.Runtime, OwnerOnly);
        if (new DirectoryInfo(paths.Runtime) is { LinkTarget: not null } or { UnixFileMode: not OwnerOnly })
        {
            throw new VirtigoException(FailureKind.Host,
                $"{paths.Runtime} holds the sockets of guests and must be a folder with mode 0700; it is a link, or open to others.",
                $"Look at who made it, then: rm -r {ShellQuote.Word(paths.Runtime)}");
        }
    }

    /// <summary>Removes the folders whose process was killed.</summary>
    public static void Sweep(HostPaths paths)
    {
        foreach (string marker in Directory.EnumerateFiles(paths.Runtime, "*.lock"))
        {
            using FileLock? free = FileLock.TryAcquire(marker);
            if (free is not null)
            {
                string folder = marker[..^".lock".Length];
                if (Directory.Exists(folder))
                {
                    Directory.Delete(folder, recursive: true);
                }

                File.Delete(marker);
            }
        }
    }

    /// <summary>Removes the folder and what is in it.</summary>
    public void Dispose()
    {
        Directory.Delete(Path, recursive: true);
        File.Delete(Path + ".lock");
        _use.Dispose();
    }
}

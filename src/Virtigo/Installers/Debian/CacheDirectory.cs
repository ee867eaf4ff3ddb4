using Microsoft.Win32.SafeHandles;
using Virtigo.Host;

namespace Virtigo.Installers.Debian;

/// <summary>A folder of the cache that is made once and then only read. It is seen whole or not at all.</summary>
internal static class CacheDirectory
{
    /// <summary>Returns what is in a folder, making the folder first when it is absent or unusable.</summary>
    /// <param name="path">The folder.</param>
    /// <param name="read">Reads the finished folder; null when it is absent or damaged.</param>
    /// <param name="make">Fills a new folder, given its temporary path. One process at a time does so.</param>
    /// <param name="cancellationToken">Ends the work; nothing is left behind.</param>
    public static async Task<T> GetAsync<T>(
        string path, Func<string, Task<T?>> read, Func<string, Task> make, CancellationToken cancellationToken)
        where T : class
    {
        if (await read(path) is { } ready)
        {
            return ready;
        }

        using FileLock owned = await FileLock.AcquireAsync(path + ".lock", waiting: null, cancellationToken);
        if (await read(path) is { } made)
        {
            return made;
        }

        string partial = path + ".partial";
        Remove(partial);
        Directory.CreateDirectory(partial);
        try
        {
            await make(partial);
            Flush(partial);
            Remove(path);
            Directory.Move(partial, path);
        }
        finally
        {
            Remove(partial);
        }

        return await read(path)
            ?? throw new VirtigoException(FailureKind.Internal, $"The folder '{path}' cannot be read right after it was written.");
    }

    /// <summary>Puts the content on the disk before the name: after a power cut the folder is whole or absent.</summary>
    private static void Flush(string directory)
    {
        foreach (string path in Directory.EnumerateFiles(directory, "*", SearchOption.AllDirectories))
        {
            using SafeFileHandle file = File.OpenHandle(path, FileMode.Open, FileAccess.ReadWrite);
            RandomAccess.FlushToDisk(file);
        }
    }

    /// <summary>Removes a folder with everything in it; does nothing when there is none.</summary>
    public static void Remove(string path)
    {
        if (Directory.Exists(path))
        {
            Directory.Delete(path, recursive: true);
        }
    }
}

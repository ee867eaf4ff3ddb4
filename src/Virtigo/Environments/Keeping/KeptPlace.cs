using System.Text.Json;
using Virtigo.Host;

namespace Virtigo.Environments;

/// <summary>
/// The folder in which a kept environment can be found, for as long as its keeper lives: <c>info.json</c>, the control socket, keys for SSH,
/// and a lock that tells the living from the dead. It is changed in turn only.
/// </summary>
internal sealed class KeptPlace : IAsyncDisposable
{
    /// <summary>What is known of the environment; written when it can be used.</summary>
    public const string InfoFile = "info.json";

    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
    private const string LockFile = "lock";
    private readonly FileLock _lock;
    private readonly Func<CancellationToken, Task<FileLock>> _turn;

    private KeptPlace(string folder, string name, FileLock held, Func<CancellationToken, Task<FileLock>> turn) =>
        (Folder, Name, _lock, _turn) = (folder, name, held, turn);

    /// <summary>The folder; its mode is 0700.</summary>
    public string Folder { get; }

    /// <summary>The environment's name.</summary>
    public string Name { get; }

    /// <summary>The control socket of the environment in a folder.</summary>
    public static string Socket(string folder) => Path.Combine(folder, "control");

    /// <summary>Takes a folder, unless somebody has it.</summary>
    /// <param name="folder">The folder.</param>
    /// <param name="name">The name of the environment.</param>
    /// <param name="turn">Waits for this process's turn to change the folder.</param>
    public static KeptPlace? TryTake(string folder, string name, Func<CancellationToken, Task<FileLock>> turn)
    {
        Directory.CreateDirectory(folder, OwnerOnly);
        return FileLock.TryAcquire(Path.Combine(folder, LockFile)) is { } held ? new KeptPlace(folder, name, held, turn) : null;
    }

    /// <summary>Removes a folder whose keeper is dead.</summary>
    /// <returns>Whether it was removed.</returns>
    public static bool RemoveAbandoned(string folder)
    {
        using FileLock? free = FileLock.TryAcquire(Path.Combine(folder, LockFile));
        if (free is null)
        {
            return false;
        }

        Directory.Delete(folder, recursive: true);
        return true;
    }

    /// <summary>Lets the environment be found.</summary>
    public Task PublishAsync(KeptInfo info, CancellationToken cancellationToken) =>
        AtomicFile.WriteAsync(Path.Combine(Folder, InfoFile),
            (file, token) => JsonSerializer.SerializeAsync(file, info, ControlJson.Default.KeptInfo, token),
            UnixFileMode.UserRead | UnixFileMode.UserWrite, cancellationToken);

    /// <summary>Removes the folder.</summary>
    public async ValueTask DisposeAsync()
    {
        using FileLock turn = await _turn(CancellationToken.None);
        using (_lock)
        {
            Directory.Delete(Folder, recursive: true);
        }
    }
}

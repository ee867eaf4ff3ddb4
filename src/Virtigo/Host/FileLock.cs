using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Virtigo.Host;

/// <summary>
/// A lock between processes, held by an open file (<c>flock(2)</c>): the kernel releases it however its owner ends.
/// The lock file stays; removing it would let two owners lock two different files of the same name.
/// </summary>
internal sealed partial class FileLock : IDisposable
{
    private const int Shared = 1;
    private const int Exclusive = 2;
    private const int NonBlocking = 4;
    private const int InterruptedSystemCall = 4;
    private readonly SafeFileHandle _file;

    private FileLock(SafeFileHandle file) => _file = file;

    /// <summary>Takes the lock if it is free.</summary>
    /// <returns>The lock, or null when another owner holds it.</returns>
    public static FileLock? TryAcquire(string path) => TryAcquire(path, Exclusive);

    /// <summary>Takes the lock together with other sharers, unless somebody holds it exclusively.</summary>
    /// <returns>The lock, or null when another owner holds it exclusively.</returns>
    public static FileLock? TryAcquireShared(string path) => TryAcquire(path, Shared);

    private static FileLock? TryAcquire(string path, int kind)
    {
        SafeFileHandle file = Open(path);
        if (Flock(file, kind | NonBlocking) == 0)
        {
            return new FileLock(file);
        }

        file.Dispose();
        return null;
    }

    /// <summary>Waits until the lock is free and takes it. Waiting is done by the kernel, not by polling.</summary>
    /// <param name="path">The lock file; created with its folder when absent.</param>
    /// <param name="waiting">Called once if another owner holds the lock.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public static async Task<FileLock> AcquireAsync(string path, Action? waiting, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        if (TryAcquire(path) is { } free)
        {
            return free;
        }

        waiting?.Invoke();
        SafeFileHandle file = Open(path);
        var acquired = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);

        // A blocked flock cannot be cancelled portably: the thread is left to finish and gives the lock straight back.
        var thread = new Thread(() =>
        {
            int result;
            do
            {
                result = Flock(file, Exclusive);
            }
            while (result != 0 && Marshal.GetLastPInvokeError() == InterruptedSystemCall);

            if (!acquired.TrySetResult())
            {
                file.Dispose();
            }
        })
        { IsBackground = true, Name = "lock " + Path.GetFileName(path) };
        thread.Start();
        await using (cancellationToken.Register(() => acquired.TrySetCanceled(cancellationToken)))
        {
            await acquired.Task;
        }

        return new FileLock(file);
    }

    public void Dispose() => _file.Dispose();

    private static SafeFileHandle Open(string path)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        return File.OpenHandle(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete);
    }

    // Safe: the handle is kept alive by the marshaller for the length of the call, and flock touches no memory of ours.
    [LibraryImport("libc", EntryPoint = "flock", SetLastError = true)]
    private static partial int Flock(SafeFileHandle file, int operation);
}

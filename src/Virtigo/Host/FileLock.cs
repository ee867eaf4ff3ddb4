using System.ComponentModel;
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
    private const int Release = 8;
    private const int InterruptedSystemCall = 4;
    private const int ReadWrite = 2;
    private const int Create = 0x40;
    private const int CloseOnExec = 0x80000;
    private const int OwnerOnly = 0x180;
    private readonly SafeFileHandle _file;

    private FileLock(SafeFileHandle file) => _file = file;

    /// <summary>Takes the lock if it is free.</summary>
    /// <returns>The lock, or null when another owner holds it.</returns>
    public static FileLock? TryAcquire(string path) => TryAcquire(path, Exclusive);

    /// <summary>Waits until the lock is free and takes it. Waiting is done by the kernel, not by polling.</summary>
    /// <param name="path">The lock file; created with its folder when absent.</param>
    /// <param name="waiting">Called once if another owner holds the lock.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public static Task<FileLock> AcquireAsync(string path, Action? waiting, CancellationToken cancellationToken) =>
        AcquireAsync(path, Exclusive, waiting, cancellationToken);

    /// <summary>Waits until nobody holds the lock exclusively and takes it together with other sharers.</summary>
    public static Task<FileLock> AcquireSharedAsync(string path, CancellationToken cancellationToken) =>
        AcquireAsync(path, Shared, null, cancellationToken);

    private static async Task<FileLock> AcquireAsync(string path, int kind, Action? waiting, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        if (TryAcquire(path, kind) is { } free)
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
                result = Flock(file, kind);
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

    /// <summary>Frees the lock.</summary>
    public void Dispose()
    {
        // Closing would not do: a child that is being started has a copy of the descriptor until it runs its program.
        if (!_file.IsClosed)
        {
            _ = Flock(_file, Release);
        }

        _file.Dispose();
    }

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

    private static SafeFileHandle Open(string path)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);

        // Not File.OpenHandle: it takes a shared flock of its own, and fails when the file is locked.
        SafeFileHandle file = OpenFile(path, ReadWrite | Create | CloseOnExec, OwnerOnly);
        if (file.IsInvalid)
        {
            throw new IOException($"cannot open the lock file {path}", new Win32Exception(Marshal.GetLastPInvokeError()));
        }

        return file;
    }

    // Safe: the path is marshalled for the length of the call; the returned descriptor is owned by the handle.
    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial SafeFileHandle OpenFile(string path, int flags, int mode);

    // Safe: the handle is kept alive by the marshaller for the length of the call, and flock touches no memory of ours.
    [LibraryImport("libc", EntryPoint = "flock", SetLastError = true)]
    private static partial int Flock(SafeFileHandle file, int operation);
}

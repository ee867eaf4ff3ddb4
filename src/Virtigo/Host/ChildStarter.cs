using System.Collections.Concurrent;
using System.Diagnostics;
using System.Runtime.InteropServices;

namespace Virtigo.Host;

/// <summary>
/// Starts every child from one thread that lives as long as the process: the signal on a parent's death
/// (<c>PR_SET_PDEATHSIG</c>) is sent when the <em>thread</em> that forked ends, and threads of the pool come and go.
/// </summary>
internal static class ChildStarter
{
    private static readonly BlockingCollection<Action> Requests = Run();

    /// <summary>Starts a process from the long-lived thread.</summary>
    /// <param name="start">What to start.</param>
    /// <param name="inherited">Descriptors that it has too; everything else of ours closes as it begins.</param>
    public static Task<Process> StartAsync(ProcessStartInfo start, IReadOnlyList<SafeHandle> inherited)
    {
        var started = new TaskCompletionSource<Process>(TaskCreationOptions.RunContinuationsAsynchronously);
        Requests.Add(() =>
        {
            try
            {
                started.SetResult(Start(start, inherited));
            }
#pragma warning disable CA1031 // Every error belongs to the one who asked; the thread must live on.
            catch (Exception error)
#pragma warning restore CA1031
            {
                started.SetException(error);
            }
        });
        return started.Task;
    }

    private static Process Start(ProcessStartInfo start, IReadOnlyList<SafeHandle> inherited)
    {
        // Only while this one starts, and no other child of this thread does.
        foreach (SafeHandle handle in inherited)
        {
            LocalSockets.SetInherited(handle, true);
        }

        try
        {
            return Process.Start(start)!;
        }
        finally
        {
            foreach (SafeHandle handle in inherited)
            {
                LocalSockets.SetInherited(handle, false);
            }
        }
    }

    private static BlockingCollection<Action> Run()
    {
        var requests = new BlockingCollection<Action>();
        new Thread(() =>
        {
            foreach (Action request in requests.GetConsumingEnumerable())
            {
                request();
            }
        })
        { IsBackground = true, Name = "children" }.Start();
        return requests;
    }
}

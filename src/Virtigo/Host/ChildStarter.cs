using System.Collections.Concurrent;
using System.Diagnostics;

namespace Virtigo.Host;

/// <summary>
/// Starts every child from one thread that lives as long as the process: the signal on a parent's death
/// (<c>PR_SET_PDEATHSIG</c>) is sent when the <em>thread</em> that forked ends, and threads of the pool come and go.
/// </summary>
internal static class ChildStarter
{
    private static readonly BlockingCollection<Action> Requests = Run();

    /// <summary>Starts a process from the long-lived thread.</summary>
    public static Task<Process> StartAsync(ProcessStartInfo start)
    {
        var started = new TaskCompletionSource<Process>(TaskCreationOptions.RunContinuationsAsynchronously);
        Requests.Add(() =>
        {
            try
            {
                started.SetResult(Process.Start(start)!);
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

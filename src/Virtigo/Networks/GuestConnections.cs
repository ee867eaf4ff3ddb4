using System.Collections.Concurrent;

namespace Virtigo.Networks;

/// <summary>The connections of guests that a program serves: each by a task of its own that is awaited at the end. Thread safe.</summary>
/// <param name="handler">Serves one connection; its end closes the connection, its failure resets it.</param>
/// <param name="failed">Called with what a handler threw, unless the guest's going away explains it; must not block.</param>
internal sealed class GuestConnections(Func<GuestConnection, CancellationToken, Task> handler, Action<Exception> failed) : IAsyncDisposable
{
    private readonly CancellationTokenSource _ending = new();
    private readonly ConcurrentDictionary<Task, bool> _tasks = [];

    /// <summary>Serves a connection in the background.</summary>
    public void Serve(TcpConnection connection)
    {
        var task = Task.Run(() => ServeAsync(new GuestConnection(connection)), CancellationToken.None);
        _tasks.TryAdd(task, true);
        task.ContinueWith(done => _tasks.TryRemove(done, out _), CancellationToken.None,
            TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
    }

    /// <summary>Tells every handler to end.</summary>
    public Task CancelAsync() => _ending.CancelAsync();

    /// <summary>Tells every handler to end and waits for them.</summary>
    public async ValueTask DisposeAsync()
    {
        await _ending.CancelAsync();
        await Task.WhenAll(_tasks.Keys);
    }

    private async Task ServeAsync(GuestConnection connection)
    {
        try
        {
            await handler(connection, _ending.Token);
            await connection.Stream.DisposeAsync();
        }
        catch (IOException) when (connection.HasEnded)
        {
            // The guest reset it or went away, as it may at any time.
        }
        catch (Exception error)
        {
            connection.Abort();
            if (!_ending.IsCancellationRequested)
            {
                failed(error);
            }
        }
    }
}

using System.Net.Sockets;
using Virtigo.Host;

namespace Virtigo.Environments;

/// <summary>
/// Serves a kept environment on a unix socket, in a folder that only its user may enter. Clients are served side by side: one that is slow
/// or wrong holds up only itself, and what it started ends with it.
/// </summary>
internal sealed class ControlServer : IAsyncDisposable
{
    private const int MostClients = 256;
    private static readonly TimeSpan s_farewellLimit = TimeSpan.FromSeconds(5);
    private readonly Socket _socket;
    private readonly string _path;
    private readonly IControlTarget _target;
    private readonly TimeProvider _clock;
    private readonly CancellationTokenSource _stop = new();
    private readonly TaskCompletionSource _down = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Lock _gate = new();
    private readonly HashSet<Task> _sessions = [];
    private readonly List<(ControlWire Wire, ControlSession Session)> _awaitingEnd = [];
    private readonly Task _accepting;
    private int _clients;
    private bool _disposed;

    /// <summary>Begins to serve.</summary>
    /// <param name="path">The socket's path.</param>
    /// <param name="target">The environment.</param>
    /// <param name="clock">Measures.</param>
    /// <exception cref="VirtigoException"><see cref="FailureKind.Host"/> when the socket cannot be made.</exception>
    public ControlServer(string path, IControlTarget target, TimeProvider clock)
    {
        UnixListener.CheckLength(path);
        (_path, _target, _clock) = (path, target, clock);
        _socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            _socket.Bind(new UnixDomainSocketEndPoint(path));
            _socket.Listen();
        }
        catch (SocketException error)
        {
            _socket.Dispose();
            throw new VirtigoException(FailureKind.Host, $"The socket {path} cannot be made: {error.Message}.", inner: error);
        }

        _accepting = AcceptAsync();
    }

    /// <summary>Completes when a client asks for the end of the environment. It is answered when this is disposed.</summary>
    public Task DownRequested => _down.Task;

    /// <summary>Ends all sessions and takes no more; those that asked for the end wait on.</summary>
    public async Task StopAsync()
    {
        await _stop.CancelAsync();
        await _accepting;
        _socket.Dispose();
        if (File.Exists(_path))
        {
            // Its folder is gone when the place was given up first.
            File.Delete(_path);
        }

        Task[] sessions;
        lock (_gate)
        {
            sessions = [.. _sessions];
        }

        await Task.WhenAll(sessions);
    }

    /// <summary>Tells those who asked that the environment is gone.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_disposed)
        {
            return;
        }

        await StopAsync();
        _disposed = true;
        using var limit = new CancellationTokenSource(s_farewellLimit, _clock);
        foreach ((ControlWire wire, ControlSession session) in _awaitingEnd)
        {
            await using ControlWire last = wire;
            try
            {
                await session.AnswerDownAsync(limit.Token);
            }
            catch (Exception error) when (error is IOException or OperationCanceledException)
            {
                // It did not wait for the answer.
            }
        }

        _awaitingEnd.Clear();
        _stop.Dispose();
    }

    private async Task AcceptAsync()
    {
        while (!_stop.IsCancellationRequested)
        {
            Socket client;
            try
            {
                client = await _socket.AcceptAsync(_stop.Token);
            }
            catch (Exception error) when (error is OperationCanceledException or ObjectDisposedException)
            {
                return;
            }
            catch (SocketException)
            {
                // That client is gone already, or this process is short of descriptors; the next may fare better.
                await Task.Delay(TimeSpan.FromMilliseconds(100), _clock, CancellationToken.None);
                continue;
            }

            if (Interlocked.Increment(ref _clients) > MostClients)
            {
                Interlocked.Decrement(ref _clients);
                client.Dispose();
                continue;
            }

            Task session = ServeAsync(client);
            lock (_gate)
            {
                _sessions.Add(session);
            }

            _ = session.ContinueWith(Forget, TaskScheduler.Default);
        }
    }

    private async Task ServeAsync(Socket client)
    {
        var wire = new ControlWire(new NetworkStream(client, ownsSocket: true));
        bool keep = false;
        try
        {
            var session = new ControlSession(wire, _target, _clock);
            keep = await session.RunAsync(_stop.Token);
            if (keep)
            {
                lock (_gate)
                {
                    _awaitingEnd.Add((wire, session));
                }

                _down.TrySetResult();
            }
        }
        catch (Exception error) when (error is IOException or InvalidDataException or OperationCanceledException)
        {
            // The client is gone, talks nonsense, or everything ends.
        }
        finally
        {
            Interlocked.Decrement(ref _clients);
            if (!keep)
            {
                await wire.DisposeAsync();
            }
        }
    }

    private void Forget(Task session)
    {
        lock (_gate)
        {
            _sessions.Remove(session);
        }
    }
}

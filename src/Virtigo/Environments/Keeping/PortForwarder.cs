using System.Net;
using System.Net.Sockets;

namespace Virtigo.Environments;

/// <summary>
/// Publishes a TCP port of a machine on a free port of the host's loopback, for this host's programs only. Connections are made inside the
/// machine, through its channel: the networks of the environment stay cut off. Disposing it closes them all.
/// </summary>
public sealed class PortForwarder : IAsyncDisposable
{
    private const int MostConnections = 256;
    private readonly Socket _listener;
    private readonly Func<CancellationToken, Task<Stream>> _connect;
    private readonly CancellationTokenSource _stop = new();
    private readonly SemaphoreSlim _room = new(MostConnections);
    private readonly Lock _gate = new();
    private readonly HashSet<Task> _connections = [];
    private readonly Task _accepting;
    private int _disposed;

    private PortForwarder(string machine, int port, Socket listener, Func<CancellationToken, Task<Stream>> connect)
    {
        (Machine, Port, _listener, _connect) = (machine, port, listener, connect);
        Endpoint = (IPEndPoint)listener.LocalEndPoint!;
        _accepting = AcceptAsync();
    }

    /// <summary>The machine.</summary>
    public string Machine { get; }

    /// <summary>The machine's TCP port.</summary>
    public int Port { get; }

    /// <summary>Where the port is on the host: 127.0.0.1 and a port that was free.</summary>
    public IPEndPoint Endpoint { get; }

    /// <summary>Begins to listen.</summary>
    /// <param name="machine">The machine.</param>
    /// <param name="port">Its TCP port.</param>
    /// <param name="connect">Makes a connection to it.</param>
    /// <exception cref="VirtigoException"><see cref="FailureKind.Host"/> when the host gives no port.</exception>
    internal static PortForwarder Start(string machine, int port, Func<CancellationToken, Task<Stream>> connect)
    {
        var listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
            listener.Listen();
            return new PortForwarder(machine, port, listener, connect);
        }
        catch (SocketException error)
        {
            listener.Dispose();
            throw new VirtigoException(FailureKind.Host, $"No port of the host's loopback can be had for {machine}:{port}: {error.Message}.", inner: error);
        }
    }

    /// <summary>Closes the port and every connection.</summary>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0)
        {
            return;
        }

        await _stop.CancelAsync();
        _listener.Dispose();
        await _accepting;
        Task[] connections;
        lock (_gate)
        {
            connections = [.. _connections];
        }

        await Task.WhenAll(connections);
        _stop.Dispose();
        _room.Dispose();
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                await _room.WaitAsync(_stop.Token);
                Task serving = ServeAsync(await _listener.AcceptAsync(_stop.Token));
                lock (_gate)
                {
                    _connections.Add(serving);
                }

                _ = serving.ContinueWith(Forget, TaskScheduler.Default);
            }
        }
        catch (Exception error) when (error is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            // The end of the forwarder.
        }
    }

    private async Task ServeAsync(Socket client)
    {
        try
        {
            await using var near = new NetworkStream(client, ownsSocket: true);
            try
            {
                await using Stream far = await _connect(_stop.Token);
                await StreamJoining.JoinAsync(near, far, _stop.Token);
            }
            catch (Exception error) when (error is VirtigoException or IOException or OperationCanceledException)
            {
                // Nothing answers in the machine: the client sees its connection reset, as if it were there.
                client.Close(0);
            }
        }
        finally
        {
            _room.Release();
        }
    }

    private void Forget(Task connection)
    {
        lock (_gate)
        {
            _connections.Remove(connection);
        }
    }
}

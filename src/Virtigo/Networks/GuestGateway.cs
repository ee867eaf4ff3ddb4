using System.Net.Sockets;

namespace Virtigo.Networks;

/// <summary>
/// The only thing on a guest's network: it hands out an address, answers a few names with its own address, takes TCP connections
/// on a few ports of its own, and refuses and records everything else. No packet of the guest's ever reaches a network of the
/// host's. The guest is a QEMU with <c>-netdev stream,id=n,server=off,addr.type=unix,addr.path=PATH</c>, one at a time.
/// </summary>
internal sealed class GuestGateway : IAsyncDisposable
{
    /// <summary>The gateway is the second host of its network, as guests know it from QEMU.</summary>
    private const int GatewayHost = 2;

    private readonly GuestGatewayOptions _options;
    private readonly Socket _listener;
    private readonly RefusalLog _refusals;
    private readonly CancellationTokenSource _ending = new();
    private readonly GuestConnections _connections;
    private readonly Task _accepting;

    private GuestGateway(GuestGatewayOptions options, Socket listener, Func<GuestConnection, CancellationToken, Task> onConnection)
    {
        (_options, _listener) = (options, listener);
        _refusals = new RefusalLog(options.OnRefusal);
        Address = options.Subnet.Host(GatewayHost);
        _connections = new GuestConnections(onConnection, Report);
        _accepting = AcceptAsync(_ending.Token);
    }

    /// <summary>The socket that QEMU connects to.</summary>
    public string SocketPath => _options.SocketPath;

    /// <summary>The gateway's own address: router, name server and the address of every name.</summary>
    public Ipv4Address Address { get; }

    /// <summary>What was seen and done.</summary>
    public GatewayCounters Counters { get; } = new();

    /// <summary>What the guest wanted and did not get, each once with its count.</summary>
    public IReadOnlyList<GatewayRefusal> Refusals => _refusals.ToList();

    /// <summary>How many refusals are not in <see cref="Refusals"/> since it was full.</summary>
    public long RefusalsBeyondList => _refusals.Beyond;

    /// <summary>Listens; QEMU can be started when this returns.</summary>
    /// <param name="options">The network's shape.</param>
    /// <param name="onConnection">Serves one connection; its end closes the connection, its failure resets it.</param>
    /// <exception cref="VirtigoException">The socket cannot be made, or an option makes no sense.</exception>
    public static GuestGateway Listen(GuestGatewayOptions options, Func<GuestConnection, CancellationToken, Task> onConnection)
    {
        options.Validate();
        return new GuestGateway(options, GuestSocket.Listen(options.SocketPath), onConnection);
    }

    /// <summary>Cuts the guest off, ends every connection, waits for their handlers, and removes the socket.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_ending.IsCancellationRequested)
        {
            return;
        }

        await _ending.CancelAsync();
        await _connections.CancelAsync();
        _listener.Dispose();
        await _accepting;
        await _connections.DisposeAsync();
        File.Delete(SocketPath);
    }

    private async Task AcceptAsync(CancellationToken cancellationToken)
    {
        while (!cancellationToken.IsCancellationRequested)
        {
            try
            {
                using Socket guest = await _listener.AcceptAsync(cancellationToken);
                guest.SendBufferSize = guest.ReceiveBufferSize = 1 << 20;
                await using var stream = new NetworkStream(guest, ownsSocket: false);
                var session = new GuestLinkSession(stream, _options, Address, Counters, _refusals, _connections.Serve);
                await session.RunAsync(cancellationToken);
            }
            catch (Exception error) when (error is OperationCanceledException or SocketException or ObjectDisposedException)
            {
                // Either this gateway is ending, which the loop sees, or this one guest went away while it was taken in.
            }
            catch (Exception error)
            {
                Report(error);
            }
        }
    }

    private void Report(Exception error)
    {
        Counters.CountFailure();
        _options.OnFailure?.Invoke(error);
    }
}

using System.Buffers.Binary;
using System.Net.Sockets;

namespace Virtigo.Hypervisors.Uml;

/// <summary>
/// Carries frames between a network's socket, where each follows its length as four bytes, big endian, and a card's, where each is a packet. It holds
/// one frame for each way: who does not take its frames holds up the other side, whose own limits then drop.
/// </summary>
internal sealed class FramePump : IAsyncDisposable
{
    /// <summary>The longest frame either side takes, in bytes: that of QEMU.</summary>
    public const int LongestFrame = 4096 + 65536;

    private const int PrefixSize = 4;
    private readonly Socket _network;
    private readonly Socket _card;
    private readonly CancellationTokenSource _ending = new();
    private readonly Task _running;
    private int _disposals;

    /// <summary>Begins to carry.</summary>
    /// <param name="network">The stream to the network; disposed with the pump.</param>
    /// <param name="card">The packets of the card; disposed with the pump.</param>
    public FramePump(Socket network, Socket card)
    {
        (_network, _card) = (network, card);
        _running = RunAsync(_ending.Token);
    }

    /// <summary>Connects a card to its network.</summary>
    /// <exception cref="VirtigoException"><see cref="FailureKind.Host"/> when there is no network at that place.</exception>
    public static async Task<Socket> ConnectAsync(string path, CancellationToken cancellationToken)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(path), cancellationToken);
            return socket;
        }
        catch (SocketException error)
        {
            socket.Dispose();
            throw new VirtigoException(FailureKind.Host, $"There is no network at the socket {path}: {error.Message}.", inner: error);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>Ends both sides.</summary>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposals, 1) == 0)
        {
            await _ending.CancelAsync();
            await _running;
            _ending.Dispose();
        }

        await _running;
    }

    private async Task RunAsync(CancellationToken cancellationToken)
    {
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        Task[] ways = [ToNetworkAsync(ending.Token), ToCardAsync(ending.Token)];
        await Task.WhenAny(ways);
        await ending.CancelAsync();
        foreach (Task way in ways)
        {
            try
            {
                await way;
            }
            catch (Exception error) when (error is OperationCanceledException or SocketException or EndOfStreamException or InvalidDataException)
            {
                // One side is gone or broke the rules: the cable is pulled, as where QEMU's connection ends.
            }
        }

        _network.Dispose();
        _card.Dispose();
    }

    private async Task ToNetworkAsync(CancellationToken cancellationToken)
    {
        // One byte more than a frame: what fills it was longer.
        byte[] buffer = new byte[PrefixSize + LongestFrame + 1];
        while (true)
        {
            int length = await _card.ReceiveAsync(buffer.AsMemory(PrefixSize), SocketFlags.None, cancellationToken);
            if (length == 0)
            {
                return;
            }

            if (length <= LongestFrame)
            {
                BinaryPrimitives.WriteInt32BigEndian(buffer, length);
                await SendAllAsync(buffer.AsMemory(0, PrefixSize + length), cancellationToken);
            }
        }
    }

    private async Task ToCardAsync(CancellationToken cancellationToken)
    {
        await using var network = new NetworkStream(_network, ownsSocket: false);
        byte[] buffer = new byte[LongestFrame];
        byte[] prefix = new byte[PrefixSize];
        while (true)
        {
            await network.ReadExactlyAsync(prefix, cancellationToken);
            uint length = BinaryPrimitives.ReadUInt32BigEndian(prefix);
            if (length > LongestFrame)
            {
                throw new InvalidDataException($"A frame of {length} bytes; expected at most {LongestFrame}.");
            }

            Memory<byte> frame = buffer.AsMemory(0, (int)length);
            await network.ReadExactlyAsync(frame, cancellationToken);
            if (length > 0)
            {
                await _card.SendAsync(frame, SocketFlags.None, cancellationToken);
            }
        }
    }

    private async ValueTask SendAllAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        while (!bytes.IsEmpty)
        {
            bytes = bytes[await _network.SendAsync(bytes, SocketFlags.None, cancellationToken)..];
        }
    }
}

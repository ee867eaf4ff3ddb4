using System.Buffers.Binary;
using System.Net.Sockets;

namespace Virtigo.Hypervisors;

/// <summary>
/// Carries frames between a network's socket, where each follows its length as four bytes, big endian, and a card's, where each is a packet. A card
/// may connect each time that the guest takes it up; while it is down, what the network sends is lost, as on a cable without a link. It holds one frame
/// for each way: who does not take its frames holds up the other side, whose own limits then drop.
/// </summary>
internal sealed class FramePump : IAsyncDisposable
{
    /// <summary>The longest frame either side takes, in bytes: that of QEMU.</summary>
    public const int LongestFrame = 4096 + 65536;

    private const int PrefixSize = 4;

    // Where a frame begins in the buffer: its length goes before it, over what the card says of it.
    private const int FrameStart = 16;
    private readonly Socket _network;
    private readonly Socket? _cards;
    private readonly CardHeader _header;
    private readonly CancellationTokenSource _ending = new();
    private readonly Task _running;
    private Socket? _card;
    private int _disposals;

    /// <summary>Begins to carry for a card that connects each time that it is taken up.</summary>
    /// <param name="network">The stream to the network; disposed with the pump.</param>
    /// <param name="cards">Where the card connects, one connection at a time; disposed with the pump.</param>
    /// <returns>The pump.</returns>
    public static FramePump For(Socket network, Socket cards) => new(network, null, cards, CardHeader.None);

    /// <summary>Begins to carry.</summary>
    /// <param name="network">The stream to the network; disposed with the pump.</param>
    /// <param name="card">The packets of the card; disposed with the pump.</param>
    /// <param name="header">What the card's packets begin with; null for their frames.</param>
    public FramePump(Socket network, Socket card, CardHeader? header = null)
        : this(network, card, null, header ?? CardHeader.None)
    {
    }

    private FramePump(Socket network, Socket? card, Socket? cards, CardHeader header)
    {
        (_network, _card, _cards, _header) = (network, card, cards, header);
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

    /// <summary>Listens for a card.</summary>
    /// <param name="path">The socket to make, in a folder that is only its owner's.</param>
    /// <exception cref="VirtigoException"><see cref="FailureKind.Host"/> when it cannot be made.</exception>
    public static Socket Listen(string path)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Seqpacket, ProtocolType.Unspecified);
        try
        {
            File.Delete(path);
            socket.Bind(new UnixDomainSocketEndPoint(path));
            socket.Listen(1);
            return socket;
        }
        catch (Exception error) when (error is SocketException or IOException or UnauthorizedAccessException)
        {
            socket.Dispose();
            throw new VirtigoException(FailureKind.Host, $"The socket {path} cannot be made: {error.Message}.", inner: error);
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
        _card?.Dispose();
        _cards?.Dispose();
    }

    private async Task ToNetworkAsync(CancellationToken cancellationToken)
    {
        if (_cards is null)
        {
            await ToNetworkAsync(_card!, cancellationToken);
            return;
        }

        while (true)
        {
            using Socket card = await _cards.AcceptAsync(cancellationToken);
            Volatile.Write(ref _card, card);
            await ToNetworkAsync(card, cancellationToken);
            Volatile.Write(ref _card, null);
        }
    }

    private async Task ToNetworkAsync(Socket card, CancellationToken cancellationToken)
    {
        // One byte more than a frame: what fills it was longer.
        byte[] buffer = new byte[FrameStart + LongestFrame + 1];
        int start = FrameStart - _header.Size;
        while (true)
        {
            int length = await ReceiveAsync(card, buffer.AsMemory(start), cancellationToken) - _header.Size;
            if (length == -_header.Size)
            {
                return;
            }

            if (length is >= 0 and <= LongestFrame && _header.Complete(buffer.AsSpan(start, _header.Size), buffer.AsSpan(FrameStart, length)))
            {
                BinaryPrimitives.WriteInt32BigEndian(buffer.AsSpan(FrameStart - PrefixSize), length);
                await SendAllAsync(buffer.AsMemory(FrameStart - PrefixSize, PrefixSize + length), cancellationToken);
            }
        }
    }

    /// <summary>The next packet of a card; 0 when it went down.</summary>
    private static async Task<int> ReceiveAsync(Socket card, Memory<byte> buffer, CancellationToken cancellationToken)
    {
        try
        {
            return await card.ReceiveAsync(buffer, SocketFlags.None, cancellationToken);
        }
        catch (SocketException)
        {
            return 0;
        }
    }

    /// <summary>Gives the card a packet; one that connects anew may be down.</summary>
    private async Task SendAsync(ReadOnlyMemory<byte> packet, CancellationToken cancellationToken)
    {
        try
        {
            await (Volatile.Read(ref _card)?.SendAsync(packet, SocketFlags.None, cancellationToken) ?? ValueTask.FromResult(0));
        }
        catch (Exception error) when (_cards is not null && error is SocketException or ObjectDisposedException)
        {
            // It went down meanwhile.
        }
    }

    private async Task ToCardAsync(CancellationToken cancellationToken)
    {
        await using var network = new NetworkStream(_network, ownsSocket: false);
        // What is said of a frame to the card stays zero: nothing is left for the card to do.
        byte[] buffer = new byte[_header.Size + LongestFrame];
        byte[] prefix = new byte[PrefixSize];
        while (true)
        {
            await network.ReadExactlyAsync(prefix, cancellationToken);
            uint length = BinaryPrimitives.ReadUInt32BigEndian(prefix);
            if (length > LongestFrame)
            {
                throw new InvalidDataException($"A frame of {length} bytes; expected at most {LongestFrame}.");
            }

            Memory<byte> packet = buffer.AsMemory(0, _header.Size + (int)length);
            await network.ReadExactlyAsync(packet[_header.Size..], cancellationToken);
            if (length > 0)
            {
                await SendAsync(packet, cancellationToken);
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

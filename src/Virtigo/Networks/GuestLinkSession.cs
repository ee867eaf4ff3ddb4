using System.Buffers.Binary;
using System.Threading.Channels;

namespace Virtigo.Networks;

/// <summary>One guest on the other end of a stream of frames, from its connecting to its going away.</summary>
internal sealed class GuestLinkSession
{
    /// <summary>The longest frame QEMU sends or takes (its NET_BUFSIZE).</summary>
    public const int LongestFrame = 4096 + 65536;

    private readonly Stream _stream;
    private readonly GuestGatewayOptions _options;
    private readonly GatewayLink _link;
    private readonly GatewayStack _stack;
    private readonly Lock _gate = new();
    private readonly Channel<bool> _framesWait = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });

    /// <summary>Prepares a session; nothing runs yet.</summary>
    /// <param name="stream">The frames, each behind its length; the caller disposes it.</param>
    /// <param name="options">The gateway's options.</param>
    /// <param name="address">The gateway's address.</param>
    /// <param name="counters">What is counted.</param>
    /// <param name="refusals">What is refused.</param>
    /// <param name="accepted">Called with each established connection and the session's lock held; must not block.</param>
    public GuestLinkSession(Stream stream, GuestGatewayOptions options, Ipv4Address address,
        GatewayCounters counters, RefusalLog refusals, Action<TcpConnection> accepted)
    {
        _stream = stream;
        _options = options;
        _link = new GatewayLink(address, options.Mtu, options.Clock, counters, SignalFrames);
        _stack = new GatewayStack(_link, new DhcpServer(new DhcpSettings(address, options.Subnet, options.Mtu, options.Domain)),
            new DnsResponder(options.DnsNames, address, refusals),
            new TcpEndpoint(_gate, _link, options.Tcp, new Dictionary<Ipv4Address, IReadOnlySet<int>> { [address] = options.TcpPorts }, options.MaxConnections, accepted), refusals, hasNeighbours: false);
    }

    /// <summary>Serves the guest until it goes away; then every connection of its has ended.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        Task[] tasks = [ReceiveAsync(ending.Token), SendAsync(ending.Token), TickAsync(ending.Token)];
        try
        {
            await await Task.WhenAny(tasks);
        }
        catch (IOException)
        {
            // A hypervisor that is killed closes its socket with frames in it.
        }
        finally
        {
            await ending.CancelAsync();
            await Task.WhenAll(tasks).ContinueWith(_ => { }, CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
            lock (_gate)
            {
                _stack.Tcp.LinkLost();
            }
        }
    }

    private async Task ReceiveAsync(CancellationToken cancellationToken)
    {
        var buffer = new byte[4 * (FrameOutput.PrefixSize + LongestFrame)];
        int filled = 0;
        while (true)
        {
            int count = await _stream.ReadAsync(buffer.AsMemory(filled), cancellationToken);
            if (count == 0)
            {
                return;
            }

            filled += count;
            int used = HandleFrames(buffer.AsSpan(0, filled));
            if (used < 0)
            {
                return;
            }

            buffer.AsSpan(used, filled - used).CopyTo(buffer);
            filled -= used;
        }
    }

    /// <returns>The number of bytes handled; negative when the framing is broken and nothing behind it can be understood.</returns>
    private int HandleFrames(ReadOnlySpan<byte> bytes)
    {
        int used = 0;
        lock (_gate)
        {
            while (bytes.Length - used >= FrameOutput.PrefixSize)
            {
                uint length = BinaryPrimitives.ReadUInt32BigEndian(bytes[used..]);
                if (length > LongestFrame)
                {
                    _link.Counters.CountMalformed();
                    return -1;
                }

                if (bytes.Length - used - FrameOutput.PrefixSize < length)
                {
                    break;
                }

                _stack.Receive(bytes.Slice(used + FrameOutput.PrefixSize, (int)length));
                used += FrameOutput.PrefixSize + (int)length;
            }

            _stack.Tcp.SendPending();
            SignalFrames();
        }

        return used;
    }

    private async Task SendAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            await _framesWait.Reader.ReadAsync(cancellationToken);
            while (TakeFrames() is { IsEmpty: false } frames)
            {
                await _stream.WriteAsync(frames, cancellationToken);
                lock (_gate)
                {
                    _link.Output.Left();
                    _stack.Tcp.SendPending();
                }
            }
        }
    }

    private ReadOnlyMemory<byte> TakeFrames()
    {
        lock (_gate)
        {
            return _link.Output.Take();
        }
    }

    private async Task TickAsync(CancellationToken cancellationToken)
    {
        using var timer = new PeriodicTimer(_options.Tcp.Tick, _options.Clock);
        while (await timer.WaitForNextTickAsync(cancellationToken))
        {
            lock (_gate)
            {
                _stack.Tcp.Tick();
                _stack.Tcp.SendPending();
                SignalFrames();
            }
        }
    }

    private void SignalFrames()
    {
        if (!_link.Output.IsEmpty)
        {
            _framesWait.Writer.TryWrite(true);
        }
    }
}

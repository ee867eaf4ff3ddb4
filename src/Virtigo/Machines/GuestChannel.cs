using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using System.Threading.Channels;

namespace Virtigo.Machines;

/// <summary>
/// The host's side of the stream channel. The guest may send anything: what it was not allowed to send breaks the channel, with a reason,
/// and until the next reset whatever comes is thrown away. Nothing that the guest sends can make it grow: streams are few and opened by
/// the host, and each holds at most its windows.
/// </summary>
internal sealed class GuestChannel : IAsyncDisposable
{
    private const int MaxStreams = 256;
    private readonly Stream _connection;
    private readonly Lock _gate = new();
    private readonly Dictionary<uint, GuestStream> _streams = [];
    private readonly Channel<(byte[] Frame, TaskCompletionSource Sent)> _sending =
        Channel.CreateUnbounded<(byte[], TaskCompletionSource)>(new UnboundedChannelOptions { SingleReader = true });

    private readonly Task _pumping;
    private TaskCompletionSource<string>? _ready;
    private readonly Dictionary<byte, TaskCompletionSource> _asked = [];
    private byte[] _nonce = [];
    private uint _next;
    private bool _synchronised;
    private string _broken = "it was not set up";
    private bool _closed;

    /// <summary>Begins to read and write a connection. It must be reset before use.</summary>
    /// <param name="connection">The connection; disposed with the channel.</param>
    public GuestChannel(Stream connection)
    {
        _connection = connection;
        _pumping = Task.WhenAll(Task.Run(ReadAsync), Task.Run(WriteAsync));
    }

    /// <summary>Whether streams can be opened.</summary>
    public bool IsReady
    {
        get
        {
            lock (_gate)
            {
                return _synchronised;
            }
        }
    }

    /// <summary>How many streams are open.</summary>
    public int Count
    {
        get
        {
            lock (_gate)
            {
                return _streams.Count;
            }
        }
    }

    /// <summary>How many bytes the guest ever sent: shows whether it is alive.</summary>
    public long Received { get; private set; }

    /// <summary>Begins anew: streams of before end, whatever is on its way is thrown away, and the guest's clock and entropy are refreshed.</summary>
    /// <param name="time">The time for the guest's clock, or null to leave it alone.</param>
    /// <param name="entropy">Stirred into the guest's kernel, at most 512 bytes; empty to leave it alone.</param>
    /// <param name="cancellationToken">Gives up; the guest may still carry it out.</param>
    /// <returns>The guest's boot id; empty when it sent none.</returns>
    /// <exception cref="VirtigoException"><see cref="FailureKind.Guest"/> when the guest has gone.</exception>
    public async Task<string> ResetAsync(DateTimeOffset? time, ReadOnlyMemory<byte> entropy, CancellationToken cancellationToken)
    {
        var ready = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
        byte[] nonce = RandomNumberGenerator.GetBytes(GuestFrame.MarkLength);
        Break("it was reset");
        lock (_gate)
        {
            if (_closed)
            {
                throw Error();
            }

            (_nonce, _ready) = (nonce, ready);
        }

        await SendAsync(GuestFrame.Build(0, GuestFrameType.Reset, GuestFrame.Reset(nonce, time, entropy.Span))).WaitAsync(cancellationToken);
        return await ready.Task.WaitAsync(cancellationToken);
    }

    /// <summary>Opens a stream.</summary>
    /// <param name="type">A command, a connection or a watch.</param>
    /// <param name="payload">What the guest is told.</param>
    /// <exception cref="VirtigoException"><see cref="FailureKind.Guest"/> when the channel is broken or has too many streams.</exception>
    public GuestStream Open(byte type, ReadOnlySpan<byte> payload)
    {
        GuestStream stream;
        lock (_gate)
        {
            if (!_synchronised)
            {
                throw Error();
            }

            if (_streams.Count >= MaxStreams)
            {
                throw new VirtigoException(FailureKind.Guest,
                    FormattableString.Invariant($"The machine has {MaxStreams} processes and connections of the host's open, and no more are possible."));
            }

            stream = new GuestStream(this, ++_next);
            _streams.Add(stream.Id, stream);
        }

        _ = SendAsync(GuestFrame.Build(stream.Id, type, payload));
        return stream;
    }

    /// <summary>Asks for an answer.</summary>
    public Task PingAsync(CancellationToken cancellationToken) => AskAsync(GuestFrameType.Ping, cancellationToken);

    /// <summary>Has the guest start a shell that waits for the next command, so that a copy of the machine need not.</summary>
    public Task PrepareShellAsync(CancellationToken cancellationToken) => AskAsync(GuestFrameType.PrepareShell, cancellationToken);

    /// <summary>Ends all streams with a reason; a reset makes the channel usable again.</summary>
    public void Break(string reason)
    {
        GuestStream[] streams;
        lock (_gate)
        {
            if (_closed)
            {
                return;
            }

            (_synchronised, _broken, _nonce) = (false, reason, []);
            streams = [.. _streams.Values];
            _streams.Clear();
        }

        foreach (GuestStream stream in streams)
        {
            stream.Fail(Error(), new ChannelBrokenException(reason));
        }
    }

    /// <summary>Sends a frame after those before it.</summary>
    /// <returns>Completes when it was handed over, also to a connection that broke.</returns>
    public Task SendAsync(byte[] frame)
    {
        var sent = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        return _sending.Writer.TryWrite((frame, sent)) ? sent.Task : Task.CompletedTask;
    }

    /// <summary>Ends the channel and its streams.</summary>
    public async ValueTask DisposeAsync()
    {
        await _connection.DisposeAsync();
        _sending.Writer.TryComplete();
        await _pumping;
    }

    private Task AskAsync(byte type, CancellationToken cancellationToken)
    {
        TaskCompletionSource? answer;
        lock (_gate)
        {
            if (!_asked.TryGetValue(type, out answer))
            {
                _asked.Add(type, answer = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
            }
        }

        _ = SendAsync(GuestFrame.Build(0, type));
        return answer.Task.WaitAsync(cancellationToken);
    }

    private VirtigoException Error()
    {
        lock (_gate)
        {
            var cause = new ChannelBrokenException(_broken);
            return new VirtigoException(FailureKind.Guest, cause.Message, inner: cause);
        }
    }

    private async Task WriteAsync()
    {
        await foreach ((byte[] frame, TaskCompletionSource sent) in _sending.Reader.ReadAllAsync())
        {
            try
            {
                await _connection.WriteAsync(frame);
            }
            catch (Exception error) when (error is IOException or ObjectDisposedException)
            {
                // The reader sees the same and ends the streams.
            }

            sent.TrySetResult();
        }
    }

    private async Task ReadAsync()
    {
        byte[] buffer = new byte[GuestFrame.HeaderLength + GuestFrame.Longest + (64 << 10)];
        int filled = 0;
        try
        {
            for (int read; (read = await _connection.ReadAsync(buffer.AsMemory(filled))) > 0;)
            {
                filled += read;
                Received += read;
                int used = Take(buffer.AsSpan(0, filled));
                buffer.AsSpan(used, filled - used).CopyTo(buffer);
                filled -= used;
            }
        }
        catch (Exception error) when (error is IOException or ObjectDisposedException)
        {
            // As if the guest had closed it.
        }

        Break("the guest has ended");
        TaskCompletionSource<string>? ready;
        lock (_gate)
        {
            _closed = true;
            ready = _ready;
        }

        ready?.TrySetException(Error());
        _sending.Writer.TryComplete();
    }

    /// <summary>Takes what is complete.</summary>
    /// <returns>How many bytes were taken.</returns>
    private int Take(ReadOnlySpan<byte> bytes)
    {
        int taken = 0;
        while (true)
        {
            ReadOnlySpan<byte> rest = bytes[taken..];
            int used = IsReady ? TakeFrame(rest) : FindAnswer(rest);
            if (used == 0)
            {
                return taken;
            }

            taken += used;
        }
    }

    private int TakeFrame(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length < GuestFrame.HeaderLength)
        {
            return 0;
        }

        uint length = BinaryPrimitives.ReadUInt32BigEndian(bytes);
        if (length > GuestFrame.Longest)
        {
            Break(FormattableString.Invariant($"the guest announced {length} bytes where at most {GuestFrame.Longest} are allowed"));
            return bytes.Length;
        }

        int total = GuestFrame.HeaderLength + (int)length;
        if (bytes.Length < total)
        {
            return 0;
        }

        string? wrong = Dispatch(BinaryPrimitives.ReadUInt32BigEndian(bytes[4..]), bytes[8], bytes[GuestFrame.HeaderLength..total]);
        if (wrong is not null)
        {
            Break("the guest did what it may not: " + wrong);
        }

        return total;
    }

    private string? Dispatch(uint id, byte type, ReadOnlySpan<byte> payload)
    {
        GuestStream? stream;
        lock (_gate)
        {
            if (id == 0)
            {
                if (type is not (GuestFrameType.Ping or GuestFrameType.PrepareShell))
                {
                    return FormattableString.Invariant($"it sent type 0x{type:x2} outside of streams");
                }

                if (_asked.Remove(type, out TaskCompletionSource? answered))
                {
                    answered.TrySetResult();
                }

                return null;
            }

            if (!_streams.TryGetValue(id, out stream))
            {
                return FormattableString.Invariant($"it sent on stream {id}, which is not open");
            }

            if (type is GuestFrameType.Ended or GuestFrameType.Failed)
            {
                _streams.Remove(id);
            }
        }

        return stream.Receive(type, payload);
    }

    /// <summary>Looks for the answer to the last reset; everything else is thrown away.</summary>
    private int FindAnswer(ReadOnlySpan<byte> bytes)
    {
        const int longestAnswer = 256;
        lock (_gate)
        {
            byte[] mark = [.. GuestFrame.Magic, .. _nonce];
            int at = _nonce.Length == 0 ? -1 : bytes.IndexOf(mark);
            if (at < 0)
            {
                return Math.Max(0, bytes.Length - GuestFrame.HeaderLength - (2 * GuestFrame.MarkLength) + 1);
            }

            int begin = at - GuestFrame.HeaderLength;
            uint length = begin < 0 ? uint.MaxValue : BinaryPrimitives.ReadUInt32BigEndian(bytes[begin..]);
            if (length is < (2 * GuestFrame.MarkLength) or > longestAnswer || bytes[at - 1] != GuestFrameType.Reset)
            {
                return at + mark.Length;
            }

            int end = at + (int)length;
            if (bytes.Length < end)
            {
                return begin;
            }

            _synchronised = true;
            _ready!.TrySetResult(Encoding.ASCII.GetString(bytes[(at + mark.Length)..end]).Trim());
            return end;
        }
    }
}

/// <summary>The stream channel of a machine broke; the machine may be well.</summary>
/// <param name="reason">Why.</param>
internal sealed class ChannelBrokenException(string reason) : IOException($"The channel to the machine broke: {reason}.");

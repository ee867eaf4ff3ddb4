namespace Virtigo.Networks;

/// <summary>The states of RFC 9293 that a passive opener passes through.</summary>
internal enum TcpState
{
    SynReceived,
    Established,
    CloseWait,
    FinWait1,
    FinWait2,
    Closing,
    LastAck,
    TimeWait,
    Closed,
}

/// <summary>Both ends of a connection, as seen from the gateway.</summary>
/// <param name="Address">The guest's address.</param>
/// <param name="Port">The guest's port.</param>
/// <param name="Local">The address the guest connected to.</param>
/// <param name="LocalPort">The port it connected to.</param>
internal readonly record struct TcpPeer(Ipv4Address Address, ushort Port, Ipv4Address Local, ushort LocalPort);

/// <summary>
/// Our end of one TCP connection that the guest opened. Segments come in through <see cref="Receive"/>, the program's side is
/// <see cref="ReadAsync"/>, <see cref="WriteAsync"/> and the closing verbs. All state is guarded by the endpoint's lock;
/// members of this file take it, the other files' members are called with it held.
/// </summary>
internal sealed partial class TcpConnection
{
    private readonly TcpEndpoint _endpoint;
    private readonly ByteRing _sending;
    private readonly ByteRing _received;
    private TaskCompletionSource? _readable;
    private TaskCompletionSource? _writable;
    private IOException? _error;
    private bool _released;

    /// <summary>Until when a closed connection may deliver the rest; 0 while it is not closed by us.</summary>
    private long _lingerUntil;

    /// <summary>Both ends.</summary>
    public TcpPeer Peer { get; }

    /// <summary>Where the guest's frames come from; the answers go there.</summary>
    public MacAddress PeerMac { get; private set; }

    /// <summary>The state of RFC 9293.</summary>
    public TcpState State { get; private set; }

    /// <summary>Whether it stands in the endpoint's list of connections with something to send.</summary>
    public bool IsDirty { get; set; }

    /// <summary>Whether the connection is over.</summary>
    public bool HasEnded
    {
        get
        {
            lock (_endpoint.Gate)
            {
                return State == TcpState.Closed;
            }
        }
    }

    /// <summary>Waits for bytes of the guest's.</summary>
    /// <returns>The number of bytes read; 0 when the guest has closed its side.</returns>
    /// <exception cref="IOException">The connection was reset or timed out.</exception>
    public async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        while (true)
        {
            Task readable;
            lock (_endpoint.Gate)
            {
                ObjectDisposedException.ThrowIf(_released, this);
                if (_received.Length > 0 || buffer.IsEmpty)
                {
                    int count = _received.Read(buffer.Span);
                    AdvertiseFreedWindow();
                    return count;
                }

                if (_finReceived)
                {
                    return 0;
                }

                if (_error is { } error)
                {
                    throw new IOException(error.Message, error);
                }

                readable = (_readable ??= NewWaiter()).Task;
            }

            await readable.WaitAsync(cancellationToken);
        }
    }

    /// <summary>Queues bytes for the guest; waits while the send buffer is full. Whole segments leave at once, a rest with <see cref="Flush"/>.</summary>
    /// <exception cref="IOException">The connection was reset or timed out.</exception>
    public async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken)
    {
        while (!buffer.IsEmpty)
        {
            Task writable;
            lock (_endpoint.Gate)
            {
                ThrowIfNotWritable();
                int taken = _sending.Write(buffer.Span);
                buffer = buffer[taken..];
                if (taken > 0)
                {
                    Transmit();
                    _endpoint.Signal();
                    continue;
                }

                writable = (_writable ??= NewWaiter()).Task;
            }

            await writable.WaitAsync(cancellationToken);
        }
    }

    /// <summary>Lets everything written so far leave, whole segment or not.</summary>
    public void Flush()
    {
        lock (_endpoint.Gate)
        {
            if (State is TcpState.Established or TcpState.CloseWait)
            {
                _pushEnd = DataEnd;
                Transmit();
                _endpoint.Signal();
            }
        }
    }

    /// <summary>Says that nothing more will be written; what was written is still delivered, and reading goes on.</summary>
    public void CompleteWrites()
    {
        lock (_endpoint.Gate)
        {
            QueueFin();
            _endpoint.Signal();
        }
    }

    /// <summary>Closes in order: what was written is delivered in the background, what the guest still sends is thrown away.</summary>
    public void Close()
    {
        lock (_endpoint.Gate)
        {
            if (_released)
            {
                return;
            }

            _released = true;
            _received.Release();
            QueueFin();
            AdvertiseFreedWindow();
            _lingerUntil = _endpoint.After(_endpoint.Tuning.Linger);
            WakeAll();
            _endpoint.Signal();
        }
    }

    /// <summary>Resets the connection; nothing more is delivered.</summary>
    public void Abort()
    {
        lock (_endpoint.Gate)
        {
            _released = true;
            Reset(new IOException("The connection was aborted by this side."));
            _endpoint.Signal();
        }
    }

    /// <summary>Ends the connection without telling the guest, since its link is gone.</summary>
    public void LinkLost() => Terminate(new IOException("The guest's network link is gone."));

    private static TaskCompletionSource NewWaiter() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private void ThrowIfNotWritable()
    {
        ObjectDisposedException.ThrowIf(_released, this);
        if (_error is { } error)
        {
            throw new IOException(error.Message, error);
        }

        if (_finQueued)
        {
            throw new InvalidOperationException("The writing side of this connection is already complete.");
        }
    }

    private void QueueFin()
    {
        if (State is TcpState.Established or TcpState.CloseWait && !_finQueued)
        {
            State = State == TcpState.Established ? TcpState.FinWait1 : TcpState.LastAck;
            _finQueued = true;
            Transmit();
        }
    }

    /// <summary>Tells the guest and ends.</summary>
    private void Reset(IOException error)
    {
        if (State is not (TcpState.Closed or TcpState.TimeWait))
        {
            _endpoint.SendReset(this, _sndNxt, _rcvNxt);
        }

        Terminate(error);
    }

    private void Terminate(IOException? error)
    {
        if (State == TcpState.Closed)
        {
            return;
        }

        State = TcpState.Closed;
        _error = error ?? _error;
        _deadline = 0;
        _sending.Release();
        if (_released)
        {
            _received.Release();
        }

        _endpoint.Remove(this);
        WakeAll();
    }

    private void WakeAll()
    {
        Wake(ref _readable);
        Wake(ref _writable);
    }

    private static void Wake(ref TaskCompletionSource? waiter)
    {
        waiter?.TrySetResult();
        waiter = null;
    }
}

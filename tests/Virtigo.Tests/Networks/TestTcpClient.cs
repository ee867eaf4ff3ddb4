using Virtigo.Networks;

namespace Virtigo.Tests.Networks;

/// <summary>The client side of TCP in its plainest form: go back N, no options but size and scale, drops what is out of order.</summary>
internal sealed class TestTcpClient : IDisposable
{
    private const int Scale = 7;
    private static readonly TimeSpan Timeout = TimeSpan.FromMilliseconds(15);
    private readonly TestGuest _guest;
    private readonly Ipv4Address _destination;
    private readonly ushort _port;
    private readonly ushort _localPort;
    private readonly int _receiveBuffer;
    private readonly Lock _lock = new();
    private readonly Timer _timer;
    private readonly TaskCompletionSource _opened = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly MemoryStream _received = new();
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private byte[] _toSend = [];
    private uint _first = uint.MaxValue - 5000;
    private uint _rcvNxt;
    private long _acknowledged;
    private long _sent;
    private uint _peerWindow;
    private int _peerScale;
    private bool _ackDue;
    private bool _isOpen;
    private bool _finWanted;
    private int _read;

    public TestTcpClient(TestGuest guest, Ipv4Address destination, ushort port, ushort localPort, int receiveBuffer)
    {
        (_guest, _destination, _port, _localPort, _receiveBuffer) = (guest, destination, port, localPort, receiveBuffer);
        _timer = new Timer(_ => OnTimer(), null, Timeout, Timeout);
    }

    public bool WasReset { get; private set; }

    public bool SawFin { get; private set; }

    /// <summary>Whether what arrives is taken off the buffer at once; otherwise the window closes.</summary>
    public bool Reads { get; set; } = true;

    /// <summary>The largest payload sent in one segment.</summary>
    public Func<int> SegmentSize { get; set; } = () => int.MaxValue;

    public ushort LocalPort => _localPort;

    public int PeerSegmentSize { get; private set; }

    public uint NextSequence => (uint)(_first + _acknowledged);

    public uint NextExpected => _rcvNxt;

    public long BytesReceived
    {
        get
        {
            lock (_lock)
            {
                return _received.Length;
            }
        }
    }

    public async Task OpenAsync()
    {
        SendSyn();
        await _opened.Task.WaitAsync(TimeSpan.FromSeconds(5));
    }

    public void SendSyn() => Send(_first - 1, 0, TcpFlags.Syn, [], options: true);

    public void Write(ReadOnlySpan<byte> bytes, bool thenFin = false)
    {
        lock (_lock)
        {
            _toSend = [.. _toSend, .. bytes];
            _finWanted |= thenFin;
            Pump();
        }
    }

    public void StartReading()
    {
        lock (_lock)
        {
            Reads = true;
            _read = (int)_received.Length;
            Ack();
        }
    }

    public void Reset() => Send((uint)(_first + _acknowledged), _rcvNxt, TcpFlags.Rst | TcpFlags.Ack, []);

    public Task<byte[]> ReadToEndAsync() => ReadAsync(() => SawFin);

    public Task<byte[]> ReadAsync(int count) => ReadAsync(() => _received.Length >= count);

    public async Task WaitAsync(Func<bool> condition)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        while (true)
        {
            Task changed;
            lock (_lock)
            {
                if (condition())
                {
                    return;
                }

                changed = _changed.Task;
            }

            await changed.WaitAsync(limit.Token);
        }
    }

    public void Receive(in TcpSegment segment)
    {
        lock (_lock)
        {
            if (segment.Has(TcpFlags.Rst))
            {
                // What is still under way when both sides have closed may well be answered so.
                bool isOver = SawFin && _finWanted && _acknowledged > _toSend.Length;
                WasReset = !isOver;
                _opened.TrySetException(new IOException("refused"));
                Changed();
                return;
            }

            if (segment.Has(TcpFlags.Syn))
            {
                if (!_isOpen)
                {
                    segment.ReadSynOptions(out int size, out int? scale);
                    (PeerSegmentSize, _peerScale, _peerWindow) = (size, scale ?? 0, segment.Window);
                    _rcvNxt = segment.Sequence + 1;
                    _isOpen = true;
                    _opened.TrySetResult();
                }

                Ack();
                Pump();
                return;
            }

            TakeAcknowledgment(segment);
            TakePayload(segment);
            Pump();
            Changed();
        }
    }

    public void EndBatch()
    {
        lock (_lock)
        {
            if (_ackDue)
            {
                Ack();
            }
        }
    }

    public void Dispose() => _timer.Dispose();

    private async Task<byte[]> ReadAsync(Func<bool> condition)
    {
        await WaitAsync(() => condition() || WasReset);
        lock (_lock)
        {
            return _received.ToArray();
        }
    }

    private void TakeAcknowledgment(in TcpSegment segment)
    {
        long total = _toSend.Length + (_finWanted ? 1 : 0);
        long acknowledged = _acknowledged + (int)(segment.Acknowledgment - (uint)(_first + _acknowledged));
        if (acknowledged > _acknowledged && acknowledged <= total)
        {
            _acknowledged = acknowledged;
            _sent = Math.Max(_sent, acknowledged);
        }

        _peerWindow = (uint)segment.Window << _peerScale;
    }

    private void TakePayload(in TcpSegment segment)
    {
        if (segment.SequenceLength == 0)
        {
            return;
        }

        int known = (int)(_rcvNxt - segment.Sequence);
        int free = _receiveBuffer - (int)(_received.Length - (Reads ? _received.Length : _read));
        if (known < 0 || known > segment.SequenceLength)
        {
            Ack();
            return;
        }

        ReadOnlySpan<byte> payload = segment.Payload[Math.Min(known, segment.Payload.Length)..];
        bool whole = payload.Length <= free;
        payload = payload[..Math.Min(payload.Length, free)];
        _received.Write(payload);
        _rcvNxt += (uint)payload.Length;
        if (segment.Has(TcpFlags.Fin) && whole && !SawFin)
        {
            _rcvNxt++;
            SawFin = true;
        }

        _ackDue = true;
    }

    private void Pump()
    {
        int limit = Math.Min(_guest.Mtu, PeerSegmentSize + 40) - 40;
        while (_isOpen && _sent < _toSend.Length && _sent - _acknowledged < _peerWindow)
        {
            int length = (int)Math.Min(Math.Min(_toSend.Length - _sent, _peerWindow - (_sent - _acknowledged)), Math.Min(limit, Math.Max(1, SegmentSize())));
            Send((uint)(_first + _sent), _rcvNxt, TcpFlags.Ack | TcpFlags.Psh, _toSend.AsSpan((int)_sent, length));
            _sent += length;
        }

        if (_isOpen && _finWanted && _sent == _toSend.Length)
        {
            Send((uint)(_first + _sent), _rcvNxt, TcpFlags.Ack | TcpFlags.Fin, []);
            _sent++;
        }
    }

    private void OnTimer()
    {
        // Who holds it may wait for a gateway on the thread pool; timers that waited too would take every thread of that pool.
        if (!_lock.TryEnter())
        {
            return;
        }

        try
        {
            if (!_isOpen && !WasReset && _sent == 0 && _toSend.Length > 0)
            {
                SendSyn();
            }
            else if (_isOpen && !WasReset && _acknowledged < _toSend.Length + (_finWanted ? 1 : 0))
            {
                _sent = _acknowledged;
                if (_peerWindow == 0 && _sent < _toSend.Length)
                {
                    Send((uint)(_first + _sent), _rcvNxt, TcpFlags.Ack, _toSend.AsSpan((int)_sent, 1));
                }

                Pump();
            }
        }
        finally
        {
            _lock.Exit();
        }
    }

    private void Ack()
    {
        _ackDue = false;
        Send((uint)(_first + _sent), _rcvNxt, TcpFlags.Ack, []);
    }

    private void Send(uint sequence, uint acknowledgment, TcpFlags flags, ReadOnlySpan<byte> payload, bool options = false)
    {
        int free = _receiveBuffer - (int)(_received.Length - (Reads ? _received.Length : _read));
        ushort window = (ushort)Math.Min(options ? free : free >> Scale, ushort.MaxValue);
        try
        {
            _guest.SendTcp(_destination, new TcpHeader(_localPort, _port, sequence, acknowledgment, flags, window, options ? 8 : 0), payload);
            _ackDue = false;
        }
        catch (Exception error) when (error is System.Net.Sockets.SocketException or ObjectDisposedException)
        {
            WasReset = true;
        }
    }

    private void Changed()
    {
        TaskCompletionSource changed = _changed;
        _changed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        changed.TrySetResult();
    }
}

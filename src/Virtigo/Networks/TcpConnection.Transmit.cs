namespace Virtigo.Networks;

/// <summary>What leaves: segments, acknowledgments, retransmissions, probes.</summary>
internal sealed partial class TcpConnection
{
    /// <summary>No limit besides the guest's window: the link is one hop and pushes back by itself.</summary>
    private const uint Unlimited = uint.MaxValue / 2;

    private readonly int _segmentSize;
    private readonly int _sendScale;
    private readonly int _receiveScale;
    private readonly bool _scales;
    private readonly uint _initialSequence;
    private uint _sndUna;
    private uint _sndNxt;
    private uint _sndMax;
    private uint _sendWindow;
    private uint _largestSendWindow;
    private uint _windowSequence;
    private uint _windowAcknowledgment;
    private uint _congestionWindow = Unlimited;
    private uint _pushEnd;
    private bool _finQueued;
    private int _duplicates;
    private int _retries;
    private long _deadline;
    private TimeSpan _timeout;
    private TimeSpan? _smoothedRoundTrip;
    private TimeSpan _roundTripVariance;
    private uint _timedEnd;
    private long _timedAt;

    /// <summary>Answers the guest's SYN.</summary>
    public TcpConnection(TcpEndpoint endpoint, TcpPeer peer, MacAddress peerMac, in TcpSegment syn)
    {
        _endpoint = endpoint;
        (Peer, PeerMac) = (peer, peerMac);
        _sending = new ByteRing(endpoint.Tuning.SendBuffer);
        _received = new ByteRing(endpoint.Tuning.ReceiveBuffer);
        syn.ReadSynOptions(out int maximumSegmentSize, out int? windowScale);
        _segmentSize = Math.Clamp(maximumSegmentSize, 64, endpoint.MaximumSegmentSize);
        _scales = windowScale is not null;
        _sendScale = windowScale ?? 0;
        _receiveScale = _scales ? endpoint.Tuning.WindowScale : 0;
        _rcvNxt = _advertisedEnd = syn.Sequence + 1;
        _initialSequence = endpoint.Tuning.InitialSequence();
        _sndUna = _initialSequence;
        _sndNxt = _sndMax = _pushEnd = _initialSequence + 1;
        _sendWindow = _largestSendWindow = syn.Window;
        _windowSequence = syn.Sequence;
        _windowAcknowledgment = _initialSequence;
        _timeout = endpoint.Tuning.MinimumTimeout;
        State = TcpState.SynReceived;
        SendSyn();
    }

    private uint DataEnd => _sndUna + (uint)_sending.Length;

    private bool Sends => State is TcpState.Established or TcpState.CloseWait or TcpState.FinWait1 or TcpState.Closing or TcpState.LastAck;

    /// <summary>Sends what may leave now, and the acknowledgment that is due.</summary>
    public void SendPending()
    {
        Transmit();
        if (_ackPending && State != TcpState.Closed)
        {
            SendAckNow();
        }
    }

    /// <summary>Looks at the timers.</summary>
    /// <param name="now">The clock's timestamp.</param>
    public void Tick(long now)
    {
        if (_lingerUntil != 0 && now >= _lingerUntil && State != TcpState.TimeWait)
        {
            Reset(new IOException("The guest did not take the rest of the data in time."));
        }
        else if (_deadline != 0 && now >= _deadline)
        {
            if (State == TcpState.TimeWait)
            {
                Terminate(null);
            }
            else
            {
                OnTimeout();
            }
        }
    }

    private void OnTimeout()
    {
        _deadline = _endpoint.After(_timeout);
        if (_endpoint.IsLinkBusy)
        {
            // What we sent has not even left; the guest may be paused.
            return;
        }

        if (++_retries > (State == TcpState.SynReceived ? _endpoint.Tuning.MaximumSynRetries : _endpoint.Tuning.MaximumRetries))
        {
            Reset(new IOException("The guest stopped answering."));
            return;
        }

        _timeout = Min(_timeout * 2, _endpoint.Tuning.MaximumTimeout);
        _deadline = _endpoint.After(_timeout);
        _timedAt = 0;
        if (_sndMax != _sndUna)
        {
            _endpoint.Counters.CountRetransmission();
        }

        if (State == TcpState.SynReceived)
        {
            SendSyn();
            return;
        }

        _duplicates = 0;
        _sndNxt = _sndUna;
        _congestionWindow = (uint)_segmentSize;
        Transmit(force: true);
    }

    /// <param name="force">Send at least something, even a single byte into a closed window.</param>
    private void Transmit(bool force = false)
    {
        while (Sends)
        {
            int unsent = (int)(DataEnd - _sndNxt);
            uint inFlight = _sndNxt - _sndUna;
            uint window = Math.Min(_sendWindow, _congestionWindow);
            int usable = window > inFlight ? (int)Math.Min(window - inFlight, Unlimited) : 0;
            if (unsent < 0 || (unsent == 0 && !_finQueued))
            {
                break;
            }

            int length = Math.Min(Math.Min(unsent, _segmentSize), usable);
            bool isProbe = force && unsent > 0 && length == 0;
            length = isProbe ? 1 : length;
            bool isLast = length == unsent;
            if (!force && unsent > 0 && !IsWorthSending(length, isLast, inFlight))
            {
                break;
            }

            TcpFlags flags = TcpFlags.Ack | (isLast ? TcpFlags.Psh : 0) | (isLast && _finQueued ? TcpFlags.Fin : 0);
            if (!Send(_sndNxt, flags, length))
            {
                break;
            }

            uint end = _sndNxt + (uint)length + (flags.HasFlag(TcpFlags.Fin) ? 1u : 0);
            Sent(end, advance: !isProbe);
            if (isProbe)
            {
                break;
            }

            force = false;
        }

        ArmTimer();
    }

    /// <summary>Avoids small segments (RFC 9293, 3.8.6.2.1, and Nagle's rule unless flushed).</summary>
    private bool IsWorthSending(int length, bool isLast, uint inFlight) =>
        length == _segmentSize
        || (length > 0 && isLast && (inFlight == 0 || _finQueued || (int)(_pushEnd - _sndNxt) > 0))
        || (length > 0 && length >= _largestSendWindow / 2);

    private void Sent(uint end, bool advance)
    {
        if (_timedAt == 0 && end != _sndUna && (int)(end - _sndMax) > 0)
        {
            (_timedEnd, _timedAt) = (end, _endpoint.Now);
        }

        if ((int)(end - _sndMax) > 0)
        {
            _sndMax = end;
        }

        if (advance)
        {
            _sndNxt = end;
        }
    }

    /// <summary>Three acknowledgments say the same: the segment behind them is lost.</summary>
    private void RetransmitFirst()
    {
        _endpoint.Counters.CountRetransmission();
        _timedAt = 0;
        _congestionWindow = Math.Max((_sndMax - _sndUna) / 2, (uint)_segmentSize * 2);
        int length = (int)Math.Min((uint)Math.Min(_sending.Length, _segmentSize), _sndMax - _sndUna);
        bool withFin = _finQueued && length == _sending.Length && _sndMax != DataEnd;
        if (length > 0 || withFin)
        {
            Send(_sndUna, TcpFlags.Ack | (withFin ? TcpFlags.Fin : 0), length);
        }
    }

    private void SendSyn()
    {
        ushort window = (ushort)Math.Min(_received.Capacity, ushort.MaxValue);
        _endpoint.Send(this, _initialSequence, _rcvNxt, TcpFlags.Syn | TcpFlags.Ack, window, null, 0, 0,
            _scales ? _receiveScale : null, isSyn: true);
        ArmTimer();
    }

    private void SendAckNow()
    {
        if (State is not (TcpState.SynReceived or TcpState.Closed))
        {
            Send(_sndNxt, TcpFlags.Ack, 0);
        }
    }

    /// <returns>Whether the link had room; when it had none, the connection is tried again once there is.</returns>
    private bool Send(uint sequence, TcpFlags flags, int length)
    {
        uint window = Math.Min(ReceiveWindow >> _receiveScale, ushort.MaxValue);
        if (!_endpoint.Send(this, sequence, _rcvNxt, flags, (ushort)window, _sending, (int)(sequence - _sndUna), length))
        {
            _ackPending = true;
            _endpoint.MarkDirty(this);
            return false;
        }

        _advertisedEnd = _rcvNxt + (window << _receiveScale);
        _ackPending = false;
        return true;
    }

    private void ArmTimer()
    {
        if (State is TcpState.TimeWait or TcpState.Closed)
        {
            return;
        }

        bool waits = _sndMax != _sndUna || (Sends && (_sending.Length > 0 || (_finQueued && State != TcpState.FinWait2)));
        _deadline = !waits ? 0 : _deadline != 0 ? _deadline : _endpoint.After(_timeout);
    }

    /// <summary>Something new was acknowledged: the timers start anew.</summary>
    private void Progress()
    {
        _retries = 0;
        _duplicates = 0;
        _deadline = 0;
        _timeout = CurrentTimeout();
        if (_lingerUntil != 0)
        {
            _lingerUntil = _endpoint.After(_endpoint.Tuning.Linger);
        }

        ArmTimer();
    }

    private void GrowCongestionWindow(uint acknowledged)
    {
        if (_congestionWindow < Unlimited)
        {
            _congestionWindow = Math.Min(_congestionWindow + acknowledged, Unlimited);
        }
    }

    /// <summary>One segment is timed at a time, never a repeated one (RFC 6298).</summary>
    private void MeasureRoundTrip(uint acknowledgment)
    {
        if (_timedAt == 0 || (int)(acknowledgment - _timedEnd) < 0)
        {
            return;
        }

        TimeSpan sample = _endpoint.Since(_timedAt);
        _timedAt = 0;
        if (_smoothedRoundTrip is { } smoothed)
        {
            _roundTripVariance = (_roundTripVariance * 0.75) + ((smoothed - sample).Duration() * 0.25);
            _smoothedRoundTrip = (smoothed * 0.875) + (sample * 0.125);
        }
        else
        {
            (_smoothedRoundTrip, _roundTripVariance) = (sample, sample / 2);
        }
    }

    private TimeSpan CurrentTimeout()
    {
        TimeSpan estimate = _smoothedRoundTrip is { } smoothed ? smoothed + (_roundTripVariance * 4) : TimeSpan.Zero;
        return Min(estimate > _endpoint.Tuning.MinimumTimeout ? estimate : _endpoint.Tuning.MinimumTimeout, _endpoint.Tuning.MaximumTimeout);
    }

    private static TimeSpan Min(TimeSpan a, TimeSpan b) => a < b ? a : b;
}

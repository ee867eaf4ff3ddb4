namespace Virtigo.Networks;

/// <summary>What arrives: RFC 9293, section 3.10.7, for a connection that exists.</summary>
internal sealed partial class TcpConnection
{
    private const int DuplicatesBeforeRetransmission = 3;

    private uint _rcvNxt;
    private uint _advertisedEnd;
    private bool _finReceived;
    private bool _ackPending;

    private uint ReceiveWindow => _released ? (uint)_received.Capacity : (uint)_received.Free;

    private bool TakesData => State is TcpState.Established or TcpState.FinWait1 or TcpState.FinWait2;

    /// <summary>Handles a segment of this connection. Answers leave with the next <see cref="SendPending"/>.</summary>
    public void Receive(in TcpSegment segment, MacAddress from)
    {
        uint ahead = segment.Sequence - _rcvNxt;
        bool beginsInWindow = (int)ahead >= 0 && ahead <= ReceiveWindow;
        uint end = segment.Sequence + segment.SequenceLength;
        bool reachesWindow = (int)ahead < 0 && (int)(end - _rcvNxt) > 0;
        if (!beginsInWindow && !reachesWindow)
        {
            // An old duplicate, a keep-alive or a probe of a window that has moved: say where we are.
            if (!segment.Has(TcpFlags.Rst))
            {
                RestartTimeWait(segment);
                SendAckNow();
            }

            return;
        }

        PeerMac = from;
        if (segment.Has(TcpFlags.Rst))
        {
            ReceiveReset(segment);
        }
        else if (segment.Has(TcpFlags.Syn))
        {
            SendAckNow();
        }
        else if (segment.Has(TcpFlags.Ack) && ReceiveAcknowledgment(segment))
        {
            ReceivePayload(segment, ahead);
            _endpoint.MarkDirty(this);
        }
    }

    /// <summary>The guest repeats its SYN: our answer was lost.</summary>
    public void RepeatSyn()
    {
        if (State == TcpState.SynReceived)
        {
            SendSyn();
        }
        else
        {
            SendAckNow();
        }
    }

    private void ReceiveReset(in TcpSegment segment)
    {
        if (segment.Sequence == _rcvNxt)
        {
            Terminate(new IOException("The guest reset the connection."));
        }
        else
        {
            SendAckNow();
        }
    }

    /// <returns>Whether the segment's payload may be taken.</returns>
    private bool ReceiveAcknowledgment(in TcpSegment segment)
    {
        uint acknowledgment = segment.Acknowledgment;
        if (State == TcpState.SynReceived)
        {
            if (acknowledgment != _sndNxt)
            {
                _endpoint.SendReset(this, acknowledgment, _rcvNxt);
                return false;
            }

            _sndUna = acknowledgment;
            Progress();
            UpdateSendWindow(segment);
            State = TcpState.Established;
            _endpoint.Accept(this);
            return true;
        }

        if ((int)(acknowledgment - _sndMax) > 0)
        {
            SendAckNow();
            return false;
        }

        if (_sendWindow == 0)
        {
            _retries = 0;
        }

        if ((int)(acknowledgment - _sndUna) > 0)
        {
            AcknowledgeTo(acknowledgment);
        }
        else if (acknowledgment == _sndUna)
        {
            CountDuplicate(segment);
        }

        if (State == TcpState.Closed)
        {
            return false;
        }

        UpdateSendWindow(segment);
        return true;
    }

    private void AcknowledgeTo(uint acknowledgment)
    {
        uint count = acknowledgment - _sndUna;
        bool finAcknowledged = count > (uint)_sending.Length;
        _sending.Discard((int)Math.Min(count, (uint)_sending.Length));
        _sndUna = acknowledgment;
        if ((int)(_sndNxt - _sndUna) < 0)
        {
            _sndNxt = _sndUna;
        }

        MeasureRoundTrip(acknowledgment);
        GrowCongestionWindow(count);
        Progress();
        if (_sending.Free >= _sending.Capacity / 4)
        {
            Wake(ref _writable);
        }

        if (finAcknowledged)
        {
            switch (State)
            {
                case TcpState.FinWait1:
                    State = TcpState.FinWait2;
                    break;
                case TcpState.Closing:
                    EnterTimeWait();
                    break;
                case TcpState.LastAck:
                    Terminate(null);
                    break;
            }
        }
    }

    private void CountDuplicate(in TcpSegment segment)
    {
        bool isDuplicate = segment.SequenceLength == 0 && _sndMax != _sndUna
            && (uint)segment.Window << _sendScale == _sendWindow;
        if (isDuplicate && ++_duplicates == DuplicatesBeforeRetransmission)
        {
            RetransmitFirst();
        }
    }

    private void UpdateSendWindow(in TcpSegment segment)
    {
        bool isNewer = (int)(segment.Sequence - _windowSequence) > 0
            || (segment.Sequence == _windowSequence && (int)(segment.Acknowledgment - _windowAcknowledgment) >= 0);
        if (isNewer)
        {
            _sendWindow = (uint)segment.Window << _sendScale;
            _largestSendWindow = Math.Max(_largestSendWindow, _sendWindow);
            (_windowSequence, _windowAcknowledgment) = (segment.Sequence, segment.Acknowledgment);
        }
    }

    private void ReceivePayload(in TcpSegment segment, uint ahead)
    {
        if (segment.SequenceLength == 0)
        {
            return;
        }

        if ((int)ahead > 0)
        {
            // Something before it is missing. It is not kept; the repeated acknowledgment makes the guest send again.
            SendAckNow();
            return;
        }

        if (!TakesData)
        {
            RestartTimeWait(segment);
            _ackPending = true;
            return;
        }

        int known = (int)(_rcvNxt - segment.Sequence);
        ReadOnlySpan<byte> payload = segment.Payload;
        payload = payload[Math.Min(known, payload.Length)..];
        int taken = _released ? payload.Length : _received.Write(payload);
        _rcvNxt += (uint)taken;
        _ackPending = true;
        if (taken > 0)
        {
            Wake(ref _readable);
        }

        if (segment.Has(TcpFlags.Fin) && taken == payload.Length)
        {
            ReceiveFin();
        }
    }

    private void ReceiveFin()
    {
        _rcvNxt++;
        _finReceived = true;
        Wake(ref _readable);
        switch (State)
        {
            case TcpState.Established:
                State = TcpState.CloseWait;
                break;
            case TcpState.FinWait1:
                State = TcpState.Closing;
                break;
            case TcpState.FinWait2:
                EnterTimeWait();
                break;
        }
    }

    private void EnterTimeWait()
    {
        State = TcpState.TimeWait;
        _deadline = _endpoint.After(_endpoint.Tuning.TimeWait);
    }

    private void RestartTimeWait(in TcpSegment segment)
    {
        if (State == TcpState.TimeWait && segment.Has(TcpFlags.Fin))
        {
            _deadline = _endpoint.After(_endpoint.Tuning.TimeWait);
        }
    }

    /// <summary>Tells the guest of room that reading made, once it is worth a segment (RFC 9293, 3.8.6.2.2).</summary>
    private void AdvertiseFreedWindow()
    {
        uint gained = _rcvNxt + ReceiveWindow - _advertisedEnd;
        if (TakesData && (int)gained >= Math.Min(2 * _segmentSize, _received.Capacity / 2))
        {
            _ackPending = true;
            SendPending();
            _endpoint.Signal();
        }
    }
}

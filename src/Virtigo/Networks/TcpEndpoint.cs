namespace Virtigo.Networks;

/// <summary>What became of a segment.</summary>
internal enum TcpReception
{
    /// <summary>It is of a connection, or answered as TCP answers.</summary>
    Taken,

    /// <summary>Nothing is served where it was sent to.</summary>
    NotServed,

    /// <summary>It asks for a connection, and as many as are allowed are open.</summary>
    OverLimit,
}

/// <summary>All TCP connections of one gateway: opens, finds, limits and times them. Its members are called with <see cref="Gate"/> held.</summary>
/// <param name="gate">Guards everything of the gateway.</param>
/// <param name="link">Where segments leave.</param>
/// <param name="tuning">Sizes and times.</param>
/// <param name="served">The ports that are served, by address.</param>
/// <param name="maxConnections">The most connections open at a time.</param>
/// <param name="accepted">Called with each connection that is established, and the lock held; must not block.</param>
internal sealed class TcpEndpoint(
    Lock gate, GatewayLink link, TcpTuning tuning, IReadOnlyDictionary<Ipv4Address, IReadOnlySet<int>> served, int maxConnections, Action<TcpConnection> accepted)
{
    private readonly Dictionary<TcpPeer, TcpConnection> _connections = [];
    private readonly List<TcpConnection> _dirty = [];

    /// <summary>Guards everything of the gateway.</summary>
    public Lock Gate { get; } = gate;

    /// <summary>Sizes and times.</summary>
    public TcpTuning Tuning { get; } = tuning;

    /// <summary>What was counted.</summary>
    public GatewayCounters Counters => link.Counters;

    /// <summary>The largest payload a frame of this link carries, in bytes.</summary>
    public int MaximumSegmentSize => link.Mtu - Ipv4Packet.HeaderSize - TcpSegment.HeaderSize;

    /// <summary>The connections there are.</summary>
    public int Count => _connections.Count;

    /// <summary>Whether frames wait for the guest to take them off the link.</summary>
    public bool IsLinkBusy => !link.Output.IsEmpty || link.Output.IsLeaving;

    /// <summary>The clock's timestamp.</summary>
    public long Now => link.Clock.GetTimestamp();

    /// <summary>The timestamp this far in the future.</summary>
    public long After(TimeSpan delay) => Now + (long)(delay.TotalSeconds * link.Clock.TimestampFrequency);

    /// <summary>The time that has passed since a timestamp.</summary>
    public TimeSpan Since(long timestamp) => link.Clock.GetElapsedTime(timestamp);

    /// <summary>Handles a segment to any address; what is not for us is refused.</summary>
    public TcpReception Receive(in Ipv4Packet packet, in TcpSegment segment, MacAddress from)
    {
        bool isServed = served.TryGetValue(packet.Destination, out IReadOnlySet<int>? ports) && ports.Contains(segment.DestinationPort);
        var peer = new TcpPeer(packet.Source, segment.SourcePort, packet.Destination, segment.DestinationPort);
        bool opens = (segment.Flags & (TcpFlags.Syn | TcpFlags.Ack | TcpFlags.Rst | TcpFlags.Fin)) == TcpFlags.Syn;
        TcpConnection? connection = null;
        if (isServed && _connections.TryGetValue(peer, out connection) && opens && connection.State == TcpState.TimeWait)
        {
            connection.LinkLost();
            connection = null;
        }

        if (connection is not null)
        {
            if (opens)
            {
                connection.RepeatSyn();
            }
            else
            {
                connection.Receive(segment, from);
            }
        }
        else if (isServed && opens && MakeRoom())
        {
            _connections.Add(peer, new TcpConnection(this, peer, from, segment));
        }
        else
        {
            Refuse(packet, segment, from);
            if (isServed && opens)
            {
                Counters.CountConnectionOverLimit();
                return TcpReception.OverLimit;
            }
        }

        return isServed ? TcpReception.Taken : TcpReception.NotServed;
    }

    /// <summary>The handshake is complete: hands the connection to the program.</summary>
    public void Accept(TcpConnection connection)
    {
        Counters.CountConnection();
        accepted(connection);
    }

    /// <summary>Remembers that the connection has something to send.</summary>
    public void MarkDirty(TcpConnection connection)
    {
        if (!connection.IsDirty)
        {
            connection.IsDirty = true;
            _dirty.Add(connection);
        }
    }

    /// <summary>Lets every connection that has something to send do so; who finds no room stays in line.</summary>
    public void SendPending()
    {
        int count = _dirty.Count;
        for (int i = 0; i < count; i++)
        {
            TcpConnection connection = _dirty[i];
            connection.IsDirty = false;
            connection.SendPending();
        }

        _dirty.RemoveRange(0, count);
    }

    /// <summary>Lets every connection look at its timers.</summary>
    public void Tick()
    {
        long now = Now;
        foreach (TcpConnection connection in _connections.Values.ToArray())
        {
            connection.Tick(now);
        }
    }

    /// <summary>Ends every connection; the guest is gone.</summary>
    public void LinkLost() => LinkLost(_ => true);

    /// <summary>Ends the connections of a guest that is gone.</summary>
    /// <param name="isGone">Whether an Ethernet address is that guest's.</param>
    public void LinkLost(Predicate<MacAddress> isGone)
    {
        foreach (TcpConnection connection in _connections.Values.Where(connection => isGone(connection.PeerMac)).ToArray())
        {
            connection.LinkLost();
        }

        _dirty.RemoveAll(connection => connection.State == TcpState.Closed);
    }

    /// <summary>Forgets a connection that has ended.</summary>
    public void Remove(TcpConnection connection) => _connections.Remove(connection.Peer);

    /// <summary>Tells the link that frames wait.</summary>
    public void Signal() => link.Signal();

    /// <summary>Sends a segment of a connection.</summary>
    /// <returns>False when the link has no room.</returns>
    public bool Send(TcpConnection connection, uint sequence, uint acknowledgment, TcpFlags flags, ushort window,
        ByteRing? data, int offset, int length, int? windowScale = null, bool isSyn = false)
    {
        int optionsLength = !isSyn ? 0 : windowScale is null ? 4 : 8;
        int segmentLength = TcpSegment.HeaderSize + optionsLength + length;
        if (!link.Output.HasRoom(EthernetFrame.HeaderSize + Ipv4Packet.HeaderSize + segmentLength))
        {
            return false;
        }

        Span<byte> segment = link.AppendIpv4(connection.PeerMac, connection.Peer.Local, connection.Peer.Address, IpProtocol.Tcp, segmentLength);

        if (isSyn)
        {
            TcpSegment.WriteSynOptions(segment[TcpSegment.HeaderSize..], MaximumSegmentSize, windowScale);
        }

        data?.Peek(length == 0 ? 0 : offset, segment[(TcpSegment.HeaderSize + optionsLength)..]);
        var header = new TcpHeader(connection.Peer.LocalPort, connection.Peer.Port, sequence, acknowledgment, flags, window, optionsLength);
        TcpSegment.WriteHeader(segment, header, connection.Peer.Local, connection.Peer.Address);
        return true;
    }

    /// <summary>Sends a reset of a connection, if the link has room.</summary>
    public void SendReset(TcpConnection connection, uint sequence, uint acknowledgment) =>
        Send(connection, sequence, acknowledgment, TcpFlags.Rst | TcpFlags.Ack, 0, null, 0, 0);

    private bool MakeRoom()
    {
        if (_connections.Count < maxConnections)
        {
            return true;
        }

        TcpConnection? finished = _connections.Values.FirstOrDefault(connection => connection.State == TcpState.TimeWait);
        finished?.LinkLost();
        return finished is not null;
    }

    /// <summary>Answers a segment that belongs to no connection with a reset from the address it was sent to (RFC 9293, 3.10.7.1).</summary>
    private void Refuse(in Ipv4Packet packet, in TcpSegment segment, MacAddress from)
    {
        if (segment.Has(TcpFlags.Rst))
        {
            return;
        }

        Span<byte> reset = link.AppendIpv4(from, packet.Destination, packet.Source, IpProtocol.Tcp, TcpSegment.HeaderSize);
        if (reset.IsEmpty)
        {
            return;
        }

        TcpHeader header = segment.Has(TcpFlags.Ack)
            ? new TcpHeader(segment.DestinationPort, segment.SourcePort, segment.Acknowledgment, 0, TcpFlags.Rst, 0)
            : new TcpHeader(segment.DestinationPort, segment.SourcePort, 0, segment.Sequence + segment.SequenceLength,
                TcpFlags.Rst | TcpFlags.Ack, 0);
        TcpSegment.WriteHeader(reset, header, packet.Destination, packet.Source);
    }
}

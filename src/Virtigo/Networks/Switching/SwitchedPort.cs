using System.Buffers;
using System.Net.Sockets;

namespace Virtigo.Networks;

/// <summary>One port of a switch: the socket a guest connects to, and what waits for that guest. Its members are called with the switch's lock held.</summary>
internal sealed class SwitchedPort : IDisposable
{
    private readonly Epoll _epoll;
    private readonly Socket _listener;
    private byte[]? _partial;
    private bool _wantsToWrite;

    /// <summary>Listens.</summary>
    /// <param name="definition">What the port is for.</param>
    /// <param name="index">Its place on the network.</param>
    /// <param name="tag">Its number in <paramref name="epoll"/>.</param>
    /// <param name="epoll">Where its sockets are watched.</param>
    /// <param name="queueBytes">The most bytes that wait.</param>
    /// <exception cref="VirtigoException">Kind <see cref="FailureKind.Host"/>: the socket cannot be made.</exception>
    public SwitchedPort(SwitchPort definition, int index, ulong tag, Epoll epoll, int queueBytes)
    {
        (Definition, Index, Tag, _epoll) = (definition, index, tag, epoll);
        Queue = new FrameQueue(queueBytes);
        _listener = GuestSocket.Listen(definition.SocketPath);
        _listener.Blocking = false;
        Listen();
    }

    /// <summary>What the port is for.</summary>
    public SwitchPort Definition { get; }

    /// <summary>Its place on the network.</summary>
    public int Index { get; }

    /// <summary>Its number among all ports of the switch.</summary>
    public ulong Tag { get; }

    /// <summary>The guest's socket, or null while there is none.</summary>
    public Socket? Guest { get; private set; }

    /// <summary>The frames that wait for the guest. Before the first guest, those of a restored switch.</summary>
    public FrameQueue Queue { get; }

    /// <summary>The number of bytes kept of a frame that has not arrived whole.</summary>
    public int PartialLength { get; private set; }

    /// <summary>Whether the port stands in the list of those to flush.</summary>
    public bool IsDirty { get; set; }

    /// <summary>The counters; its owner's to change.</summary>
    public ref PortTally Tally => ref _tally;

    private PortTally _tally;

    /// <summary>What was looked up for the last frame of this port; valid as long as the table's generation is the same.</summary>
    public ref RouteCache Route => ref _route;

    private RouteCache _route;

    /// <summary>Takes in the guest that waits, if one does and none is there.</summary>
    public void Accept()
    {
        if (Guest is not null)
        {
            return;
        }

        try
        {
            Guest = _listener.Accept();
        }
        catch (SocketException)
        {
            return;
        }

        Guest.Blocking = false;
        Guest.SendBufferSize = Guest.ReceiveBufferSize = 1 << 20;
        _epoll.Remove(_listener);
        _epoll.Add(Guest, EpollEvents.Readable, Tag);
        _wantsToWrite = false;
        _tally.Connections++;
    }

    /// <summary>Ends the guest's connection and listens for the next guest. What waited is dropped.</summary>
    public void Disconnect()
    {
        if (Guest is not { } guest)
        {
            return;
        }

        _epoll.Remove(guest);
        guest.Dispose();
        Guest = null;
        _tally.Dropped += Queue.Count;
        Queue.Release();
        KeepPartial([]);
        Listen();
    }

    /// <summary>Watches for a guest; told once for each, so that one that cannot be taken in does not keep the switch busy.</summary>
    private void Listen() => _epoll.Add(_listener, EpollEvents.Readable | EpollEvents.EdgeTriggered, Tag);

    /// <summary>Copies what was kept of a frame to where the rest of it follows.</summary>
    public void CopyPartial(Span<byte> destination) => _partial.AsSpan(0, PartialLength).CopyTo(destination);

    /// <summary>Keeps the beginning of a frame until the rest arrives.</summary>
    public void KeepPartial(ReadOnlySpan<byte> bytes)
    {
        if (_partial is { } old && (bytes.IsEmpty || old.Length < bytes.Length))
        {
            ArrayPool<byte>.Shared.Return(old);
            _partial = null;
        }

        if (!bytes.IsEmpty)
        {
            _partial ??= ArrayPool<byte>.Shared.Rent(bytes.Length);
            bytes.CopyTo(_partial);
        }

        PartialLength = bytes.Length;
    }

    /// <summary>Writes what waits.</summary>
    /// <param name="restOnly">Only the rest of a frame that is partly written.</param>
    /// <returns>False when the guest is gone.</returns>
    public bool Flush(bool restOnly)
    {
        if (Guest is not { } guest)
        {
            return true;
        }

        SocketError error = Queue.WriteTo(guest, restOnly);
        bool waits = error == SocketError.WouldBlock;
        if (waits != _wantsToWrite)
        {
            _wantsToWrite = waits;
            _epoll.Modify(guest, waits ? EpollEvents.Readable | EpollEvents.Writable : EpollEvents.Readable, Tag);
        }

        return waits || error == SocketError.Success;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Guest?.Dispose();
        _listener.Dispose();
        Queue.Release();
        KeepPartial([]);
        File.Delete(Definition.SocketPath);
    }
}

/// <summary>The counters of a port as they grow; see <see cref="PortCounters"/>.</summary>
internal struct PortTally
{
    public long FramesReceived;
    public long BytesReceived;
    public long FramesSent;
    public long BytesSent;
    public long Dropped;
    public long Invalid;
    public long Oversized;
    public long Faulted;
    public long BrokenStreams;
    public long Connections;

    /// <summary>The values now.</summary>
    public readonly PortCounters ToCounters() => new(FramesReceived, BytesReceived, FramesSent, BytesSent, Dropped, Invalid, Oversized, Faulted,
        BrokenStreams, Connections);
}

/// <summary>The last addresses seen at a port and where frames between them go.</summary>
internal struct RouteCache
{
    public long Generation;
    public ulong Source;
    public ulong Destination;
    public SwitchedPort? Target;
}

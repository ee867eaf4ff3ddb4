using System.Buffers.Binary;
using System.Net.Sockets;

namespace Virtigo.Networks;

/// <summary>What the networks of a switch share.</summary>
/// <param name="options">The options.</param>
internal sealed class SwitchShared(SwitchOptions options)
{
    private readonly long _started = options.Clock.GetTimestamp();
    private long _stoodStill;

    /// <summary>The options.</summary>
    public SwitchOptions Options { get; } = options;

    /// <summary>Frames that faults hold back, of all networks.</summary>
    public HeldFrames Held { get; } = new(options.HeldBytes);

    /// <summary>Ports with frames that wait to be written.</summary>
    public List<SwitchedPort> Dirty { get; } = [];

    /// <summary>Whether delivery and time stand still.</summary>
    public bool IsFrozen { get; private set; }

    /// <summary>The switch's time, in ticks of 100 ns since it started; it stands still while frozen.</summary>
    public long Now => IsFrozen ? _frozenAt : Running - _stoodStill;

    private long _frozenAt;

    private long Running => Options.Clock.GetElapsedTime(_started).Ticks;

    /// <summary>Stops time.</summary>
    public void Freeze()
    {
        _frozenAt = Now;
        IsFrozen = true;
    }

    /// <summary>Goes on from where time stopped.</summary>
    public void Thaw()
    {
        IsFrozen = false;
        _stoodStill = Running - _frozenAt;
    }

    /// <summary>Remembers that frames wait for the port's guest.</summary>
    public void MarkDirty(SwitchedPort port)
    {
        if (!port.IsDirty)
        {
            port.IsDirty = true;
            Dirty.Add(port);
        }
    }
}

/// <summary>One broadcast domain: its ports, what it learned, and the faults of its links. Its members are called with the switch's lock held.</summary>
internal sealed partial class SwitchedNetwork
{
    /// <summary>From this length on a row of frames to one port is written at once instead of copied to the port's queue.</summary>
    private const int WorthWriting = 16 * 1024;

    private const int VlanTag = 4;

    /// <summary>In place of a port: as sender the services, as receiver nobody yet.</summary>
    private const int Nobody = -1;

    private readonly SwitchShared _shared;
    private readonly int _index;
    private readonly int _longest;
    private readonly ulong _servicesMac;
    private readonly MacTable _macs;

    /// <summary>Creates a network.</summary>
    /// <param name="definition">What it is.</param>
    /// <param name="index">Its place among the networks.</param>
    /// <param name="ports">Its ports.</param>
    /// <param name="services">What answers on it.</param>
    /// <param name="shared">What it shares with other networks: no frame.</param>
    public SwitchedNetwork(SwitchNetwork definition, int index, SwitchedPort[] ports, SwitchServices services, SwitchShared shared)
    {
        (Definition, _index, Ports, Services, _shared) = (definition, index, ports, services, shared);
        _longest = definition.Mtu + EthernetFrame.HeaderSize + VlanTag;
        _servicesMac = services.Mac.Value;
        _macs = new MacTable(ports.Length);
        _links = new SwitchedLink[ports.Length * ports.Length];
    }

    /// <summary>What it is.</summary>
    public SwitchNetwork Definition { get; }

    /// <summary>Its ports.</summary>
    public SwitchedPort[] Ports { get; }

    /// <summary>What answers on it.</summary>
    public SwitchServices Services { get; }

    /// <summary>Handles what a guest sent.</summary>
    /// <param name="from">The guest's port.</param>
    /// <param name="bytes">Frames, each behind its length; the last may be cut.</param>
    /// <returns>The number of bytes handled; negative when a length makes no sense and nothing behind it can be understood.</returns>
    public int Receive(SwitchedPort from, ReadOnlySpan<byte> bytes)
    {
        SwitchedPort? target = null;
        int start = 0;
        int used = 0;
        int frames = 0;
        bool isBroken = false;
        while (bytes.Length - used >= FrameOutput.PrefixSize)
        {
            uint length = BinaryPrimitives.ReadUInt32BigEndian(bytes[used..]);
            if (length - 1 >= GuestLinkSession.LongestFrame)
            {
                isBroken = true;
                break;
            }

            int end = used + FrameOutput.PrefixSize + (int)length;
            if (end > bytes.Length)
            {
                break;
            }

            ReadOnlySpan<byte> frame = bytes[(used + FrameOutput.PrefixSize)..end];
            bool isValid = IsValid(from, frame, out ulong destination);
            SwitchedPort? next = isValid ? PlainTarget(from, destination) : null;
            if (next != target)
            {
                Write(target, bytes[start..used], frames, isLast: false);
                (target, start, frames) = (next, used, 0);
            }

            if (next is null && isValid)
            {
                Distribute(from, destination, frame);
            }

            frames++;
            used = end;
        }

        Write(target, bytes[start..used], frames, isLast: true);
        return isBroken ? -1 : used;
    }

    /// <summary>Sends a frame of the services'. No fault touches it.</summary>
    public void SendFromServices(ReadOnlySpan<byte> frame)
    {
        Record(Nobody, Nobody, frame);
        MacAddress destination = MacAddress.Read(frame);
        int known = _macs.Find(destination.Value);
        if (known < 0 && !destination.IsGroup)
        {
            // Services answer only who spoke to them: that one is gone, and the others must not read what it asked for.
            return;
        }

        foreach (SwitchedPort to in known < 0 ? Ports : Ports.AsSpan(known, 1))
        {
            Write(to, frame);
            Record(Nobody, to.Index, frame);
        }
    }

    /// <summary>A guest is gone: its connections to the services end, and what was learned of it is forgotten.</summary>
    public void Forget(SwitchedPort port)
    {
        Services.EndConnections(mac => _macs.Find(mac.Value) == port.Index);
        _macs.Forget(port.Index);
    }

    /// <summary>Counts a frame, learns its source, and says whether it may go on.</summary>
    private bool IsValid(SwitchedPort from, ReadOnlySpan<byte> frame, out ulong destination)
    {
        ref PortTally tally = ref from.Tally;
        tally.FramesReceived++;
        tally.BytesReceived += frame.Length;
        destination = 0;
        if (frame.Length < EthernetFrame.HeaderSize)
        {
            tally.Invalid++;
            return false;
        }

        if (frame.Length > _longest)
        {
            tally.Oversized++;
            return false;
        }

        destination = BinaryPrimitives.ReadUInt64BigEndian(frame) >> 16;
        ulong source = BinaryPrimitives.ReadUInt64BigEndian(frame[4..]) & 0xFFFF_FFFF_FFFF;
        ref RouteCache route = ref from.Route;
        if (source == route.Source && route.Generation == _macs.Generation)
        {
            return true;
        }

        bool isForeign = _shared.Options.CheckSources && source != from.Definition.Mac.Value;
        if (isForeign || source == 0 || source == _servicesMac || new MacAddress(source).IsGroup)
        {
            tally.Invalid++;
            return false;
        }

        _macs.Learn(source, from.Index);
        route = new RouteCache { Generation = _macs.Generation, Source = source };
        return true;
    }

    /// <summary>The port of a frame that goes to one guest over a link without faults and captures; null for every other.</summary>
    private SwitchedPort? PlainTarget(SwitchedPort from, ulong destination)
    {
        if (_special)
        {
            return null;
        }

        ref RouteCache route = ref from.Route;
        if (destination != route.Destination)
        {
            int port = _macs.Find(destination);
            route.Destination = destination;
            route.Target = port < 0 || port == from.Index ? null : Ports[port];
        }

        return route.Target;
    }

    /// <summary>Sends a frame the long way: to groups, to unknown addresses, to services, over links with faults, past captures.</summary>
    private void Distribute(SwitchedPort from, ulong destination, ReadOnlySpan<byte> frame)
    {
        Record(from.Index, Nobody, frame);
        if (destination == _servicesMac)
        {
            Services.Receive(frame);
            return;
        }

        int known = new MacAddress(destination).IsGroup ? -1 : _macs.Find(destination);
        if (known >= 0)
        {
            if (known != from.Index)
            {
                Pass(from, Ports[known], frame);
            }

            return;
        }

        if (destination == MacAddress.Broadcast.Value)
        {
            Services.Receive(frame);
        }

        foreach (SwitchedPort to in Ports)
        {
            if (to != from)
            {
                Pass(from, to, frame);
            }
        }
    }

    /// <summary>Writes a row of frames, or queues them behind what waits.</summary>
    private void Write(SwitchedPort? to, ReadOnlySpan<byte> frames, int count, bool isLast)
    {
        if (to is null || frames.IsEmpty)
        {
            return;
        }

        if (to.Guest is not { } guest)
        {
            to.Tally.Dropped += count;
            return;
        }

        int written = 0;
        if (to.Queue.IsEmpty && !_shared.IsFrozen && (isLast || frames.Length >= WorthWriting))
        {
            written = guest.Send(frames, SocketFlags.None, out SocketError error);
            written = error == SocketError.Success ? written : 0;
        }

        int dropped = 0;
        if (written < frames.Length)
        {
            dropped = to.Queue.Append(frames, written);
            _shared.MarkDirty(to);
        }

        to.Tally.Dropped += dropped;
        to.Tally.FramesSent += count - dropped;
        to.Tally.BytesSent += frames.Length - (count * FrameOutput.PrefixSize);
    }

    /// <summary>Queues one frame.</summary>
    private void Write(SwitchedPort to, ReadOnlySpan<byte> frame)
    {
        if (to.Guest is null || !to.Queue.AppendFrame(frame))
        {
            to.Tally.Dropped++;
            return;
        }

        to.Tally.FramesSent++;
        to.Tally.BytesSent += frame.Length;
        _shared.MarkDirty(to);
    }
}

using System.Buffers.Binary;
using System.Text;

namespace Virtigo.Networks;

/// <summary>
/// The bytes of a <see cref="SwitchState"/>: magic, version, then counted lists; all numbers little endian. Whoever reads trusts nothing:
/// no count is believed before the bytes for it are there.
/// </summary>
internal static class SwitchStateFormat
{
    /// <summary>The longest name, in bytes of UTF-8.</summary>
    public const int MaximumName = 255;

    private const uint Magic = 0x5753_4756;
    private const ushort Version = 1;
    private const long NoRate = -1;

    /// <summary>Times beyond this make no sense: far longer than any delay and backlog.</summary>
    private static readonly long s_longest = TimeSpan.FromDays(1).Ticks;

    /// <summary>Writes a state.</summary>
    public static byte[] Write(SwitchState state)
    {
        using var memory = new MemoryStream();
        using var writer = new BinaryWriter(memory, Encoding.UTF8);
        writer.Write(Magic);
        writer.Write(Version);
        writer.Write((ushort)state.Networks.Count);
        foreach (SwitchNetworkState network in state.Networks)
        {
            Write(writer, network);
        }

        writer.Flush();
        return memory.ToArray();
    }

    /// <summary>Reads a state.</summary>
    /// <exception cref="VirtigoException">Kind <see cref="FailureKind.Internal"/>: the bytes are none.</exception>
    public static SwitchState Read(ReadOnlySpan<byte> bytes)
    {
        var reader = new Reader(bytes);
        if (reader.UInt32() != Magic)
        {
            throw Malformed("it does not begin like one");
        }

        if (reader.UInt16() is var version and not Version)
        {
            throw Malformed($"it has version {version}, known is {Version}");
        }

        var networks = new SwitchNetworkState[reader.Count(reader.UInt16(), smallest: 20)];
        for (int i = 0; i < networks.Length; i++)
        {
            networks[i] = ReadNetwork(ref reader);
        }

        return reader.IsAtEnd ? new SwitchState(networks) : throw Malformed("something follows its end");
    }

    private static void Write(BinaryWriter writer, SwitchNetworkState network)
    {
        Write(writer, network.Name);
        writer.Write((ushort)network.Machines.Count);
        foreach (string machine in network.Machines)
        {
            Write(writer, machine);
        }

        writer.Write(network.Learned.Count);
        foreach ((MacAddress mac, int port) in network.Learned)
        {
            writer.Write(mac.Value);
            writer.Write((ushort)port);
        }

        writer.Write(network.Links.Count);
        foreach (LinkState link in network.Links)
        {
            Write(writer, link);
        }

        writer.Write(network.Held.Count);
        foreach (HeldFrameState held in network.Held)
        {
            writer.Write((ushort)held.From);
            writer.Write((ushort)held.To);
            writer.Write(held.Due);
            writer.Write(held.Frame.Length);
            writer.Write(held.Frame);
        }

        writer.Write(network.Queued.Count);
        foreach (QueuedFrameState queued in network.Queued)
        {
            writer.Write((ushort)queued.Port);
            writer.Write(queued.Frame.Length);
            writer.Write(queued.Frame);
        }
    }

    private static void Write(BinaryWriter writer, string name)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(name);
        writer.Write((byte)bytes.Length);
        writer.Write(bytes);
    }

    private static void Write(BinaryWriter writer, LinkState link)
    {
        writer.Write((ushort)link.From);
        writer.Write((ushort)link.To);
        writer.Write(link.IsCut);
        writer.Write(link.Fault.Down);
        writer.Write(link.Fault.Delay.Ticks);
        writer.Write(link.Fault.Jitter.Ticks);
        writer.Write(link.Fault.Loss);
        writer.Write(link.Fault.Duplicate);
        writer.Write(link.Fault.Reorder);
        writer.Write(link.Fault.Corrupt);
        writer.Write(link.Fault.BytesPerSecond ?? NoRate);
        writer.Write(link.Random.A);
        writer.Write(link.Random.B);
        writer.Write(link.Random.C);
        writer.Write(link.Random.D);
        writer.Write(link.BusyUntil);
        writer.Write(link.LastDue);
    }

    private static SwitchNetworkState ReadNetwork(ref Reader reader)
    {
        string name = reader.Name();
        var machines = new string[reader.Count(reader.UInt16(), smallest: 1)];
        for (int i = 0; i < machines.Length; i++)
        {
            machines[i] = reader.Name();
        }

        var learned = new LearnedMac[reader.Count(reader.UInt32(), smallest: 10)];
        for (int i = 0; i < learned.Length; i++)
        {
            ulong mac = reader.UInt64();
            learned[i] = new LearnedMac(mac >> 48 == 0 ? new MacAddress(mac) : throw Malformed("an address has more than six bytes"), reader.Port(machines));
        }

        var links = new LinkState[reader.Count(reader.UInt32(), smallest: 110)];
        for (int i = 0; i < links.Length; i++)
        {
            links[i] = ReadLink(ref reader, machines);
        }

        var held = new HeldFrameState[reader.Count(reader.UInt32(), smallest: 16)];
        for (int i = 0; i < held.Length; i++)
        {
            held[i] = new HeldFrameState(reader.Port(machines), reader.Port(machines), reader.Time(), reader.Frame());
        }

        var queued = new QueuedFrameState[reader.Count(reader.UInt32(), smallest: 6)];
        for (int i = 0; i < queued.Length; i++)
        {
            queued[i] = new QueuedFrameState(reader.Port(machines), reader.Frame());
        }

        return new SwitchNetworkState(name, machines, learned, links, held, queued);
    }

    private static LinkState ReadLink(ref Reader reader, string[] machines)
    {
        int from = reader.Port(machines);
        int to = reader.Port(machines);
        bool isCut = reader.Flag();
        bool isDown = reader.Flag();
        LinkFault fault;
        try
        {
            fault = new LinkFault
            {
                Down = isDown,
                Delay = new TimeSpan(reader.Time()),
                Jitter = new TimeSpan(reader.Time()),
                Loss = reader.Real(),
                Duplicate = reader.Real(),
                Reorder = reader.Real(),
                Corrupt = reader.Real(),
                BytesPerSecond = reader.Int64() is var rate and not NoRate ? rate : null,
            };
        }
        catch (VirtigoException error) when (error.Kind == FailureKind.Usage)
        {
            throw Malformed(error.Message);
        }

        return new LinkState(from, to, fault, isCut, (reader.UInt64(), reader.UInt64(), reader.UInt64(), reader.UInt64()), reader.Time(), reader.Time());
    }

    private static VirtigoException Malformed(string why) =>
        new(FailureKind.Internal, $"The saved state of the network switch cannot be read: {why}.", "Remove the snapshot; it will be made again.");

    private ref struct Reader(ReadOnlySpan<byte> bytes)
    {
        private ReadOnlySpan<byte> _rest = bytes;

        public readonly bool IsAtEnd => _rest.IsEmpty;

        public ushort UInt16() => BinaryPrimitives.ReadUInt16LittleEndian(Take(sizeof(ushort)));

        public uint UInt32() => BinaryPrimitives.ReadUInt32LittleEndian(Take(sizeof(uint)));

        public ulong UInt64() => BinaryPrimitives.ReadUInt64LittleEndian(Take(sizeof(ulong)));

        public long Int64() => BinaryPrimitives.ReadInt64LittleEndian(Take(sizeof(long)));

        public double Real() => BinaryPrimitives.ReadDoubleLittleEndian(Take(sizeof(double)));

        public bool Flag() => Take(1)[0] != 0;

        /// <summary>A count of things, each of which takes at least so many bytes.</summary>
        public readonly int Count(uint count, int smallest) =>
            (long)count * smallest <= _rest.Length ? (int)count : throw Malformed("it ends too early");

        public long Time() => Int64() is var time && time >= -s_longest && time <= s_longest ? time : throw Malformed("a time is out of range");

        public int Port(string[] machines) => UInt16() is var port && port < machines.Length ? port : throw Malformed("a port does not exist");

        public string Name() => Encoding.UTF8.GetString(Take(Take(1)[0]));

        public byte[] Frame()
        {
            uint length = UInt32();
            return length is >= EthernetFrame.HeaderSize and <= GuestLinkSession.LongestFrame
                ? Take((int)length).ToArray()
                : throw Malformed("a frame has no sensible length");
        }

        private ReadOnlySpan<byte> Take(int count)
        {
            if (count > _rest.Length)
            {
                throw Malformed("it ends too early");
            }

            ReadOnlySpan<byte> taken = _rest[..count];
            _rest = _rest[count..];
            return taken;
        }
    }
}

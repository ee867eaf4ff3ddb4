using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Net.Sockets;
using System.Threading.Channels;
using Virtigo.Networks;
using Xunit;

namespace Virtigo.Tests.Networks;

/// <summary>A guest without a guest: speaks QEMU's frame protocol to a gateway, and enough ARP-less IPv4 to test it.</summary>
internal sealed class TestGuest : IAsyncDisposable
{
    public static readonly MacAddress Mac = new(0x5254_0012_3456);
    public static readonly Ipv4Address Address = Ipv4Address.Of(10, 0, 2, 15);
    public static readonly Ipv4Address Gateway = Ipv4Address.Of(10, 0, 2, 2);
    private readonly Socket _socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
    private readonly Impairment? _impairment;
    private readonly Channel<byte[]> _frames = Channel.CreateUnbounded<byte[]>();
    private readonly ConcurrentDictionary<ushort, TestTcpClient> _clients = [];
    private readonly Lock _sending = new();
    private readonly byte[] _frame = new byte[FrameOutput.PrefixSize + 70000];
    private Task _receiving = Task.CompletedTask;
    private ushort _nextPort = 40000;

    private TestGuest(int mtu, Impairment? impairment) => (Mtu, _impairment) = (mtu, impairment);

    /// <summary>Its own addresses, and the gateway's; tests of one guest behind a gateway leave them as they are.</summary>
    private (MacAddress Mac, Ipv4Address Address, Ipv4Address Gateway) Ends { get; init; } = (Mac, Address, Gateway);

    public int Mtu { get; }

    public static Task<TestGuest> ConnectAsync(string socketPath, int mtu = 1500, Impairment? impairment = null) =>
        ConnectAsync(socketPath, new TestGuest(mtu, impairment));

    public static Task<TestGuest> ConnectAsync(string socketPath, MacAddress mac, Ipv4Address address, Ipv4Address gateway) =>
        ConnectAsync(socketPath, new TestGuest(1500, null) { Ends = (mac, address, gateway) });

    private static async Task<TestGuest> ConnectAsync(string socketPath, TestGuest guest)
    {
        await guest._socket.ConnectAsync(new UnixDomainSocketEndPoint(socketPath));

        // A thread of its own: it sends as it receives, and waits then for a gateway that lives on the thread pool.
        guest._receiving = Task.Factory.StartNew(guest.Receive, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        return guest;
    }

    /// <summary>Bytes as they are, length prefix and all.</summary>
    public void SendRaw(ReadOnlySpan<byte> bytes)
    {
        lock (_sending)
        {
            while (!bytes.IsEmpty)
            {
                bytes = bytes[_socket.Send(bytes)..];
            }
        }
    }

    public void SendFrame(ReadOnlySpan<byte> frame)
    {
        lock (_sending)
        {
            BinaryPrimitives.WriteInt32BigEndian(_frame, frame.Length);
            frame.CopyTo(_frame.AsSpan(FrameOutput.PrefixSize));
            SendRaw(_frame.AsSpan(0, FrameOutput.PrefixSize + frame.Length));
        }
    }

    public void SendIpv4(byte protocol, Ipv4Address destination, ReadOnlySpan<byte> payload, Ipv4Address? source = null)
    {
        var frame = new byte[EthernetFrame.HeaderSize + Ipv4Packet.HeaderSize + payload.Length];
        EthernetFrame.WriteHeader(frame, GatewayLink.MacOf(Ends.Gateway), Ends.Mac, EtherType.Ipv4);
        Span<byte> packet = frame.AsSpan(EthernetFrame.HeaderSize);
        Ipv4Packet.WriteHeader(packet, packet.Length, protocol, source ?? Ends.Address, destination);
        payload.CopyTo(packet[Ipv4Packet.HeaderSize..]);
        if (_impairment is { } impairment)
        {
            impairment.Pass(frame, passed => SendFrame(passed));
        }
        else
        {
            SendFrame(frame);
        }
    }

    public void SendUdp(Ipv4Address destination, ushort sourcePort, ushort destinationPort, ReadOnlySpan<byte> payload, Ipv4Address? source = null)
    {
        var datagram = new byte[UdpDatagram.HeaderSize + payload.Length];
        payload.CopyTo(datagram.AsSpan(UdpDatagram.HeaderSize));
        UdpDatagram.WriteHeader(datagram, source ?? Ends.Address, sourcePort, destination, destinationPort);
        SendIpv4(IpProtocol.Udp, destination, datagram, source);
    }

    public void SendTcp(Ipv4Address destination, in TcpHeader header, ReadOnlySpan<byte> payload)
    {
        var segment = new byte[TcpSegment.HeaderSize + header.OptionsLength + payload.Length];
        if (header.OptionsLength > 0)
        {
            TcpSegment.WriteSynOptions(segment.AsSpan(TcpSegment.HeaderSize), Mtu - 40, 7);
        }

        payload.CopyTo(segment.AsSpan(TcpSegment.HeaderSize + header.OptionsLength));
        TcpSegment.WriteHeader(segment, header, Ends.Address, destination);
        SendIpv4(IpProtocol.Tcp, destination, segment);
    }

    public TestTcpClient CreateClient(Ipv4Address? destination = null, ushort port = 80, int receiveBuffer = 1 << 20)
    {
        ushort localPort = _nextPort++;
        var client = new TestTcpClient(this, destination ?? Ends.Gateway, port, localPort, receiveBuffer);
        _clients[localPort] = client;
        return client;
    }

    public async Task<TestTcpClient> OpenAsync(Ipv4Address? destination = null, ushort port = 80, int receiveBuffer = 1 << 20)
    {
        TestTcpClient client = CreateClient(destination, port, receiveBuffer);
        await client.OpenAsync();
        return client;
    }

    /// <summary>The next frame that belongs to no TCP client.</summary>
    public async Task<byte[]> NextFrameAsync() =>
        await _frames.Reader.ReadAsync().AsTask().WaitAsync(TimeSpan.FromSeconds(5));

    /// <summary>The payload of the next UDP datagram.</summary>
    public async Task<byte[]> NextUdpAsync()
    {
        byte[] bytes = await NextFrameAsync();
        Assert.True(EthernetFrame.TryRead(bytes, out EthernetFrame frame));
        Assert.True(Ipv4Packet.TryRead(frame.Payload, out Ipv4Packet packet));
        Assert.True(UdpDatagram.TryRead(packet, out UdpDatagram datagram));
        return datagram.Payload.ToArray();
    }

    /// <summary>Whether the gateway still answers; an echo request is a barrier behind everything sent before.</summary>
    /// <param name="isNext">Nothing else may come before the answer.</param>
    public async Task<bool> PingAsync(bool isNext = false)
    {
        byte[] echo = [8, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7];
        BinaryPrimitives.WriteUInt16BigEndian(echo.AsSpan(2), InternetChecksum.Of(echo));
        SendIpv4(IpProtocol.Icmp, Ends.Gateway, echo);
        while (true)
        {
            bool isReply = IsEchoReply(await NextFrameAsync(), echo);
            if (isReply || isNext)
            {
                return isReply;
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        _socket.Dispose();
        await _receiving;
        foreach (TestTcpClient client in _clients.Values)
        {
            client.Dispose();
        }
    }

    private static bool IsEchoReply(byte[] bytes, byte[] echo) =>
        EthernetFrame.TryRead(bytes, out EthernetFrame frame) && frame.Type == EtherType.Ipv4
        && Ipv4Packet.TryRead(frame.Payload, out Ipv4Packet packet)
        && packet.Protocol == IpProtocol.Icmp && packet.Payload[0] == 0 && packet.Payload[4..].SequenceEqual(echo.AsSpan(4))
        && InternetChecksum.Of(packet.Payload) == 0;

    private void Receive()
    {
        var buffer = new byte[1 << 19];
        int filled = 0;
        try
        {
            while (true)
            {
                int count = _socket.Receive(buffer.AsSpan(filled));
                if (count == 0)
                {
                    return;
                }

                filled += count;
                int used = 0;
                while (filled - used >= 4 && BinaryPrimitives.ReadInt32BigEndian(buffer.AsSpan(used)) is var length && filled - used - 4 >= length)
                {
                    Deliver(buffer.AsSpan(used + 4, length));
                    used += 4 + length;
                }

                buffer.AsSpan(used, filled - used).CopyTo(buffer);
                filled -= used;
                foreach (TestTcpClient client in _clients.Values)
                {
                    client.EndBatch();
                }
            }
        }
        catch (Exception error) when (error is SocketException or ObjectDisposedException)
        {
        }
        finally
        {
            _frames.Writer.TryComplete();
        }
    }

    private void Deliver(ReadOnlySpan<byte> frame)
    {
        if (_impairment is { } impairment)
        {
            impairment.Pass(frame.ToArray(), passed => Handle(passed));
        }
        else
        {
            Handle(frame);
        }
    }

    private void Handle(ReadOnlySpan<byte> bytes)
    {
        if (EthernetFrame.TryRead(bytes, out EthernetFrame frame) && frame.Type == EtherType.Ipv4
            && Ipv4Packet.TryRead(frame.Payload, out Ipv4Packet packet) && packet.Protocol == IpProtocol.Tcp
            && TcpSegment.TryRead(packet, out TcpSegment segment) && _clients.TryGetValue(segment.DestinationPort, out TestTcpClient? client))
        {
            client.Receive(segment);
        }
        else
        {
            _frames.Writer.TryWrite(bytes.ToArray());
        }
    }
}

/// <summary>A link that loses, doubles and reorders frames, the same way for the same seed.</summary>
internal sealed class Impairment(int seed, double loss, double duplication, double reordering)
{
    private readonly Random _random = new(seed);
    private readonly Lock _lock = new();
    private byte[]? _held;

    public void Pass(byte[] frame, Action<byte[]> pass)
    {
        bool lose, twice, hold;
        byte[]? held;
        lock (_lock)
        {
            lose = _random.NextDouble() < loss;
            twice = _random.NextDouble() < duplication;
            hold = _held is null && _random.NextDouble() < reordering;
            held = hold ? null : _held;
            _held = hold ? frame : null;
        }

        if (!lose && !hold)
        {
            pass(frame);
        }

        if (twice)
        {
            pass(frame);
        }

        if (held is not null)
        {
            pass(held);
        }
    }
}

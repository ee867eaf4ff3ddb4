using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Virtigo.Networks;
using Xunit;

namespace Virtigo.Tests.Networks;

/// <summary>A switch in a folder of its own, and guests without guests on its ports.</summary>
internal sealed class SwitchFixture : IAsyncDisposable
{
    private readonly List<SwitchGuest> _guests = [];
    private string _folder = "";

    private SwitchFixture()
    {
    }

    public required NetworkSwitch Switch { get; init; }

    public required List<Exception> Failures { get; init; }

    public static Ipv4Address Services => Ipv4Address.Of(10, 1, 0, 1);

    /// <summary>Networks by name with their machines; "lan: a b c".</summary>
    public static SwitchFixture Start(Func<SwitchOptions, SwitchOptions>? change, params string[] networks)
    {
        string folder = Path.Combine(Path.GetTempPath(), "vs-" + Guid.NewGuid().ToString("N")[..12]);
        var options = new SwitchOptions
        {
            Networks = [.. networks.Select((text, index) => Network(text, index, folder))],
            Tcp = GatewayFixture.Quick,
        };
        List<Exception> failures = [];
        options = (change?.Invoke(options) ?? options) with { OnFailure = failures.Add };
        return new SwitchFixture { Switch = NetworkSwitch.Start(options), Failures = failures, _folder = folder };
    }

    public static SwitchFixture Start(params string[] networks) => Start(null, networks);

    public static MacAddress MacOf(string machine) => new(0x5254_0000_0000UL | machine[0]);

    public static Ipv4Address AddressOf(string machine, int network = 0) => Ipv4Address.Of(10, (byte)(network + 1), 0, (byte)machine[0]);

    public async Task<SwitchGuest> ConnectAsync(string machine, string network = "lan")
    {
        SwitchPort port = Switch.Options.Networks.Single(candidate => candidate.Name == network).Ports.Single(candidate => candidate.Machine == machine);
        SwitchGuest guest = await SwitchGuest.ConnectAsync(port);
        _guests.Add(guest);
        while (!Switch.IsConnected(machine, network))
        {
            await Task.Yield();
        }

        return guest;
    }

    public async ValueTask DisposeAsync()
    {
        foreach (SwitchGuest guest in _guests)
        {
            await guest.DisposeAsync();
        }

        await Switch.DisposeAsync();
        Assert.Empty(Directory.GetFileSystemEntries(_folder));
        Directory.Delete(_folder);
        Assert.Empty(Failures);
    }

    private static SwitchNetwork Network(string text, int index, string folder)
    {
        string name = text.Split(':')[0];
        return new SwitchNetwork(name, new Ipv4Subnet(Ipv4Address.Of(10, (byte)(index + 1), 0, 0), 24), "fd00:0:0:1::/64", 1500,
            [.. text.Split(':')[1].Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(machine => new SwitchPort(machine, MacOf(machine),
                AddressOf(machine, index), IPAddress.Parse($"fd00:0:0:{index + 1}::{(int)machine[0]:x}"), Path.Combine(folder, $"{name}-{machine}")))])
        {
            Domain = name,
        };
    }
}

/// <summary>A guest without a guest: sends and takes frames in QEMU's framing.</summary>
internal sealed class SwitchGuest : IAsyncDisposable
{
    private readonly byte[] _buffer = new byte[1 << 17];
    private int _filled;

    private SwitchGuest(SwitchPort port) => Port = port;

    public SwitchPort Port { get; }

    public Socket Socket { get; } = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);

    public static async Task<SwitchGuest> ConnectAsync(SwitchPort port)
    {
        var guest = new SwitchGuest(port);
        await guest.Socket.ConnectAsync(new UnixDomainSocketEndPoint(port.SocketPath));
        return guest;
    }

    /// <summary>A frame that says a text.</summary>
    public static byte[] Frame(MacAddress to, MacAddress from, string text, int length = 60)
    {
        var frame = new byte[Math.Max(length, EthernetFrame.HeaderSize + text.Length)];
        EthernetFrame.WriteHeader(frame, to, from, (EtherType)0x88B5);
        Encoding.ASCII.GetBytes(text, frame.AsSpan(EthernetFrame.HeaderSize));
        return frame;
    }

    public static byte[] Framed(ReadOnlySpan<byte> frame)
    {
        var bytes = new byte[FrameOutput.PrefixSize + frame.Length];
        BinaryPrimitives.WriteInt32BigEndian(bytes, frame.Length);
        frame.CopyTo(bytes.AsSpan(FrameOutput.PrefixSize));
        return bytes;
    }

    public static string TextOf(byte[] frame) => Encoding.ASCII.GetString(frame.AsSpan(EthernetFrame.HeaderSize)).TrimEnd('\0');

    /// <summary>Whether bytes are there that <see cref="NextAsync"/> has not returned.</summary>
    public bool HasMore => _filled > 0 || Socket.Available > 0;

    public async Task SendAsync(byte[] frame) => await SendRawAsync(Framed(frame));

    public async Task SendRawAsync(ReadOnlyMemory<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            bytes = bytes[await Socket.SendAsync(bytes).AsTask().WaitAsync(TimeSpan.FromSeconds(10))..];
        }
    }

    public Task SayAsync(string to, string text) => SendAsync(Frame(SwitchFixture.MacOf(to), Port.Mac, text));

    public Task ShoutAsync(string text) => SendAsync(Frame(MacAddress.Broadcast, Port.Mac, text));

    public async Task SendUdpAsync(MacAddress mac, Ipv4Address source, Ipv4Address destination, ushort port, byte[] payload, ushort sourcePort = 4000)
    {
        var frame = new byte[EthernetFrame.HeaderSize + Ipv4Packet.HeaderSize + UdpDatagram.HeaderSize + payload.Length];
        EthernetFrame.WriteHeader(frame, mac, Port.Mac, EtherType.Ipv4);
        Ipv4Packet.WriteHeader(frame.AsSpan(14), frame.Length - 14, IpProtocol.Udp, source, destination);
        payload.CopyTo(frame, 42);
        UdpDatagram.WriteHeader(frame.AsSpan(34), source, sourcePort, destination, port);
        await SendAsync(frame);
    }

    /// <summary>The next frame; an end of the connection is an <see cref="EndOfStreamException"/>.</summary>
    public async Task<byte[]> NextAsync(double seconds = 5)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(seconds));
        while (true)
        {
            if (_filled >= 4 && BinaryPrimitives.ReadInt32BigEndian(_buffer) is var length && _filled >= 4 + length)
            {
                byte[] frame = _buffer[4..(4 + length)];
                _buffer.AsSpan(4 + length, _filled - 4 - length).CopyTo(_buffer);
                _filled -= 4 + length;
                return frame;
            }

            int count = await Socket.ReceiveAsync(_buffer.AsMemory(_filled), limit.Token);
            _filled += count > 0 ? count : throw new EndOfStreamException();
        }
    }

    public async Task<string> HearAsync() => TextOf(await NextAsync());

    /// <summary>The payload of the next UDP datagram.</summary>
    public async Task<byte[]> NextUdpAsync()
    {
        byte[] bytes = await NextAsync();
        Assert.True(EthernetFrame.TryRead(bytes, out EthernetFrame frame));
        Assert.True(Ipv4Packet.TryRead(frame.Payload, out Ipv4Packet packet));
        Assert.True(UdpDatagram.TryRead(packet, out UdpDatagram datagram));
        return datagram.Payload.ToArray();
    }

    public ValueTask DisposeAsync()
    {
        Socket.Dispose();
        return default;
    }
}

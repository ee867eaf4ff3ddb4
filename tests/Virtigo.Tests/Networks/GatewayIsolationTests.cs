using System.Buffers.Binary;
using CsCheck;
using Virtigo.Networks;
using Xunit;

namespace Virtigo.Tests.Networks;

public sealed class GatewayIsolationTests
{
    [Fact]
    public async Task The_gateway_answers_arp_for_itself_and_for_nobody_else()
    {
        await using GuestGateway gateway = GatewayFixture.Echo();
        await using TestGuest guest = await TestGuest.ConnectAsync(gateway.SocketPath);
        guest.SendFrame(Convert.FromHexString("FFFFFFFFFFFF525400123456" + "0806" + "0001080006040001" + "5254001234560A00020F" + "0000000000000A000263"));
        guest.SendFrame(Convert.FromHexString("FFFFFFFFFFFF525400123456" + "0806" + "0001080006040001" + "5254001234560A00020F" + "0000000000000A000202"));
        Assert.Equal("525400123456" + "52550A000202" + "0806" + "0001080006040002" + "52550A0002020A000202" + "5254001234560A00020F",
            Convert.ToHexString(await guest.NextFrameAsync()));
        Assert.Equal([new GatewayRefusal("arp", "10.0.2.99", 0, 1)], gateway.Refusals);
    }

    [Fact]
    public async Task A_guest_that_asks_gets_its_address_by_broadcast_or_directly()
    {
        await using GuestGateway gateway = GatewayFixture.Echo();
        await using TestGuest guest = await TestGuest.ConnectAsync(gateway.SocketPath);
        guest.SendUdp(Ipv4Address.Broadcast, 68, 67, DhcpServerTests.Message(1), Ipv4Address.Any);
        byte[] offer = await guest.NextFrameAsync();
        Assert.Equal("525400123456", Convert.ToHexString(offer.AsSpan(0, 6)));
        Assert.Equal("0A00020F", Convert.ToHexString(offer.AsSpan(30, 4)));
        Assert.Equal(1, gateway.Counters.DhcpAnswers);
    }

    [Fact]
    public async Task Names_of_the_plan_resolve_to_the_gateway_and_others_are_denied_and_recorded()
    {
        await using GuestGateway gateway = GatewayFixture.Echo();
        await using TestGuest guest = await TestGuest.ConnectAsync(gateway.SocketPath);
        guest.SendUdp(TestGuest.Gateway, 5353, 53, DnsResponderTests.Question("mirror.example", 1));
        Assert.Equal("0A000202", Convert.ToHexString((await guest.NextUdpAsync())[^4..]));
        guest.SendUdp(TestGuest.Gateway, 5353, 53, DnsResponderTests.Question("tracker.example", 1));
        Assert.Equal(3, (await guest.NextUdpAsync())[3] & 15);
        Assert.Equal([new GatewayRefusal("dns", "tracker.example", 0, 1)], gateway.Refusals);
    }

    [Fact]
    public async Task Other_protocols_and_addresses_are_refused_with_a_message_and_recorded()
    {
        await using GuestGateway gateway = GatewayFixture.Echo();
        await using TestGuest guest = await TestGuest.ConnectAsync(gateway.SocketPath);
        Ipv4Address other = Ipv4Address.Of(192, 0, 2, 9);
        guest.SendUdp(other, 123, 123, "time?"u8);
        byte[] message = await guest.NextFrameAsync();
        Assert.Equal("030D", Convert.ToHexString(message.AsSpan(34, 2)));
        guest.SendUdp(other, 1000, 53, DnsResponderTests.Question("mirror.example", 1));
        guest.SendIpv4(47, other, "tunnel"u8);
        guest.SendIpv4(IpProtocol.Icmp, other, Convert.FromHexString("0800F7FF00000000"));
        Assert.True(await guest.PingAsync());
        Assert.Equal(
            [
                new GatewayRefusal("icmp", "192.0.2.9", 0, 1), new GatewayRefusal("ip 47", "192.0.2.9", 0, 1),
                new GatewayRefusal("udp", "192.0.2.9", 53, 1), new GatewayRefusal("udp", "192.0.2.9", 123, 1),
            ], gateway.Refusals);
    }

    [Fact]
    public async Task Packets_from_addresses_that_are_not_the_guests_network_are_ignored()
    {
        await using GuestGateway gateway = GatewayFixture.Echo();
        await using TestGuest guest = await TestGuest.ConnectAsync(gateway.SocketPath);
        guest.SendUdp(TestGuest.Gateway, 5353, 53, DnsResponderTests.Question("mirror.example", 1), Ipv4Address.Of(203, 0, 113, 1));
        guest.SendUdp(TestGuest.Gateway, 5353, 53, DnsResponderTests.Question("mirror.example", 1), TestGuest.Gateway);
        Assert.True(await guest.PingAsync());
        Assert.Equal((2, 0), (gateway.Counters.Ignored, gateway.Counters.DnsAnswers));
    }

    [Fact]
    public void The_list_of_refusals_is_bounded()
    {
        int told = 0;
        var log = new RefusalLog(_ => told++);
        for (int i = 0; i < RefusalLog.Limit + 50; i++)
        {
            log.Add("dns", $"{i}.example");
            log.Add("dns", "0.example");
        }

        Assert.Equal(RefusalLog.Limit, log.ToList().Count);
        Assert.Equal(RefusalLog.Limit, told);
        Assert.Equal(50, log.Beyond);
    }

    [Fact]
    public async Task Arbitrary_frames_never_break_the_gateway()
    {
        await using GuestGateway gateway = GatewayFixture.Echo();
        await using TestGuest guest = await TestGuest.ConnectAsync(gateway.SocketPath, impairment: null);
        TestTcpClient client = await guest.OpenAsync();
        Gen.Byte.Array[0, 200].Sample(frame => guest.SendFrame(frame), iter: 500, threads: 1);
        Gen.Select(Gen.OneOf(Gen.Const((byte)1), Gen.Const((byte)2), Gen.Const((byte)6), Gen.Const((byte)17)), Gen.Byte.Array[0, 120]).Sample((protocol, payload) =>
            guest.SendIpv4(protocol, TestGuest.Gateway, payload), iter: 500, threads: 1);
        Gen.Select(Gen.UInt, Gen.UInt, Gen.Byte, Gen.UShort, Gen.Byte.Array[0, 60]).Sample((sequence, acknowledgment, flags, window, payload) =>
            guest.SendTcp(TestGuest.Gateway, new TcpHeader(client.LocalPort, 80, sequence, acknowledgment, (TcpFlags)flags, window), payload), iter: 500, threads: 1);
        Gen.Select(Gen.Byte.Array[0, 300], Gen.OneOf(Gen.Const((ushort)53), Gen.Const((ushort)67))).Sample((payload, port) =>
            guest.SendUdp(TestGuest.Gateway, 1234, port, payload), iter: 300, threads: 1);
        Assert.True(await guest.PingAsync());
        Assert.Equal(0, gateway.Counters.Failures);
    }

    [Fact]
    public async Task Arbitrary_segments_of_the_right_connection_never_break_it_or_the_gateway()
    {
        await using GuestGateway gateway = GatewayFixture.Echo();
        await using TestGuest guest = await TestGuest.ConnectAsync(gateway.SocketPath);
        await Gen.Select(Gen.Int[-3000, 3000], Gen.Int[-3000, 3000], Gen.Byte, Gen.UShort, Gen.Byte.Array[0, 200]).Array[1, 30].SampleAsync(async segments =>
        {
            TestTcpClient client = await guest.OpenAsync();
            foreach ((int sequence, int acknowledgment, byte flags, ushort window, byte[] payload) in segments)
            {
                guest.SendTcp(TestGuest.Gateway, new TcpHeader(client.LocalPort, 80, (uint)(client.NextSequence + sequence),
                    (uint)(client.NextExpected + acknowledgment), (TcpFlags)flags & ~TcpFlags.Rst, window), payload);
            }

            client.Reset();
            return await guest.PingAsync();
        }, iter: 40, threads: 1);
        Assert.Equal(0, gateway.Counters.Failures);
    }

    [Fact]
    public async Task A_frame_longer_than_any_ends_the_link_and_the_next_guest_is_served()
    {
        await using GuestGateway gateway = GatewayFixture.Echo();
        await using (TestGuest guest = await TestGuest.ConnectAsync(gateway.SocketPath))
        {
            guest.SendRaw([0x7F, 0xFF, 0xFF, 0xFF, 1, 2, 3]);
            await Assert.ThrowsAnyAsync<Exception>(guest.NextFrameAsync);
        }

        await using TestGuest next = await TestGuest.ConnectAsync(gateway.SocketPath);
        Assert.True(await next.PingAsync());
    }

    [Fact]
    public async Task Frames_cut_at_any_place_of_the_stream_are_put_together()
    {
        await using GuestGateway gateway = GatewayFixture.Echo();
        await using TestGuest guest = await TestGuest.ConnectAsync(gateway.SocketPath);
        byte[] request = Convert.FromHexString("FFFFFFFFFFFF525400123456" + "0806" + "0001080006040001" + "5254001234560A00020F" + "0000000000000A000202");
        var bytes = new byte[4 + request.Length];
        BinaryPrimitives.WriteInt32BigEndian(bytes, request.Length);
        request.CopyTo(bytes, 4);
        foreach (byte single in bytes)
        {
            guest.SendRaw([single]);
            await Task.Yield();
        }

        Assert.Equal(42, (await guest.NextFrameAsync()).Length);
    }

    [Fact]
    public async Task The_socket_is_for_its_owner_alone_and_gone_afterwards()
    {
        GuestGatewayOptions options = GatewayFixture.Options();
        string folder = Path.GetDirectoryName(options.SocketPath)!;
        GuestGateway gateway = GatewayFixture.Echo(options);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute, File.GetUnixFileMode(folder));
        await gateway.DisposeAsync();
        Assert.Empty(Directory.GetFileSystemEntries(folder));
        File.SetUnixFileMode(folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.OtherExecute);
        var error = Assert.Throws<VirtigoException>(() => GatewayFixture.Echo(options));
        Assert.Equal((FailureKind.Host, $"chmod 700 '{folder}'"), (error.Kind, error.Hint));
        var tooLong = Assert.Throws<VirtigoException>(() => GatewayFixture.Echo(options with { SocketPath = folder + new string('x', 100) }));
        Assert.Contains("at most 107", tooLong.Message, StringComparison.Ordinal);
    }
}

using System.Buffers.Binary;
using System.Net;
using System.Text;
using Virtigo.Networks;
using Xunit;

namespace Virtigo.Tests.Networks;

public sealed class SwitchServicesTests
{
    private static readonly MacAddress s_services = GatewayLink.MacOf(SwitchFixture.Services);

    [Fact]
    public async Task Each_machine_is_offered_its_own_address_and_no_router()
    {
        await using SwitchFixture lan = SwitchFixture.Start("lan: a b");
        foreach (string machine in (string[])["a", "b"])
        {
            SwitchGuest guest = await lan.ConnectAsync(machine);
            byte[] discover = DhcpServerTests.Message(1, mac: $"{guest.Port.Mac.Value:X12}");
            await guest.SendUdpAsync(MacAddress.Broadcast, Ipv4Address.Any, Ipv4Address.Broadcast, 67, discover, 68);
            string offer = Convert.ToHexString(await guest.NextUdpAsync());
            Assert.Equal($"0A0100{(int)machine[0]:X2}", offer[32..40]);
            string options = offer[480..];
            Assert.Contains("06040A010001", options, StringComparison.Ordinal);
            Assert.Contains("1A0205DC", options, StringComparison.Ordinal);
            Assert.Contains("0F03" + Convert.ToHexString("lan"u8), options, StringComparison.Ordinal);
            Assert.DoesNotContain("03040A010001", options, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task A_network_card_that_is_no_machines_gets_no_address()
    {
        await using SwitchFixture lan = SwitchFixture.Start("lan: a");
        SwitchGuest a = await lan.ConnectAsync("a");
        await a.SendUdpAsync(MacAddress.Broadcast, Ipv4Address.Any, Ipv4Address.Broadcast, 67, DhcpServerTests.Message(1, mac: "525400ABCDEF"), 68);
        Assert.Equal(3, await ResponseCode(a, "nobody"));
        Assert.Equal(0, lan.Switch.ServicesOf("lan").DhcpAnswers);
    }

    [Fact]
    public async Task Names_of_machines_on_the_network_resolve_and_all_others_are_denied_and_recorded()
    {
        await using SwitchFixture both = SwitchFixture.Start("lan: a b", "dmz: a c");
        SwitchGuest a = await both.ConnectAsync("a");
        Assert.Equal(SwitchFixture.AddressOf("b"), Ipv4Address.Read((await AskAsync(a, "b", 1)).AsSpan()[^4..]));
        Assert.Equal(SwitchFixture.AddressOf("b"), Ipv4Address.Read((await AskAsync(a, "B.lan", 1)).AsSpan()[^4..]));
        Assert.Equal(IPAddress.Parse("fd00:0:0:1::62"), new IPAddress((await AskAsync(a, "b.lan", 28)).AsSpan()[^16..]));
        Assert.Equal(0, await ResponseCode(a, "b", type: 15));
        Assert.Equal("016200", Convert.ToHexString((await AskAsync(a, "98.0.1.10.in-addr.arpa", 12)).AsSpan()[^3..]));
        Assert.Equal("016200", Convert.ToHexString((await AskAsync(a, "2.6.0.0" + string.Concat(Enumerable.Repeat(".0", 11)) + ".0.1.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa", 12)).AsSpan()[^3..]));
        foreach (string name in (string[])["c", "c.dmz", "b.dmz", "example.org"])
        {
            Assert.Equal(3, await ResponseCode(a, name));
        }

        Assert.Equal(["b.dmz", "c", "c.dmz", "example.org"], both.Switch.RefusalsOf("lan").Select(refusal => refusal.Target));
        Assert.Empty(both.Switch.RefusalsOf("dmz"));
    }

    [Fact]
    public async Task Whatever_is_not_dhcp_dns_or_arp_is_refused_with_a_message_and_recorded()
    {
        await using SwitchFixture lan = SwitchFixture.Start("lan: a b");
        SwitchGuest a = await lan.ConnectAsync("a");
        SwitchGuest b = await lan.ConnectAsync("b");
        await a.SendUdpAsync(s_services, a.Port.Address, Ipv4Address.Of(192, 0, 2, 1), 123, "time"u8.ToArray());
        Assert.Equal("030D", Convert.ToHexString((await a.NextAsync()).AsSpan(34, 2)));
        await a.SendAsync(Arp(a, SwitchFixture.AddressOf("b")));
        await a.SendAsync(Arp(a, Ipv4Address.Of(192, 0, 2, 7)));
        await a.SendAsync(Arp(a, SwitchFixture.Services));
        byte[] reply = await a.NextAsync();
        Assert.Equal(s_services, MacAddress.Read(reply.AsSpan(22)));
        Assert.Equal([("arp", "192.0.2.7"), ("udp", "192.0.2.1")], lan.Switch.Refusals.Select(refusal => (refusal.Protocol, refusal.Target)));
        Assert.Equal(0x0806, BinaryPrimitives.ReadUInt16BigEndian((await b.NextAsync()).AsSpan(12)));
    }

    [Fact]
    public async Task Faults_of_links_leave_the_services_alone()
    {
        await using SwitchFixture lan = SwitchFixture.Start("lan: a b");
        lan.Switch.SetFault(new LinkSelector(), new LinkFault { Down = true });
        SwitchGuest a = await lan.ConnectAsync("a");
        Assert.Equal(0, await ResponseCode(a, "b"));
    }

    [Fact]
    public async Task Names_of_an_egress_lead_to_the_program_and_connections_of_two_guests_are_kept_apart()
    {
        var egress = new SwitchEgress(["mirror.example"], async (connection, token) =>
        {
            var buffer = new byte[100];
            int count = await connection.Stream.ReadAsync(buffer, token);
            await connection.Stream.WriteAsync(Encoding.ASCII.GetBytes($"{connection.Guest.Address} {connection.Local.Port} {Encoding.ASCII.GetString(buffer, 0, count)}"), token);
        });
        await using SwitchFixture lan = SwitchFixture.Start(options => options with { Networks = [options.Networks[0] with { Egress = egress }] }, "lan: a b");
        SwitchPort[] ports = [.. lan.Switch.Options.Networks[0].Ports];
        foreach (SwitchPort port in ports)
        {
            await using TestGuest guest = await TestGuest.ConnectAsync(port.SocketPath, port.Mac, port.Address, SwitchFixture.Services);
            guest.SendUdp(SwitchFixture.Services, 5353, 53, DnsResponderTests.Question("mirror.example", 1));
            Assert.Equal("0A010001", Convert.ToHexString((await guest.NextUdpAsync())[^4..]));
            TestTcpClient client = await guest.OpenAsync(SwitchFixture.Services);
            client.Write("hello"u8);
            Assert.Equal($"{port.Address} 80 hello", Encoding.ASCII.GetString(await client.ReadToEndAsync()));
            TestTcpClient refused = guest.CreateClient(SwitchFixture.Services, port: 22);
            await Assert.ThrowsAsync<IOException>(refused.OpenAsync);
        }

        Assert.Equal(2, lan.Switch.ServicesOf("lan").Connections);
        Assert.Equal([new GatewayRefusal("tcp", "10.1.0.1", 22, 2)], lan.Switch.Refusals);
    }

    [Fact]
    public async Task A_power_cut_ends_the_connections_of_that_guest_and_of_no_other()
    {
        var ended = new TaskCompletionSource();
        var egress = new SwitchEgress(["mirror.example"], async (connection, token) =>
        {
            try
            {
                await connection.Stream.CopyToAsync(connection.Stream, token);
            }
            catch (IOException)
            {
                ended.TrySetResult();
                throw;
            }
        });
        await using SwitchFixture lan = SwitchFixture.Start(options => options with { Networks = [options.Networks[0] with { Egress = egress }] }, "lan: a b");
        SwitchPort a = lan.Switch.Options.Networks[0].Ports[0];
        SwitchPort b = lan.Switch.Options.Networks[0].Ports[1];
        TestGuest cut = await TestGuest.ConnectAsync(a.SocketPath, a.Mac, a.Address, SwitchFixture.Services);
        await using TestGuest stays = await TestGuest.ConnectAsync(b.SocketPath, b.Mac, b.Address, SwitchFixture.Services);
        TestTcpClient first = await cut.OpenAsync(SwitchFixture.Services);
        TestTcpClient second = await stays.OpenAsync(SwitchFixture.Services);
        first.Write("never read"u8);
        await cut.DisposeAsync();
        await ended.Task.WaitAsync(TimeSpan.FromSeconds(5), TestContext.Current.CancellationToken);
        second.Write("still here"u8, thenFin: true);
        Assert.Equal("still here", Encoding.ASCII.GetString(await second.ReadToEndAsync()));
    }

    [Fact]
    public async Task What_services_send_to_an_address_that_was_forgotten_reaches_nobody_else()
    {
        var forgotten = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var egress = new SwitchEgress(["mirror.example"], async (connection, token) =>
        {
            await forgotten.Task.WaitAsync(token);
            await connection.Stream.WriteAsync("for one alone"u8.ToArray(), token);
            await connection.Stream.ReadExactlyAsync(new byte[1], token);
        });
        await using SwitchFixture lan = SwitchFixture.Start(
            options => options with { CheckSources = false, Networks = [options.Networks[0] with { Egress = egress }] }, "lan: a b");
        SwitchPort a = lan.Switch.Options.Networks[0].Ports[0];
        SwitchPort b = lan.Switch.Options.Networks[0].Ports[1];
        await using TestGuest asks = await TestGuest.ConnectAsync(a.SocketPath, a.Mac, a.Address, SwitchFixture.Services);
        await using TestGuest listens = await TestGuest.ConnectAsync(b.SocketPath, b.Mac, b.Address, SwitchFixture.Services);
        Assert.True(await listens.PingAsync());
        TestTcpClient client = await asks.OpenAsync(SwitchFixture.Services);
        var frame = new byte[60];
        for (ulong other = 1; other <= MacTable.LimitPerPort; other++)
        {
            EthernetFrame.WriteHeader(frame, new MacAddress(0x5254_00FF_FFFE), new MacAddress(0x5254_00AA_0000 + other), (EtherType)0x88B5);
            asks.SendFrame(frame);
        }

        for (int seen = 0; seen < MacTable.LimitPerPort; seen++)
        {
            await listens.NextFrameAsync();
        }

        forgotten.SetResult();
        for (int ping = 0; ping < 20; ping++)
        {
            Assert.True(await listens.PingAsync(isNext: true));
        }

        client.Write("."u8);
        Assert.Equal("for one alone", Encoding.ASCII.GetString(await client.ReadToEndAsync()));
    }

    [Fact]
    public void Settings_that_cannot_work_are_refused_by_name()
    {
        static void Refused(string part, Func<SwitchOptions, SwitchOptions> change)
        {
            VirtigoException error = Assert.Throws<VirtigoException>(() => SwitchFixture.Start(change, "lan: a b"));
            Assert.Equal(FailureKind.Usage, error.Kind);
            Assert.Contains(part, error.Message, StringComparison.Ordinal);
        }

        static SwitchOptions With(SwitchOptions options, Func<SwitchNetwork, SwitchNetwork> change) => options with { Networks = [change(options.Networks[0])] };
        Refused("'lan' is there twice", options => options with { Networks = [options.Networks[0], options.Networks[0]] });
        Refused("MTU 100", options => With(options, network => network with { Mtu = 100 }));
        Refused("'a' is there twice", options => With(options, network => network with { Ports = [network.Ports[0], network.Ports[0]] }));
        Refused("10.1.0.1", options => With(options, network => network with { Ports = [network.Ports[0] with { Address = SwitchFixture.Services }] }));
    }

    private static byte[] Arp(SwitchGuest guest, Ipv4Address target) => Convert.FromHexString($"FFFFFFFFFFFF{guest.Port.Mac.Value:X12}0806"
        + $"0001080006040001{guest.Port.Mac.Value:X12}{guest.Port.Address.Value:X8}000000000000{target.Value:X8}");

    private static async Task<byte[]> AskAsync(SwitchGuest guest, string name, ushort type)
    {
        await guest.SendUdpAsync(s_services, guest.Port.Address, SwitchFixture.Services, 53, DnsResponderTests.Question(name, type));
        return await guest.NextUdpAsync();
    }

    private static async Task<int> ResponseCode(SwitchGuest guest, string name, ushort type = 1) => (await AskAsync(guest, name, type))[3] & 15;
}

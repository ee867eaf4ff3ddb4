using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Virtigo.Networks;
using Xunit;

namespace Virtigo.Tests.Networks;

/// <summary>Guests on a switch, and hosts outside of it: real listeners that a made-up name server and a made-up way lead to.</summary>
public sealed class OutwardRelayTests
{
    private static readonly Ipv4Address s_api = Ipv4Address.Of(198, 18, 0, 1);
    private static readonly Ipv4Address s_all = Ipv4Address.Of(198, 18, 0, 2);
    private static readonly Ipv4Address s_plain = Ipv4Address.Of(203, 0, 113, 9);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_listed_name_leads_to_its_host_and_bytes_pass_both_ways_to_both_ends()
    {
        await using var world = new World();
        TestTcpClient client = await world.OpenAsync(await world.ResolveAsync("API.example.org"), 443);
        byte[] bytes = GatewayFixture.Bytes(300_000);
        byte[] hello = SpokenNameTests.Hello("api.example.org");
        client.Write([.. hello, .. bytes]);
        using Socket server = await world.AcceptAsync();
        byte[] received = new byte[hello.Length + bytes.Length];
        await using var stream = new NetworkStream(server);
        await stream.ReadExactlyAsync(received, Token);
        Assert.Equal(bytes, received[hello.Length..]);
        await stream.WriteAsync(bytes, Token);
        server.Shutdown(SocketShutdown.Send);
        Assert.Equal(bytes, await client.ReadToEndAsync());

        // Half closed: what the guest still says arrives, and then its end.
        client.Write("late"u8, thenFin: true);
        Assert.Equal("late", await new StreamReader(stream).ReadToEndAsync(Token));
        Assert.Equal(["api.example.org"], world.Resolved);
        Assert.Equal(["203.0.113.1:443"], world.Dialled);
        Assert.Empty(world.Refusals.ToList());
    }

    [Fact]
    public async Task A_server_that_speaks_first_is_heard()
    {
        await using var world = new World();
        TestTcpClient client = await world.OpenAsync(s_api, 22);
        using Socket server = await world.AcceptAsync();
        await server.SendAsync("SSH-2.0-server\r\n"u8.ToArray(), Token);
        Assert.Equal("SSH-2.0-server\r\n", Encoding.ASCII.GetString(await client.ReadAsync(16)));
        client.Write("SSH-2.0-client\r\n"u8);
        byte[] answer = new byte[16];
        await new NetworkStream(server).ReadExactlyAsync(answer, Token);
        Assert.Equal("SSH-2.0-client\r\n", Encoding.ASCII.GetString(answer));
    }

    [Fact]
    public async Task Names_below_a_star_lead_to_the_host_that_the_guest_names_by_tls_or_http()
    {
        await using var world = new World();
        Assert.Equal(s_all, await world.ResolveAsync("deep.one.example.com"));
        foreach (byte[] first in (byte[][])[SpokenNameTests.Hello("one.example.com"), "GET / HTTP/1.1\r\nHost: one.example.com\r\n\r\n"u8.ToArray()])
        {
            TestTcpClient client = await world.OpenAsync(s_all, 8443);
            client.Write(first);
            using Socket server = await world.AcceptAsync();
            byte[] received = new byte[first.Length];
            await new NetworkStream(server).ReadExactlyAsync(received, Token);
            Assert.Equal(first, received);
        }

        Assert.Equal(["one.example.com", "one.example.com"], world.Resolved);
        Assert.Equal(["203.0.113.1:8443", "203.0.113.1:8443"], world.Dialled);
    }

    [Theory]
    [InlineData("GET / HTTP/1.1\r\nHost: other.example\r\n\r\n", "asks for other.example, which is not listed")]
    [InlineData("GET / HTTP/1.1\r\nHost: example.com\r\n\r\n", "asks for example.com, which is not listed")]
    [InlineData("GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", "malformed")]
    [InlineData("GET / HTTP/1.0\r\n\r\n", "does not say which host")]
    [InlineData("SSH-2.0-client\r\n", "does not say which host")]
    [InlineData("GET / HTTP/1.1\r\nHost: elsewhere.example.com\r\n\r\n", "reached at its own address only")]
    [InlineData("GET / HT", "does not go on")]
    [InlineData("", "does not go on")]
    public async Task At_the_address_of_many_a_guest_that_names_none_of_them_is_refused_before_anything_is_dialled(string first, string why)
    {
        await using var world = new World { NameLimit = TimeSpan.FromMilliseconds(200) };
        TestTcpClient client = await world.OpenAsync(s_all, 8443);
        client.Write(Encoding.ASCII.GetBytes(first));
        await client.WaitAsync(() => client.WasReset);
        Assert.Contains(why, Assert.Single(world.Refusals.ToList()).Reason, StringComparison.Ordinal);
        Assert.Empty(world.Resolved);
        Assert.Empty(world.Dialled);
    }

    [Theory]
    [InlineData("GET / HTTP/1.1\r\nHost: other.example\r\n\r\n", "asks for other.example")]
    [InlineData("CONNECT other.example:443 HTTP/1.1\r\nHost: other.example:443\r\n\r\n", "asks for other.example")]
    [InlineData("GET / HTTP/1.1\r\nHost: api.example.org\r\nHost: other.example\r\n\r\n", "malformed")]
    public async Task At_the_address_of_one_host_no_other_is_asked_for(string first, string why)
    {
        await using var world = new World();
        TestTcpClient client = await world.OpenAsync(s_api, 443);
        client.Write(Encoding.ASCII.GetBytes(first));
        await client.WaitAsync(() => client.WasReset);
        using Socket server = await world.AcceptAsync();
        await Assert.ThrowsAsync<SocketException>(async () => await server.ReceiveAsync(new byte[1], Token));
        GatewayRefusal refusal = Assert.Single(world.Refusals.ToList());
        Assert.Contains(why, refusal.Reason, StringComparison.Ordinal);
        Assert.Equal(("api.example.org", 443), (refusal.Target, refusal.Port));
    }

    [Fact]
    public async Task A_hello_for_another_server_never_comes_to_its_end_in_however_many_pieces_it_comes()
    {
        await using var world = new World();
        TestTcpClient client = await world.OpenAsync(s_api, 443);
        byte[] hello = SpokenNameTests.Hello("other.example");
        client.Write(hello.AsSpan(0, 40));
        using Socket server = await world.AcceptAsync();
        var buffer = new byte[hello.Length];
        await new NetworkStream(server).ReadExactlyAsync(buffer.AsMemory(0, 40), Token);
        client.Write(hello.AsSpan(40));
        await client.WaitAsync(() => client.WasReset);
        int more = 0;
        await Assert.ThrowsAsync<SocketException>(async () =>
        {
            for (int count; (count = await server.ReceiveAsync(buffer, Token)) > 0;)
            {
                more += count;
            }
        });
        Assert.InRange(more, 0, hello.Length - 41);
        Assert.Equal("asks for other.example", Assert.Single(world.Refusals.ToList()).Reason);
    }

    [Fact]
    public async Task An_address_that_is_listed_leads_there_whatever_name_is_said()
    {
        await using var world = new World();
        TestTcpClient client = await world.OpenAsync(s_plain, 5432);
        client.Write("GET / HTTP/1.1\r\nHost: any.example\r\n\r\n"u8);
        using Socket server = await world.AcceptAsync();
        Assert.Equal(3, await server.ReceiveAsync(new byte[3], Token));
        Assert.Equal(["203.0.113.9:5432"], world.Dialled);
        Assert.Empty(world.Resolved);
    }

    [Fact]
    public async Task Other_ports_other_addresses_and_other_protocols_stay_closed()
    {
        await using var world = new World();
        TestGuest guest = await world.GuestAsync();
        foreach ((Ipv4Address address, ushort port) in ((Ipv4Address, ushort)[])[(s_api, 80), (s_all, 443), (Ipv4Address.Of(198, 18, 0, 3), 443),
            (Ipv4Address.Of(203, 0, 113, 1), 443), (SwitchFixture.Services, 443), (Ipv4Address.Of(127, 0, 0, 1), 443)])
        {
            await Assert.ThrowsAsync<IOException>(guest.CreateClient(address, port).OpenAsync);
        }

        guest.SendUdp(s_api, 5000, 443, "quic"u8);
        Assert.Equal("030D", Convert.ToHexString((await guest.NextFrameAsync()).AsSpan(34, 2)));
        byte[] echo = [8, 0, 0xF7, 0xFF, 0, 0, 0, 0];
        guest.SendIpv4(IpProtocol.Icmp, s_api, echo);
        Assert.Equal("030D", Convert.ToHexString((await guest.NextFrameAsync()).AsSpan(34, 2)));
        Assert.Equal(3, await world.AnswerAsync("other.example"));
        Assert.Equal(3, await world.AnswerAsync("example.com"));
        Assert.Empty(world.Dialled);
    }

    [Fact]
    public async Task A_name_that_leads_to_this_host_is_refused_with_the_reason()
    {
        await using var world = new World { Addresses = _ => [IPAddress.Parse("127.0.0.1")] };
        TestTcpClient client = await world.OpenAsync(s_api, 443);
        await client.WaitAsync(() => client.WasReset);
        Assert.Equal([new GatewayRefusal("tcp", "api.example.org", 443, 1) { Reason = "resolves to 127.0.0.1, a loopback address, which is this host" }], world.Refusals.ToList());
        Assert.Empty(world.Dialled);
    }

    [Fact]
    public async Task A_name_server_that_changes_its_mind_after_the_check_changes_nothing()
    {
        int asked = 0;
        await using var world = new World { Addresses = _ => ++asked == 1 ? [IPAddress.Parse("203.0.113.1")] : [IPAddress.Loopback] };
        await world.OpenAsync(s_api, 443);
        using Socket first = await world.AcceptAsync();
        TestTcpClient second = await world.OpenAsync(s_api, 443);
        await second.WaitAsync(() => second.WasReset);

        // Each connection is one question, and goes where the answer that was checked says.
        Assert.Equal(2, asked);
        Assert.Equal(["203.0.113.1:443"], world.Dialled);
    }

    [Fact]
    public async Task A_reset_of_either_side_reaches_the_other()
    {
        await using var world = new World();
        TestTcpClient client = await world.OpenAsync(s_api, 22);
        using (Socket server = await world.AcceptAsync())
        {
            client.Reset();
            await Assert.ThrowsAsync<SocketException>(async () => await server.ReceiveAsync(new byte[1], Token));
        }

        client = await world.OpenAsync(s_api, 22);
        Socket second = await world.AcceptAsync();
        client.Write("up"u8);
        Assert.Equal(2, await second.ReceiveAsync(new byte[2], Token));
        second.Close(0);
        await client.WaitAsync(() => client.WasReset);
        Assert.Empty(world.Refusals.ToList());
    }

    [Fact]
    public async Task A_connection_that_stands_still_is_ended_and_told()
    {
        await using var world = new World { IdleLimit = TimeSpan.FromMilliseconds(300) };
        TestTcpClient client = await world.OpenAsync(s_api, 22);
        using Socket server = await world.AcceptAsync();
        await client.WaitAsync(() => client.WasReset);
        Assert.Contains("stood still", Assert.Single(world.Refusals.ToList()).Reason, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_end_of_the_switch_ends_every_connection()
    {
        var world = new World();
        await world.OpenAsync(s_api, 22);
        using Socket server = await world.AcceptAsync();
        await world.OpenAsync(s_all, 8443);
        await world.DisposeAsync();
        await Assert.ThrowsAsync<SocketException>(async () => await server.ReceiveAsync(new byte[1], Token));
        Assert.Empty(world.Refusals.ToList());
    }

    [Fact]
    public async Task A_guest_that_does_not_read_makes_the_host_wait_and_nothing_grow()
    {
        await using var world = new World();
        TestTcpClient client = (await world.GuestAsync()).CreateClient(s_api, 22, receiveBuffer: 4096);
        client.Reads = false;
        await client.OpenAsync();
        using Socket server = await world.AcceptAsync();
        server.SendBufferSize = 8192;
        long sent = 0;
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(1));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            while (sent < 64 << 20)
            {
                sent += await server.SendAsync(new byte[65536], limit.Token);
            }
        });
        Assert.InRange(sent, 0, 16 << 20);
    }

    /// <summary>A switch with one machine and three places, and what is outside.</summary>
    private sealed class World : IAsyncDisposable
    {
        private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
        private readonly Lazy<SwitchFixture> _lan;
        private readonly List<TestGuest> _guests = [];

        public World()
        {
            _listener.Start();
            _lan = new Lazy<SwitchFixture>(Start);
        }

        public TimeSpan NameLimit { get; init; } = TimeSpan.FromSeconds(10);

        public TimeSpan IdleLimit { get; init; } = TimeSpan.FromMinutes(1);

        public Func<string, IPAddress[]> Addresses { get; init; } = _ => [IPAddress.Parse("203.0.113.1")];

        public RefusalLog Refusals { get; } = new(null);

        public ConcurrentQueue<string> Resolved { get; } = [];

        public ConcurrentQueue<string> Dialled { get; } = [];

        public async Task<TestGuest> GuestAsync()
        {
            SwitchPort port = _lan.Value.Switch.Options.Networks[0].Ports[0];
            if (_guests.Count == 0)
            {
                _guests.Add(await TestGuest.ConnectAsync(port.SocketPath, port.Mac, port.Address, SwitchFixture.Services));
            }

            return _guests[0];
        }

        public async Task<TestTcpClient> OpenAsync(Ipv4Address address, ushort port) => await (await GuestAsync()).OpenAsync(address, port);

        public async Task<Ipv4Address> ResolveAsync(string name)
        {
            byte[] answer = await AskAsync(name);
            Assert.Equal(0, answer[3] & 15);
            return Ipv4Address.Read(answer.AsSpan()[^4..]);
        }

        public async Task<int> AnswerAsync(string name) => (await AskAsync(name))[3] & 15;

        public Task<Socket> AcceptAsync() => _listener.AcceptSocketAsync(Token).AsTask().WaitAsync(TimeSpan.FromSeconds(10));

        public async ValueTask DisposeAsync()
        {
            foreach (TestGuest guest in _guests)
            {
                await guest.DisposeAsync();
            }

            await _lan.Value.DisposeAsync();
            _listener.Dispose();
        }

        private async Task<byte[]> AskAsync(string name)
        {
            TestGuest guest = await GuestAsync();
            guest.SendUdp(SwitchFixture.Services, 5353, 53, DnsResponderTests.Question(name, 1));
            return await guest.NextUdpAsync();
        }

        private SwitchFixture Start()
        {
            OutwardPlace[] places =
            [
                new(s_api, "api.example.org", new HashSet<int> { 443, 22 }),
                new(s_all, "*.example.com", new HashSet<int> { 8443 }),
                new(s_plain, s_plain.ToString(), new HashSet<int> { 5432 }),
            ];
            var ways = new OutwardWays
            {
                ResolveAsync = (name, _) =>
                {
                    Resolved.Enqueue(name);
                    return Task.FromResult(Addresses(name));
                },
                ConnectAsync = async (to, token) =>
                {
                    Dialled.Enqueue(to.ToString());
                    var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
                    await socket.ConnectAsync(_listener.LocalEndpoint, token);
                    return socket;
                },
            };
            var relay = new OutwardRelay(places, new OutwardDialer(ways, TimeProvider.System), Refusals, TimeProvider.System)
            {
                NameLimit = NameLimit,
                IdleLimit = IdleLimit,
                IsServedElsewhere = (name, _) => name == "elsewhere.example.com",
            };
            var egress = new SwitchEgress([], relay.ServeAsync) { Places = places };
            return SwitchFixture.Start(options => options with { Networks = [options.Networks[0] with { Egress = egress }] }, "lan: a");
        }
    }
}

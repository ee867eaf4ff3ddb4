using CsCheck;
using Virtigo.Networks;
using Xunit;

namespace Virtigo.Tests.Networks;

public sealed class GatewayTcpTests
{
    [Theory]
    [InlineData(576)]
    [InlineData(1500)]
    [InlineData(65520)]
    public async Task Bytes_come_back_as_they_were_sent_across_the_sequence_wrap(int mtu)
    {
        await using GuestGateway gateway = GatewayFixture.Echo(GatewayFixture.Options(mtu));
        await using TestGuest guest = await TestGuest.ConnectAsync(gateway.SocketPath, mtu);
        TestTcpClient client = await guest.OpenAsync();
        byte[] sent = GatewayFixture.Bytes(1_000_000);
        client.Write(sent, thenFin: true);
        Assert.Equal(sent, await client.ReadToEndAsync());
        Assert.Equal(mtu - 40, client.PeerSegmentSize);
        Assert.False(client.WasReset);
    }

    [Fact]
    public async Task Loss_duplication_reordering_and_any_split_still_deliver_the_exact_bytes()
    {
        await Gen.Select(Gen.Int, Gen.Double[0, 0.12], Gen.Double[0, 0.2], Gen.Double[0, 0.3], Gen.Int[1, 40], Gen.Int[1, 3000])
            .SampleAsync(async (seed, loss, duplication, reordering, segments, split) =>
            {
                var random = new Random(seed);
                await using GuestGateway gateway = GatewayFixture.Echo();
                await using TestGuest guest = await TestGuest.ConnectAsync(gateway.SocketPath, 1500, new Impairment(seed, loss, duplication, reordering));
                TestTcpClient client = guest.CreateClient();
                client.SegmentSize = () => random.Next(1, split + 1);
                byte[] sent = GatewayFixture.Bytes(segments * split / 2 + 1, seed);
                client.Write(sent, thenFin: true);
                byte[] received = await client.ReadToEndAsync();
                return received.AsSpan().SequenceEqual(sent) && !client.WasReset;
            }, iter: 20, threads: 1);
    }

    [Fact]
    public async Task A_closed_window_of_the_guest_holds_the_data_back_and_opening_it_lets_everything_through()
    {
        byte[] sent = GatewayFixture.Bytes(300_000);
        await using GuestGateway gateway = GuestGateway.Listen(GatewayFixture.Options(), (connection, token) => connection.Stream.WriteAsync(sent, token).AsTask());
        await using TestGuest guest = await TestGuest.ConnectAsync(gateway.SocketPath);
        TestTcpClient client = guest.CreateClient(receiveBuffer: 20_000);
        client.Reads = false;
        await client.OpenAsync();
        await client.WaitAsync(() => client.BytesReceived >= 18_000);
        await Task.Delay(150, TestContext.Current.CancellationToken);
        Assert.InRange(client.BytesReceived, 18_000, 20_000);
        client.StartReading();
        Assert.Equal(sent, await client.ReadToEndAsync());
    }

    [Fact]
    public async Task A_program_that_does_not_read_closes_the_window_and_no_byte_is_lost_when_it_reads_again()
    {
        var mayRead = new TaskCompletionSource();
        var all = new TaskCompletionSource<byte[]>();
        await using GuestGateway gateway = GuestGateway.Listen(GatewayFixture.Options(), async (connection, token) =>
        {
            await mayRead.Task;
            using var whole = new MemoryStream();
            await connection.Stream.CopyToAsync(whole, token);
            all.SetResult(whole.ToArray());
        });
        await using TestGuest guest = await TestGuest.ConnectAsync(gateway.SocketPath);
        TestTcpClient client = await guest.OpenAsync();
        byte[] sent = GatewayFixture.Bytes(900_000);
        client.Write(sent, thenFin: true);
        await Task.Delay(100, TestContext.Current.CancellationToken);
        Assert.False(all.Task.IsCompleted);
        mayRead.SetResult();
        Assert.Equal(sent, await all.Task.WaitAsync(TimeSpan.FromSeconds(10), TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task A_half_closed_connection_still_answers()
    {
        await using GuestGateway gateway = GuestGateway.Listen(GatewayFixture.Options(), async (connection, token) =>
        {
            connection.CompleteWrites();
            var buffer = new byte[10];
            await connection.Stream.ReadExactlyAsync(buffer, token);
            Assert.Equal(0, await connection.Stream.ReadAsync(buffer, token));
        });
        await using TestGuest guest = await TestGuest.ConnectAsync(gateway.SocketPath);
        TestTcpClient client = await guest.OpenAsync();
        await client.WaitAsync(() => client.SawFin);
        client.Write(new byte[10], thenFin: true);
        Assert.True(await guest.PingAsync());
        Assert.False(client.WasReset);
        Assert.Equal(0, gateway.Counters.Failures);
    }

    [Fact]
    public async Task A_reset_of_the_guest_ends_the_program_with_an_io_error()
    {
        var seen = new TaskCompletionSource<Exception>(TaskCreationOptions.RunContinuationsAsynchronously);
        var started = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using GuestGateway gateway = GuestGateway.Listen(GatewayFixture.Options(), (connection, token) =>
        {
            started.SetResult();
            return ReportAsync(connection, seen, token);
        });
        await using TestGuest guest = await TestGuest.ConnectAsync(gateway.SocketPath);
        TestTcpClient client = await guest.OpenAsync();

        // A connection that is reset before its program runs never gets one.
        await started.Task.WaitAsync(TimeSpan.FromSeconds(20), TestContext.Current.CancellationToken);
        client.Reset();
        Assert.IsType<IOException>(await seen.Task.WaitAsync(TimeSpan.FromSeconds(20), TestContext.Current.CancellationToken));
        Assert.True(await guest.PingAsync());
        Assert.Equal(0, gateway.Counters.Failures);
    }

    [Fact]
    public async Task A_failing_program_resets_its_connection_and_only_that()
    {
        await using GuestGateway gateway = GuestGateway.Listen(GatewayFixture.Options(), (_, _) => throw new InvalidOperationException("broken"));
        await using TestGuest guest = await TestGuest.ConnectAsync(gateway.SocketPath);
        TestTcpClient client = await guest.OpenAsync();
        await client.WaitAsync(() => client.WasReset);
        Assert.True(await guest.PingAsync());
    }

    [Fact]
    public async Task Other_addresses_and_ports_are_refused_at_once_and_recorded()
    {
        await using GuestGateway gateway = GatewayFixture.Echo();
        await using TestGuest guest = await TestGuest.ConnectAsync(gateway.SocketPath);
        await Assert.ThrowsAsync<IOException>(() => guest.OpenAsync(Ipv4Address.Of(192, 0, 2, 7), 80));
        await Assert.ThrowsAsync<IOException>(() => guest.OpenAsync(Ipv4Address.Of(192, 0, 2, 7), 80));
        await Assert.ThrowsAsync<IOException>(() => guest.OpenAsync(TestGuest.Gateway, 22));
        Assert.Equal([new GatewayRefusal("tcp", "10.0.2.2", 22, 1), new GatewayRefusal("tcp", "192.0.2.7", 80, 2)], gateway.Refusals);
        Assert.Equal(0, gateway.Counters.Connections);
    }

    [Fact]
    public async Task Connections_beyond_the_limit_are_refused_and_closed_ones_make_room()
    {
        await using GuestGateway gateway = GatewayFixture.Echo(GatewayFixture.Options() with { MaxConnections = 3 });
        await using TestGuest guest = await TestGuest.ConnectAsync(gateway.SocketPath);
        TestTcpClient first = await guest.OpenAsync();
        await guest.OpenAsync();
        await guest.OpenAsync();
        await Assert.ThrowsAsync<IOException>(() => guest.OpenAsync());
        first.Write([], thenFin: true);
        await first.WaitAsync(() => first.SawFin);
        Assert.True(await guest.PingAsync());
        await guest.OpenAsync();
        Assert.Equal(1, gateway.Counters.ConnectionsOverLimit);
    }

    [Fact]
    public async Task When_the_guest_goes_away_programs_see_an_error_and_the_next_guest_is_served()
    {
        var seen = new TaskCompletionSource<Exception>(TaskCreationOptions.RunContinuationsAsynchronously);
        await using GuestGateway gateway = GuestGateway.Listen(GatewayFixture.Options(), (connection, token) => ReportAsync(connection, seen, token));
        await using (TestGuest guest = await TestGuest.ConnectAsync(gateway.SocketPath))
        {
            await guest.OpenAsync();
        }

        Assert.IsType<IOException>(await seen.Task.WaitAsync(TimeSpan.FromSeconds(20), TestContext.Current.CancellationToken));
        await using TestGuest next = await TestGuest.ConnectAsync(gateway.SocketPath);
        Assert.True(await next.PingAsync());
    }

    [Fact]
    public async Task Much_data_passes_whole_at_the_largest_mtu()
    {
        byte[] sent = GatewayFixture.Bytes(20_000_000);
        await using GuestGateway gateway = GuestGateway.Listen(GatewayFixture.Options(65520) with { Tcp = new TcpTuning() },
            (connection, token) => connection.Stream.WriteAsync(sent, token).AsTask());
        await using TestGuest guest = await TestGuest.ConnectAsync(gateway.SocketPath, 65520);
        TestTcpClient client = await guest.OpenAsync();
        Assert.Equal(sent, await client.ReadToEndAsync());
        Assert.Equal(0, gateway.Counters.Retransmissions);
    }

    private static async Task ReportAsync(GuestConnection connection, TaskCompletionSource<Exception> seen, CancellationToken cancellationToken)
    {
        try
        {
            await connection.Stream.ReadExactlyAsync(new byte[1], cancellationToken);
        }
        catch (IOException error)
        {
            seen.TrySetResult(error);
            throw;
        }
    }
}

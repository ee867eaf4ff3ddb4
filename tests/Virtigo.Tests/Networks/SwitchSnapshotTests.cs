using System.Buffers.Binary;
using CsCheck;
using Virtigo.Networks;
using Xunit;

namespace Virtigo.Tests.Networks;

public sealed class SwitchSnapshotTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task What_is_in_flight_at_a_snapshot_arrives_first_in_the_copy_and_in_the_original()
    {
        await using SwitchFixture lan = SwitchFixture.Start("lan: a b");
        SwitchGuest a = await lan.ConnectAsync("a");
        SwitchGuest b = await lan.ConnectAsync("b");
        lan.Switch.SetFault(new LinkSelector("b", "a"), new LinkFault { Delay = TimeSpan.FromMilliseconds(500) });
        await a.SayAsync("b", "before");
        await b.SayAsync("a", "delayed");
        Assert.Equal("before", await b.HearAsync());
        Assert.True(await lan.Switch.FreezeAsync(Token));
        await a.SayAsync("b", "one");
        await a.SayAsync("b", "two");
        byte[] bytes = (await lan.Switch.CollectAsync(Token)).ToBytes();
        lan.Switch.Thaw();
        await a.SayAsync("b", "after");
        Assert.Equal(["one", "two", "after"], [await b.HearAsync(), await b.HearAsync(), await b.HearAsync()]);
        Assert.Equal("delayed", await a.HearAsync());

        SwitchState state = SwitchState.Read(bytes);
        Assert.Equal(3, state.Frames);
        await using SwitchFixture copy = SwitchFixture.Start(options => options with { Restore = state, StartFrozen = true }, "lan: a b");
        SwitchGuest copyOfA = await copy.ConnectAsync("a");
        SwitchGuest copyOfB = await copy.ConnectAsync("b");
        await copyOfA.SayAsync("b", "new");
        await Task.Delay(50, Token);
        Assert.Equal(0, copyOfA.Socket.Available + copyOfB.Socket.Available);
        copy.Switch.Thaw();
        Assert.Equal(["one", "two", "new"], [await copyOfB.HearAsync(), await copyOfB.HearAsync(), await copyOfB.HearAsync()]);
        Assert.Equal("delayed", await copyOfA.HearAsync());
        Assert.Single(state.Networks[0].Links);
        await copyOfA.SayAsync("b", "learned before");
        Assert.Equal("learned before", await copyOfB.HearAsync());
    }

    [Fact]
    public async Task Freezing_waits_until_guests_have_taken_what_was_written_and_says_when_one_does_not()
    {
        await using SwitchFixture lan = SwitchFixture.Start(options => options with { FreezeLimit = TimeSpan.FromMilliseconds(100) }, "lan: a b");
        SwitchGuest a = await lan.ConnectAsync("a");
        SwitchGuest b = await lan.ConnectAsync("b");
        await a.ShoutAsync("taken late");
        while (b.Socket.Available == 0)
        {
            await Task.Yield();
        }

        Assert.False(await lan.Switch.FreezeAsync(Token));
        Task<bool> freezing = lan.Switch.FreezeAsync(Token);
        Assert.Equal("taken late", await b.HearAsync());
        Assert.True(await freezing);
        lan.Switch.Thaw();
    }

    [Fact]
    public async Task A_frame_that_a_guest_has_half_of_is_completed_before_a_snapshot()
    {
        await using SwitchFixture lan = SwitchFixture.Start("lan: a b");
        SwitchGuest a = await lan.ConnectAsync("a");
        SwitchGuest b = await lan.ConnectAsync("b");
        await b.ShoutAsync("hello");
        Assert.Equal("hello", await a.HearAsync());
        byte[] burst = [.. Enumerable.Repeat(SwitchGuest.Framed(SwitchGuest.Frame(b.Port.Mac, a.Port.Mac, "long", 1500)), 2000).SelectMany(frame => frame)];
        await a.SendRawAsync(burst);
        while (lan.Switch.CountersOf("a", "lan").FramesReceived < 2000)
        {
            await Task.Yield();
        }

        Task<bool> freezing = lan.Switch.FreezeAsync(Token);
        int whole = 0;
        while (!freezing.IsCompleted || b.HasMore)
        {
            if (b.HasMore)
            {
                Assert.Equal(1500, (await b.NextAsync()).Length);
                whole++;
            }

            await Task.Yield();
        }

        Assert.True(await freezing);
        SwitchState state = await lan.Switch.CollectAsync(Token);
        Assert.Equal(2000, whole + state.Networks[0].Queued.Count);
        Assert.All(state.Networks[0].Queued, frame => Assert.Equal(1500, frame.Frame.Length));
        lan.Switch.Thaw();
        for (; whole < 2000; whole++)
        {
            Assert.Equal(1500, (await b.NextAsync()).Length);
        }
    }

    [Fact]
    public async Task Chances_and_rates_go_on_in_the_copy_where_they_were()
    {
        static async Task<List<string>> HearAllAsync(SwitchFixture lan, SwitchGuest a, SwitchGuest b, int from)
        {
            for (int i = from; i < from + 60; i++)
            {
                await a.SayAsync("b", $"{i}");
            }

            while (lan.Switch.CountersOf("a", "lan") is var counters && counters.FramesReceived < 60)
            {
                await Task.Yield();
            }

            lan.Switch.ClearFaults();
            await a.SayAsync("b", "end");
            List<string> heard = [];
            while (heard.LastOrDefault() != "end")
            {
                heard.Add(await b.HearAsync());
            }

            return heard;
        }

        await using SwitchFixture lan = SwitchFixture.Start("lan: a b");
        lan.Switch.SetFault(new LinkSelector("a"), new LinkFault { Loss = 0.5 });
        SwitchGuest a = await lan.ConnectAsync("a");
        SwitchGuest b = await lan.ConnectAsync("b");
        await lan.Switch.FreezeAsync(Token);
        SwitchState state = await lan.Switch.CollectAsync(Token);
        lan.Switch.Thaw();
        List<string> heard = await HearAllAsync(lan, a, b, 0);
        await using SwitchFixture copy = SwitchFixture.Start(options => options with { Restore = state, Seed = 99 }, "lan: a b");
        Assert.Equal(heard, await HearAllAsync(copy, await copy.ConnectAsync("a"), await copy.ConnectAsync("b"), 0));

        // A fork with a seed of its own draws from that, whatever was drawn before the snapshot.
        List<List<string>> forks = [];
        foreach (ulong seed in (ulong[])[99, 99, 100])
        {
            await using SwitchFixture fork = SwitchFixture.Start(options => options with { Restore = state, Seed = seed, DrawAnew = true }, "lan: a b");
            forks.Add(await HearAllAsync(fork, await fork.ConnectAsync("a"), await fork.ConnectAsync("b"), 0));
        }

        Assert.Equal(forks[0], forks[1]);
        Assert.NotEqual(forks[0], forks[2]);
        Assert.NotEqual(forks[0], heard);
    }

    [Fact]
    public async Task A_switch_must_be_frozen_to_be_collected_and_a_state_fits_its_own_networks_only()
    {
        await using SwitchFixture lan = SwitchFixture.Start("lan: a b");
        await Assert.ThrowsAsync<InvalidOperationException>(() => lan.Switch.CollectAsync(Token));
        await lan.Switch.FreezeAsync(Token);
        SwitchState state = await lan.Switch.CollectAsync(Token);
        foreach (string networks in (string[])["lan: a c", "dmz: a b", "lan: a b c"])
        {
            VirtigoException error = Assert.Throws<VirtigoException>(() => SwitchFixture.Start(options => options with { Restore = state }, networks));
            Assert.Equal(FailureKind.Internal, error.Kind);
        }
    }

    [Fact]
    public void Any_state_is_the_same_after_writing_and_reading() => Gen.Select(s_network, s_network).Sample((a, b) =>
    {
        var state = new SwitchState([a, b]);
        byte[] bytes = state.ToBytes();
        Assert.Equal(bytes, SwitchState.Read(bytes).ToBytes());
        Assert.Equal(state.Networks[0].Links, SwitchState.Read(bytes).Networks[0].Links);
        Assert.Equal(state.Frames, SwitchState.Read(bytes).Frames);
    }, iter: 200);

    [Fact]
    public void Bytes_that_are_no_state_are_refused_with_a_reason_and_nothing_else()
    {
        static bool IsRefusedOrRead(byte[] bytes)
        {
            try
            {
                SwitchState.Read(bytes);
                return true;
            }
            catch (VirtigoException error)
            {
                return error.Kind == FailureKind.Internal;
            }
        }

        Gen.Byte.Array[0, 300].Sample(noise => IsRefusedOrRead(noise), iter: 500);
        Gen.Select(s_network, Gen.Int[0, 100_000], Gen.Byte, Gen.Int[0, 100_000]).Sample((network, at, value, length) =>
        {
            byte[] bytes = new SwitchState([network]).ToBytes();
            bytes[at % bytes.Length] = value;
            return IsRefusedOrRead(bytes) && IsRefusedOrRead(bytes[..(length % bytes.Length)]);
        }, iter: 2000);
        var huge = new byte[40];
        BinaryPrimitives.WriteUInt32LittleEndian(huge, 0x57534756);
        huge[4] = 1;
        huge.AsSpan(6).Fill(0xFF);
        Assert.Contains("ends too early", Assert.Throws<VirtigoException>(() => SwitchState.Read(huge)).Message, StringComparison.Ordinal);
    }

    private static readonly Gen<long> s_time = Gen.Long[0, TimeSpan.TicksPerMinute];

    private static readonly Gen<byte[]> s_frame = Gen.Byte.Array[14, 200];

    private static readonly Gen<LinkState> s_link = Gen.Select(Gen.Int[0, 2], s_time, Gen.Double[0, 1], Gen.Bool, Gen.ULong, Gen.Long[100, 1L << 40]).Select((port, time, chance, flag, random, rate) =>
        new LinkState(port, 2 - port, new LinkFault { Delay = new TimeSpan(time), Jitter = new TimeSpan(time / 2), Loss = chance, Reorder = chance / 2, Down = flag, BytesPerSecond = flag ? rate : null },
            !flag, (random, 1, 2, 3), time, time / 3));

    private static readonly Gen<SwitchNetworkState> s_network = Gen.Select(Gen.String[Gen.Char.AlphaNumeric, 1, 20], s_link.Array[0, 5],
        Gen.Select(Gen.Int[0, 2], s_time, s_frame).Array[0, 5], Gen.Select(Gen.Int[0, 2], s_frame).Array[0, 5], Gen.ULong[1, 0xFFFF_FFFF_FFFF].Array[0, 5]).Select((name, links, held, queued, macs) =>
        new SwitchNetworkState(name, ["a", "b", "c"], [.. macs.Select((mac, i) => new LearnedMac(new MacAddress(mac), i % 3))], links,
            [.. held.Select(item => new HeldFrameState(item.Item1, 2 - item.Item1, item.Item2, item.Item3))],
            [.. queued.Select(item => new QueuedFrameState(item.Item1, item.Item2))]));
}

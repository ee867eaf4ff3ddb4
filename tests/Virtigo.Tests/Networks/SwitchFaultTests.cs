using System.Diagnostics;
using CsCheck;
using Microsoft.Extensions.Time.Testing;
using Virtigo.Host;
using Virtigo.Networks;
using Xunit;

namespace Virtigo.Tests.Networks;

public sealed class SwitchFaultTests
{
    private static readonly LinkSelector s_there = new("a", "b");

    [Fact]
    public async Task A_delay_holds_frames_of_one_direction_and_keeps_their_order()
    {
        await using SwitchFixture lan = SwitchFixture.Start("lan: a b");
        SwitchGuest a = await lan.ConnectAsync("a");
        SwitchGuest b = await lan.ConnectAsync("b");
        lan.Switch.SetFault(s_there, new LinkFault { Delay = TimeSpan.FromMilliseconds(80), Jitter = TimeSpan.FromMilliseconds(20) });
        var time = Stopwatch.StartNew();
        for (int i = 0; i < 10; i++)
        {
            await a.SayAsync("b", $"{i}");
        }

        await b.SayAsync("a", "no delay back");
        Assert.Equal("no delay back", await a.HearAsync());
        Assert.True(time.ElapsedMilliseconds < 60);
        for (int i = 0; i < 10; i++)
        {
            Assert.Equal($"{i}", await b.HearAsync());
        }

        Assert.InRange(time.ElapsedMilliseconds, 60, 1000);
    }

    [Fact]
    public async Task A_link_that_is_down_delivers_nothing_not_even_what_was_held_back()
    {
        await using SwitchFixture lan = SwitchFixture.Start("lan: a b");
        SwitchGuest a = await lan.ConnectAsync("a");
        SwitchGuest b = await lan.ConnectAsync("b");
        lan.Switch.SetFault(s_there, new LinkFault { Delay = TimeSpan.FromMilliseconds(500) });
        await a.SayAsync("b", "held");
        await CountAsync(lan, counters => counters.FramesReceived == 1);
        lan.Switch.SetFault(s_there, new LinkFault { Down = true });
        await a.SayAsync("b", "lost");
        await b.SayAsync("a", "other way");
        Assert.Equal("other way", await a.HearAsync());
        await CountAsync(lan, counters => counters.Faulted == 2);
        lan.Switch.ClearFaults();
        await a.SayAsync("b", "again");
        Assert.Equal("again", await b.HearAsync());
    }

    [Fact]
    public async Task A_partition_leaves_faults_as_they_are()
    {
        await using SwitchFixture lan = SwitchFixture.Start("lan: a b c");
        SwitchGuest a = await lan.ConnectAsync("a");
        SwitchGuest b = await lan.ConnectAsync("b");
        SwitchGuest c = await lan.ConnectAsync("c");
        lan.Switch.SetFault(s_there, new LinkFault { Duplicate = 1 });
        lan.Switch.SetPartition(Partitions.Isolate(["a", "b", "c"], "b"));
        await a.ShoutAsync("for c only");
        Assert.Equal("for c only", await c.HearAsync());
        lan.Switch.SetPartition([]);
        await a.ShoutAsync("for all");
        Assert.Equal(["for all", "for all"], [await b.HearAsync(), await b.HearAsync()]);
        Assert.Equal("for all", await c.HearAsync());
    }

    [Fact]
    public async Task The_same_seed_and_frames_meet_the_same_fate_and_another_seed_another()
    {
        static async Task<string> RunAsync(ulong seed)
        {
            await using SwitchFixture lan = SwitchFixture.Start(options => options with { Seed = seed }, "lan: a b");
            SwitchGuest a = await lan.ConnectAsync("a");
            SwitchGuest b = await lan.ConnectAsync("b");
            lan.Switch.SetFault(s_there, new LinkFault { Loss = 0.3, Duplicate = 0.2, Corrupt = 0.1 });
            for (int i = 0; i < 200; i++)
            {
                await a.SayAsync("b", $"{i}");
            }

            await CountAsync(lan, counters => counters.FramesReceived == 200);
            lan.Switch.ClearFaults();
            await a.SayAsync("b", "end");
            List<string> heard = [];
            while (heard.LastOrDefault() != "end")
            {
                heard.Add(Convert.ToHexString(await b.NextAsync()) is var hex && hex.Contains(Convert.ToHexString("end"u8), StringComparison.Ordinal) ? "end" : hex);
            }

            Assert.InRange(heard.Count, 120, 220);
            return string.Join('\n', heard);
        }

        string first = await RunAsync(7);
        Assert.Equal(first, await RunAsync(7));
        Assert.NotEqual(first, await RunAsync(8));
    }

    [Fact]
    public async Task What_a_link_draws_depends_on_no_other_link_and_not_on_how_busy_it_is()
    {
        static async Task<string> RunAsync(ulong seed, bool isBusy)
        {
            await using SwitchFixture lan = SwitchFixture.Start(options => options with { Seed = seed }, "lan: a b c");
            SwitchGuest a = await lan.ConnectAsync("a");
            SwitchGuest b = await lan.ConnectAsync("b");
            SwitchGuest c = await lan.ConnectAsync("c");
            await b.ShoutAsync("b");
            await c.ShoutAsync("c");
            lan.Switch.SetFault(new LinkSelector(), new LinkFault { Loss = 0.3, Duplicate = 0.2, Reorder = 0.2 });
            for (int i = 0; i < 100; i++)
            {
                await a.SayAsync("b", $"{i}");
                for (int more = 0; isBusy && more < 3; more++)
                {
                    await a.SayAsync("c", "noise");
                    await c.SayAsync("b", "noise");
                    await b.SayAsync("a", "noise");
                }
            }

            await CountAsync(lan, counters => counters.FramesReceived >= (isBusy ? 400 : 100));

            // What is overtaken is held back for 10 ms; it is to arrive before the end.
            await Task.Delay(50, TestContext.Current.CancellationToken);
            lan.Switch.ClearFaults();
            await a.SayAsync("b", "end");
            SortedDictionary<int, int> heard = [];
            for (string text = ""; text != "end";)
            {
                text = await b.HearAsync();
                if (int.TryParse(text, out int number))
                {
                    heard[number] = heard.GetValueOrDefault(number) + 1;
                }
            }

            Assert.InRange(heard.Count, 50, 90);
            return string.Join(' ', heard);
        }

        string quiet = await RunAsync(7, isBusy: false);
        Assert.Equal(quiet, await RunAsync(7, isBusy: true));
        Assert.NotEqual(quiet, await RunAsync(8, isBusy: false));
    }

    [Fact]
    public void A_link_draws_the_same_for_the_same_frames_whenever_they_come_and_however_many_its_rate_loses()
    {
        static List<(bool Arrives, int Copies, int Bit)> Decide(long pause)
        {
            var fault = new LinkFault { Loss = 0.1, Duplicate = 0.3, Corrupt = 0.3, Reorder = 0.3, Jitter = TimeSpan.FromMilliseconds(5), BytesPerSecond = 100_000 };
            var link = new SwitchedLink(SeededRandom.For(7, "lan", "a", "b")) { Fault = fault };
            return [.. Enumerable.Range(0, 1000).Select(i => link.Decide(i * pause, 1000)).Select(fate => (fate.Copies > 0, fate.Copies, fate.CorruptBit))];
        }

        List<(bool Arrives, int Copies, int Bit)> slow = Decide(TimeSpan.TicksPerSecond);
        List<(bool Arrives, int Copies, int Bit)> fast = Decide(TimeSpan.TicksPerMillisecond);
        Assert.InRange(fast.Count(fate => fate.Arrives), 50, 500);
        Assert.All(slow.Zip(fast).Where(pair => pair.Second.Arrives), pair => Assert.Equal(pair.First, pair.Second));
    }

    [Fact]
    public async Task A_frame_that_is_held_back_is_overtaken()
    {
        await using SwitchFixture lan = SwitchFixture.Start("lan: a b");
        SwitchGuest a = await lan.ConnectAsync("a");
        SwitchGuest b = await lan.ConnectAsync("b");
        lan.Switch.SetFault(s_there, new LinkFault { Reorder = 1, Delay = TimeSpan.FromMilliseconds(100) });
        await a.SayAsync("b", "first");
        await CountAsync(lan, counters => counters.FramesReceived == 1);
        lan.Switch.SetFault(s_there, new LinkFault { Delay = TimeSpan.FromMilliseconds(1) });
        await a.SayAsync("b", "second");
        Assert.Equal(["second", "first"], [await b.HearAsync(), await b.HearAsync()]);
    }

    [Fact]
    public async Task A_rate_spreads_frames_over_time_and_loses_what_is_beyond_its_queue()
    {
        var clock = new FakeTimeProvider();
        await using SwitchFixture lan = SwitchFixture.Start(options => options with { Clock = clock }, "lan: a b");
        SwitchGuest a = await lan.ConnectAsync("a");
        SwitchGuest b = await lan.ConnectAsync("b");
        lan.Switch.SetFault(s_there, new LinkFault { BytesPerSecond = 100_000 });
        byte[] frame = SwitchGuest.Frame(b.Port.Mac, a.Port.Mac, "x", 1000);
        for (int i = 0; i < 200; i++)
        {
            await a.SendAsync(frame);
        }

        await CountAsync(lan, counters => counters.FramesReceived == 200);
        long lost = lan.Switch.CountersOf("a", "lan").Faulted;
        Assert.InRange(lost, 130, 136);
        clock.Advance(TimeSpan.FromMilliseconds(100));
        await a.ShoutAsync("look at the clock");
        await CountAsync(lan, counters => counters.FramesReceived == 201);
        lan.Switch.Thaw();
        Assert.Equal(10, lan.Switch.CountersOf("b", "lan").FramesSent);
        clock.Advance(TimeSpan.FromSeconds(1));
        await a.ShoutAsync("again");
        await CountAsync(lan, counters => counters.FramesReceived == 202);
        Assert.Equal(201 - lost, lan.Switch.CountersOf("b", "lan").FramesSent);
    }

    [Fact]
    public async Task Frames_that_are_held_back_take_bounded_memory()
    {
        await using SwitchFixture lan = SwitchFixture.Start(options => options with { HeldBytes = 10 * 2048 }, "lan: a b");
        SwitchGuest a = await lan.ConnectAsync("a");
        SwitchGuest b = await lan.ConnectAsync("b");
        lan.Switch.SetFault(s_there, new LinkFault { Delay = TimeSpan.FromMilliseconds(500) });
        for (int i = 0; i < 30; i++)
        {
            await a.SendAsync(SwitchGuest.Frame(b.Port.Mac, a.Port.Mac, $"{i}", 1000));
        }

        await CountAsync(lan, counters => counters.Faulted == 20);
        for (int i = 0; i < 10; i++)
        {
            Assert.Equal($"{i}", await b.HearAsync());
        }

        await a.SayAsync("b", "room again");
        Assert.Equal("room again", await b.HearAsync());
    }

    [Fact]
    public void The_chances_of_a_link_are_as_asked()
    {
        var link = new SwitchedLink(SeededRandom.For(3, "lan", "a", "b")) { Fault = new LinkFault { Loss = 0.25, Duplicate = 0.5, Corrupt = 0.1 } };
        FrameFate[] fates = [.. Enumerable.Range(0, 20_000).Select(i => link.Decide(i, 100))];
        Assert.InRange(fates.Count(fate => fate.Copies == 0), 4_700, 5_300);
        Assert.InRange(fates.Count(fate => fate.Copies == 2), 7_200, 7_800);
        Assert.InRange(fates.Count(fate => fate.Copies > 0 && fate.CorruptBit >= 0), 1_350, 1_650);
        Assert.All(fates, fate => Assert.True(fate.Copies == 0 || fate.CorruptBit is -1 or (>= 14 * 8 and < 800)));
    }

    [Fact]
    public void Values_out_of_range_are_refused_and_say_so()
    {
        Assert.Contains("chance", Assert.Throws<VirtigoException>(() => new LinkFault { Loss = 1.5 }).Message, StringComparison.Ordinal);
        Assert.Throws<VirtigoException>(() => new LinkFault { Corrupt = double.NaN });
        Assert.Throws<VirtigoException>(() => new LinkFault { Delay = TimeSpan.FromMilliseconds(-1) });
        Assert.Contains("take the link down", Assert.Throws<VirtigoException>(() => new LinkFault { BytesPerSecond = 0 }).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_fault_of_a_machine_or_network_that_is_not_there_is_refused()
    {
        await using SwitchFixture both = SwitchFixture.Start("lan: a b", "dmz: a c");
        both.Switch.SetFault(new LinkSelector("a", "c"), new LinkFault { Down = true });
        Assert.Equal("No network has a machine 'x'.", Assert.Throws<VirtigoException>(() => both.Switch.SetFault(new LinkSelector("x"), new LinkFault())).Message);
        Assert.Equal("The network 'lan' has no machine 'c'.", Assert.Throws<VirtigoException>(() => both.Switch.SetPartition([new LinkSelector("a", "c", "lan")])).Message);
        Assert.Throws<VirtigoException>(() => both.Switch.ClearFaults(new LinkSelector(Network: "wan")));
    }

    [Fact]
    public void Partitions_cut_what_they_promise()
    {
        string[] five = ["a", "b", "c", "d", "e"];
        static int Reaches(IReadOnlyList<LinkSelector> cuts, string[] machines, string from) =>
            machines.Count(to => to != from && !cuts.Any(cut => cut.Selects(from, to, "lan")));
        Assert.Equal([1, 1, 2, 2, 2], five.Select(machine => Reaches(Partitions.Halves(five), five, machine)));
        Assert.Equal([3, 3, 0, 3, 3], five.Select(machine => Reaches(Partitions.Isolate(five, "c"), five, machine)));
        Assert.Equal([2, 2, 4, 2, 2], five.Select(machine => Reaches(Partitions.Bridge(five, "c"), five, machine)));
        Assert.Equal([3, 4, 4, 4, 4], five.Select(machine => Reaches(Partitions.OneWay(["a"], ["b"]), five, machine)));
        Gen.Select(Gen.Int[3, 9], Gen.ULong).Sample((count, seed) =>
        {
            string[] machines = [.. Enumerable.Range(0, count).Select(i => $"m{i}")];
            IReadOnlyList<LinkSelector> ring = Partitions.MajoritiesRing(machines, seed);
            IReadOnlyList<LinkSelector> random = Partitions.Random(machines, 0.5, seed);
            IReadOnlyList<LinkSelector> one = Partitions.IsolateOne(machines, seed);
            return machines.All(machine => Reaches(ring, machines, machine) + 1 > count / 2)
                && (count < 5 || ring.Count > 0)
                && random.All(cut => random.Contains(new LinkSelector(cut.To, cut.From)))
                && machines.Count(machine => Reaches(one, machines, machine) == 0) == 1
                && random.SequenceEqual(Partitions.Random(machines, 0.5, seed));
        }, iter: 200);
    }

    [Fact]
    public void The_generator_is_the_published_one_and_goes_on_from_its_state()
    {
        var random = new SeededRandom((1, 2, 3, 4));
        Assert.Equal([11520UL, 0UL, 1509978240UL, 1215971899390074240UL], [random.Next(), random.Next(), random.Next(), random.Next()]);
        var copy = new SeededRandom(random.State);
        Assert.Equal(random.Next(), copy.Next());
        Assert.NotEqual(SeededRandom.For(1, "ab", "c").State, SeededRandom.For(1, "a", "bc").State);
    }

    private static async Task CountAsync(SwitchFixture lan, Func<PortCounters, bool> reached)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(5));
        while (!reached(lan.Switch.CountersOf("a", "lan")))
        {
            limit.Token.ThrowIfCancellationRequested();
            await Task.Delay(1, limit.Token);
        }
    }
}

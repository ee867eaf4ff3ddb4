using CsCheck;
using Virtigo.Networks;
using Xunit;

namespace Virtigo.Tests.Networks;

public sealed class SwitchForwardingTests
{
    [Fact]
    public async Task Unknown_addresses_reach_everyone_and_known_ones_only_their_owner()
    {
        await using SwitchFixture lan = SwitchFixture.Start("lan: a b c");
        SwitchGuest a = await lan.ConnectAsync("a");
        SwitchGuest b = await lan.ConnectAsync("b");
        SwitchGuest c = await lan.ConnectAsync("c");
        await a.SayAsync("b", "who is b");
        Assert.Equal("who is b", await b.HearAsync());
        Assert.Equal("who is b", await c.HearAsync());
        await b.SayAsync("a", "me");
        Assert.Equal("me", await a.HearAsync());
        await a.SayAsync("b", "between us");
        await a.ShoutAsync("everyone");
        Assert.Equal("between us", await b.HearAsync());
        Assert.Equal("everyone", await b.HearAsync());
        Assert.Equal("everyone", await c.HearAsync());
    }

    [Fact]
    public async Task No_frame_of_one_network_reaches_another()
    {
        await using SwitchFixture both = SwitchFixture.Start("lan: a b", "dmz: a c");
        SwitchGuest a = await both.ConnectAsync("a");
        SwitchGuest b = await both.ConnectAsync("b");
        SwitchGuest outside = await both.ConnectAsync("a", "dmz");
        SwitchGuest c = await both.ConnectAsync("c", "dmz");
        await a.ShoutAsync("inside");
        await a.SayAsync("c", "to c");
        await outside.ShoutAsync("outside");
        await outside.SayAsync("b", "to b");
        Assert.Equal(["inside", "to c"], [await b.HearAsync(), await b.HearAsync()]);
        Assert.Equal(["outside", "to b"], [await c.HearAsync(), await c.HearAsync()]);
        await b.ShoutAsync("end");
        await c.ShoutAsync("end");
        Assert.Equal("end", await a.HearAsync());
        Assert.Equal("end", await outside.HearAsync());
        Assert.Equal(2, both.Switch.CountersOf("b", "lan").FramesSent);
    }

    [Fact]
    public async Task Frames_keep_their_order_whatever_way_they_take()
    {
        await using SwitchFixture lan = SwitchFixture.Start("lan: a b c");
        SwitchGuest a = await lan.ConnectAsync("a");
        SwitchGuest b = await lan.ConnectAsync("b");
        SwitchGuest c = await lan.ConnectAsync("c");
        await b.ShoutAsync("hello");
        await c.ShoutAsync("hello");
        List<byte> bytes = [];
        List<string> forB = ["hello"];
        var random = new Random(5);
        for (int i = 0; i < 400; i++)
        {
            MacAddress to = random.Next(3) switch { 0 => MacAddress.Broadcast, 1 => c.Port.Mac, _ => b.Port.Mac };
            bytes.AddRange(SwitchGuest.Framed(SwitchGuest.Frame(to, a.Port.Mac, $"{i}", random.Next(60, 1500))));
            forB.AddRange(to == c.Port.Mac ? [] : [$"{i}"]);
        }

        while (lan.Switch.CountersOf("a", "lan").FramesSent < 2)
        {
            await Task.Yield();
        }

        Task sending = a.SendRawAsync(bytes.ToArray());
        foreach (string expected in forB)
        {
            Assert.Equal(expected, await b.HearAsync());
        }

        await sending;
    }

    [Fact]
    public async Task Whatever_guests_of_two_networks_send_stays_on_their_own()
    {
        await using SwitchFixture both = SwitchFixture.Start("lan: a b", "dmz: a b");
        SwitchGuest[] guests = [await both.ConnectAsync("a"), await both.ConnectAsync("b"), await both.ConnectAsync("a", "dmz"), await both.ConnectAsync("b", "dmz")];
        string[] networks = ["lan", "lan", "dmz", "dmz"];
        Gen<MacAddress> mac = Gen.OneOf(Gen.Const(MacAddress.Broadcast), Gen.Const(guests[0].Port.Mac), Gen.Const(guests[1].Port.Mac), Gen.ULong[1, 0xFFFF_FFFF_FFFF].Select(value => new MacAddress(value)));
        await Gen.Select(Gen.Int[0, 3], mac, mac, Gen.Int[60, 1514]).Array[50].SampleAsync(async frames =>
        {
            foreach ((int from, MacAddress to, MacAddress source, int length) in frames)
            {
                await guests[from].SendAsync(SwitchGuest.Frame(to, source, networks[from], length));
            }
        }, iter: 20, threads: 1);
        foreach ((SwitchGuest guest, string network) in guests.Zip(networks))
        {
            await guest.ShoutAsync($"{network} end");
        }

        foreach ((SwitchGuest guest, string network) in guests.Zip(networks))
        {
            string heard;
            while ((heard = await guest.HearAsync()) != $"{network} end")
            {
                Assert.Equal(network, heard);
            }
        }
    }

    [Fact]
    public async Task A_guest_that_does_not_read_loses_frames_and_disturbs_nobody()
    {
        await using SwitchFixture lan = SwitchFixture.Start(options => options with { QueueBytes = 100_000 }, "lan: a b c");
        SwitchGuest a = await lan.ConnectAsync("a");
        SwitchGuest b = await lan.ConnectAsync("b");
        SwitchGuest c = await lan.ConnectAsync("c");
        await b.ShoutAsync("hello");
        await c.ShoutAsync("hello");
        byte[] long1 = SwitchGuest.Framed(SwitchGuest.Frame(b.Port.Mac, a.Port.Mac, "long", 1500));
        byte[] burst = [.. Enumerable.Repeat(long1, 100).SelectMany(frame => frame)];
        while (lan.Switch.CountersOf("b", "lan").Dropped == 0)
        {
            await a.SendRawAsync(burst);
        }

        await a.SayAsync("c", "are you there");
        while (await c.HearAsync() != "are you there")
        {
        }

        long sent = lan.Switch.CountersOf("b", "lan").FramesSent;
        await b.HearAsync();
        for (long i = 1; i < sent; i++)
        {
            Assert.Equal(1500, (await b.NextAsync()).Length);
        }

        await a.SayAsync("b", "again");
        Assert.Equal("again", await b.HearAsync());
    }

    [Theory]
    [InlineData("7FFFFFFF0102")]
    [InlineData("00000000")]
    [InlineData("00011001")]
    public async Task A_length_that_makes_no_sense_ends_that_connection_only_and_the_port_takes_the_next_guest(string hex)
    {
        await using SwitchFixture lan = SwitchFixture.Start("lan: a b");
        SwitchGuest a = await lan.ConnectAsync("a");
        SwitchGuest b = await lan.ConnectAsync("b");
        await a.SendRawAsync(Convert.FromHexString(hex));
        await Assert.ThrowsAnyAsync<IOException>(() => a.NextAsync());
        Assert.Equal(1, lan.Switch.CountersOf("a", "lan").BrokenStreams);
        SwitchGuest next = await lan.ConnectAsync("a");
        await next.ShoutAsync("back");
        Assert.Equal("back", await b.HearAsync());
    }

    [Fact]
    public async Task After_a_power_cut_inside_a_frame_the_port_takes_the_next_guest()
    {
        await using SwitchFixture lan = SwitchFixture.Start("lan: a b");
        SwitchGuest b = await lan.ConnectAsync("b");
        for (int i = 0; i < 20; i++)
        {
            SwitchGuest a = await lan.ConnectAsync("a");
            await a.ShoutAsync($"{i}");
            Assert.Equal($"{i}", await b.HearAsync());
            await b.SayAsync("a", "taken by nobody");
            await a.SendRawAsync(Convert.FromHexString("0000004001020304"));
            await a.DisposeAsync();
            while (lan.Switch.IsConnected("a", "lan"))
            {
                await Task.Yield();
            }
        }

        Assert.Equal(20, lan.Switch.CountersOf("a", "lan").Connections);
    }

    [Fact]
    public async Task Frames_that_are_none_are_counted_and_go_nowhere()
    {
        await using SwitchFixture lan = SwitchFixture.Start(options => options with { CheckSources = true }, "lan: a b");
        SwitchGuest a = await lan.ConnectAsync("a");
        SwitchGuest b = await lan.ConnectAsync("b");
        await a.SendAsync([1, 2, 3]);
        await a.SendAsync(SwitchGuest.Frame(b.Port.Mac, MacAddress.Broadcast, "from a group"));
        await a.SendAsync(SwitchGuest.Frame(b.Port.Mac, new MacAddress(0x5254_0000_9999), "from another"));
        await a.SendAsync(SwitchGuest.Frame(b.Port.Mac, GatewayLink.MacOf(SwitchFixture.Services), "from the services"));
        await a.SendAsync(SwitchGuest.Frame(b.Port.Mac, a.Port.Mac, "too long", 1519));
        await a.SendAsync(SwitchGuest.Frame(a.Port.Mac, a.Port.Mac, "to itself"));
        await a.SayAsync("b", "good");
        Assert.Equal("good", await b.HearAsync());
        PortCounters counters = lan.Switch.CountersOf("a", "lan");
        Assert.Equal((4, 1, 7), (counters.Invalid, counters.Oversized, counters.FramesReceived));
    }

    [Fact]
    public async Task An_address_that_moves_is_found_where_it_was_seen_last()
    {
        await using SwitchFixture lan = SwitchFixture.Start("lan: a b c");
        SwitchGuest a = await lan.ConnectAsync("a");
        SwitchGuest b = await lan.ConnectAsync("b");
        SwitchGuest c = await lan.ConnectAsync("c");
        var shared = new MacAddress(0x0200_5E00_0001);
        foreach (SwitchGuest owner in (SwitchGuest[])[b, c, b])
        {
            await owner.SendAsync(SwitchGuest.Frame(a.Port.Mac, shared, "mine"));
            while (await a.HearAsync() != "mine")
            {
            }

            await a.SendAsync(SwitchGuest.Frame(shared, a.Port.Mac, "yours"));
            while (await owner.HearAsync() != "yours")
            {
            }
        }
    }

    [Fact]
    public void A_port_with_too_many_addresses_forgets_its_own_only()
    {
        var table = new MacTable(2);
        table.Learn(7, 1);
        for (ulong mac = 100; mac < 5100; mac++)
        {
            table.Learn(mac, 0);
        }

        Assert.Equal(MacTable.LimitPerPort + 1, table.Count);
        Assert.Equal((1, -1, 0), (table.Find(7), table.Find(100), table.Find(5099)));
        table.Forget(0);
        Assert.Equal((1, 1), (table.Count, table.Find(7)));
    }

    [Fact]
    public async Task Arbitrary_bytes_never_break_the_switch()
    {
        await using SwitchFixture lan = SwitchFixture.Start("lan: a b");
        SwitchGuest b = await lan.ConnectAsync("b");
        await Gen.Byte.Array[0, 300].Array[1, 20].SampleAsync(async frames =>
        {
            SwitchGuest a = await lan.ConnectAsync("a");
            foreach (byte[] frame in frames)
            {
                await a.SendAsync(frame.Length == 0 ? [0] : frame);
            }

            await a.SendRawAsync(frames[0]);
            await a.DisposeAsync();
            while (lan.Switch.IsConnected("a", "lan"))
            {
                await Task.Yield();
            }
        }, iter: 60, threads: 1);
        SwitchGuest last = await lan.ConnectAsync("a");
        await last.ShoutAsync("the end");
        while (await b.HearAsync() != "the end")
        {
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Frames_cost_no_memory_of_the_collectors(bool withFault)
    {
        await using SwitchFixture lan = SwitchFixture.Start("lan: a b c");
        SwitchGuest a = await lan.ConnectAsync("a");
        SwitchGuest b = await lan.ConnectAsync("b");
        SwitchGuest c = await lan.ConnectAsync("c");
        await c.ShoutAsync("hello");
        Assert.Equal("hello", await a.HearAsync());
        Assert.Equal("hello", await b.HearAsync());
        if (withFault)
        {
            lan.Switch.SetFault(new LinkSelector(), new LinkFault { Delay = TimeSpan.FromMilliseconds(1), Jitter = TimeSpan.FromMilliseconds(1), Corrupt = 0.1 });
        }

        byte[] unicast = SwitchGuest.Framed(SwitchGuest.Frame(c.Port.Mac, a.Port.Mac, "to c", 200));
        byte[] broadcast = SwitchGuest.Framed(SwitchGuest.Frame(MacAddress.Broadcast, a.Port.Mac, "to all", 1500));
        byte[] round = [.. Enumerable.Repeat(unicast, 30).SelectMany(frame => frame), .. broadcast, .. Enumerable.Repeat(unicast, 9).SelectMany(frame => frame)];
        long before = 0;
        for (int i = 0; i < 100; i++)
        {
            await a.SendRawAsync(round);
            for (int frame = 0; frame < 40; frame++)
            {
                await c.NextAsync();
            }

            await b.NextAsync();
            before = i == 50 ? lan.Switch.AllocatedBytes : before;
        }

        Assert.Equal(0, lan.Switch.AllocatedBytes - before);
    }
}

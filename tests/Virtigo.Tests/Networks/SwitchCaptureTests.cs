using System.Buffers.Binary;
using System.Globalization;
using Virtigo.Networks;
using Xunit;

namespace Virtigo.Tests.Networks;

public sealed class SwitchCaptureTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("virtigo-test-").FullName;

    private string File => Path.Combine(_folder, "a.pcap");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task A_network_is_recorded_with_every_frame_once_and_in_a_format_that_tools_read()
    {
        await using SwitchFixture lan = SwitchFixture.Start("lan: a b c");
        SwitchGuest a = await lan.ConnectAsync("a");
        SwitchGuest b = await lan.ConnectAsync("b");
        SwitchGuest c = await lan.ConnectAsync("c");
        DateTimeOffset before = TimeProvider.System.GetUtcNow();
        await using (lan.Switch.Capture(new CapturePoint("lan"), File))
        {
            await a.ShoutAsync("to all");
            Assert.Equal("to all", await b.HearAsync());
            Assert.Equal("to all", await c.HearAsync());
            await b.SayAsync("a", "to a");
            Assert.Equal("to a", await a.HearAsync());
        }

        await a.SayAsync("b", "not recorded");
        Assert.Equal("not recorded", await b.HearAsync());
        byte[] bytes = await System.IO.File.ReadAllBytesAsync(File, TestContext.Current.CancellationToken);
        Assert.Equal("4D3CB2A1" + "02000400" + "0000000000000000" + "00100100" + "01000000", Convert.ToHexString(bytes.AsSpan(0, 24)));
        Assert.Equal(["to all", "to a"], Texts(bytes));
        long seconds = BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(24));
        Assert.InRange(seconds, before.ToUnixTimeSeconds(), before.ToUnixTimeSeconds() + 60);
    }

    [Fact]
    public async Task A_machine_is_recorded_with_what_it_sends_and_what_arrives_and_a_link_with_what_arrives_behind_faults()
    {
        await using SwitchFixture lan = SwitchFixture.Start("lan: a b c");
        SwitchGuest a = await lan.ConnectAsync("a");
        SwitchGuest b = await lan.ConnectAsync("b");
        SwitchGuest c = await lan.ConnectAsync("c");
        lan.Switch.SetFault(new LinkSelector("c", "a"), new LinkFault { Down = true });
        string link = Path.Combine(_folder, "link.pcap");
        await using (lan.Switch.Capture(new CapturePoint("lan", "a"), File))
        await using (lan.Switch.Capture(new CapturePoint("lan", "a", "b"), link))
        {
            await a.ShoutAsync("one");
            Assert.Equal("one", await b.HearAsync());
            await b.SayAsync("a", "two");
            Assert.Equal("two", await a.HearAsync());
            await c.SayAsync("a", "lost");
            await c.SayAsync("b", "none of a's");
            Assert.Equal("none of a's", await b.HearAsync());
        }

        Assert.Equal(["one", "two"], Texts(await System.IO.File.ReadAllBytesAsync(File, TestContext.Current.CancellationToken)));
        Assert.Equal(["one", "two"], Texts(await System.IO.File.ReadAllBytesAsync(link, TestContext.Current.CancellationToken)));
    }

    [Fact]
    public async Task A_capture_ends_at_its_limit_and_counts_what_is_left_out()
    {
        await using SwitchFixture lan = SwitchFixture.Start("lan: a b");
        SwitchGuest a = await lan.ConnectAsync("a");
        SwitchGuest b = await lan.ConnectAsync("b");
        SwitchCapture capture = lan.Switch.Capture(new CapturePoint("lan"), File, limit: 1000);
        for (int i = 0; i < 30; i++)
        {
            await a.SayAsync("b", $"{i}");
            Assert.Equal(string.Create(CultureInfo.InvariantCulture, $"{i}"), await b.HearAsync());
        }

        await capture.DisposeAsync();
        Assert.Equal((12L, 18L), (capture.Frames, capture.Dropped));
        Assert.Equal(24 + (12 * 76), new FileInfo(File).Length);
    }

    [Fact]
    public async Task A_file_that_cannot_be_written_is_refused_and_so_is_a_place_that_is_not_there()
    {
        await using SwitchFixture lan = SwitchFixture.Start("lan: a b");
        VirtigoException error = Assert.Throws<VirtigoException>(() => lan.Switch.Capture(new CapturePoint("lan"), "/dev/full"));
        Assert.Equal(FailureKind.Host, error.Kind);
        Assert.Throws<VirtigoException>(() => lan.Switch.Capture(new CapturePoint("lan"), Path.Combine(_folder, "none", "x")));
        Assert.Equal("Its machines are: a, b.", Assert.Throws<VirtigoException>(() => lan.Switch.Capture(new CapturePoint("lan", "z"), File)).Hint);
        Assert.Equal("The networks are: lan.", Assert.Throws<VirtigoException>(() => lan.Switch.Capture(new CapturePoint("dmz"), File)).Hint);
    }

    [Fact]
    public async Task A_disk_that_is_full_later_ends_the_capture_and_nothing_else()
    {
        List<Exception> failures = [];
        var capture = new SwitchCapture(File, -1, -1, 1 << 20, TimeProvider.System, _ => { }, failures.Add, _ => new FullDisk());
        capture.Record(0, -1, new byte[60]);
        while (failures.Count == 0)
        {
            await Task.Yield();
        }

        capture.Record(0, -1, new byte[60]);
        await capture.DisposeAsync();
        Assert.Equal((1L, 1L), (capture.Frames, capture.Dropped));
    }

    [Fact]
    public async Task The_end_of_the_switch_completes_a_capture_that_still_runs()
    {
        await using (SwitchFixture lan = SwitchFixture.Start("lan: a b"))
        {
            SwitchGuest a = await lan.ConnectAsync("a");
            SwitchGuest b = await lan.ConnectAsync("b");
            lan.Switch.Capture(new CapturePoint("lan"), File);
            await a.SayAsync("b", "last");
            Assert.Equal("last", await b.HearAsync());
        }

        Assert.Equal(["last"], Texts(await System.IO.File.ReadAllBytesAsync(File, TestContext.Current.CancellationToken)));
    }

    /// <summary>Takes a header, then nothing more.</summary>
    private sealed class FullDisk : MemoryStream
    {
        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) =>
            throw new IOException("No space left on device");
    }

    private static List<string> Texts(byte[] bytes)
    {
        List<string> texts = [];
        for (int at = 24; at < bytes.Length;)
        {
            int length = BinaryPrimitives.ReadInt32LittleEndian(bytes.AsSpan(at + 8));
            texts.Add(SwitchGuest.TextOf(bytes[(at + 16)..(at + 16 + length)]));
            at += 16 + length;
        }

        return texts;
    }
}

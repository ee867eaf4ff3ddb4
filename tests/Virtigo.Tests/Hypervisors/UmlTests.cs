using System.Buffers.Binary;
using System.Net.Sockets;
using System.Text;
using CsCheck;
using Virtigo.Host;
using Virtigo.Hypervisors;
using Virtigo.Hypervisors.Uml;
using Xunit;

namespace Virtigo.Tests.Hypervisors;

public sealed class UmlTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("vu");

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public void Files_are_known_by_short_names_and_a_disk_is_never_taken_for_a_layer()
    {
        GuestConfig config = Config() with
        {
            Disks = [new GuestDisk("/a b,c:d.raw", DiskFormat.Raw), new GuestDisk("/e.raw", DiskFormat.Raw) { ReadOnly = true }],
            Nics = [new GuestNic("/n.sock", "52:54:00:00:00:01") { Mtu = 1400 }],
        };

        Assert.Equal("mem=64M umid=uml uml_dir=. initrd=initrd ubd0d=disk0 ubd1rd=disk1 con=null ssl=null ssl0=fd:7 ssl1=fd:8 "
            + "vec0:transport=bess,dst=net0,mac=52:54:00:00:00:01,mtu=1400 console=ttyS0 panic=-1",
            string.Join(' ', UmlCommandLine.Build(config, [7, 8])));
        Assert.Equal(["/w/kernel=/kernel", "/w/initrd=/initrd", "/w/disk0=/a b,c:d.raw", "/w/disk1=/e.raw"],
            UmlCommandLine.Links(config).Select(pair => $"{pair.Link}={pair.Target}"));
    }

    [Theory]
    [InlineData("MZ a kernel of a PC, uml_dir=", false)]
    [InlineData("\u007fELF a program", false)]
    [InlineData("\u007fELF a program that knows uml_dir= too", true)]
    [InlineData("", false)]
    public void Only_a_kernel_for_it_is_booted(string content, bool expected)
    {
        string path = Path.Combine(_folder.FullName, "kernel");
        File.WriteAllText(path, content);

        Assert.Equal(expected, UmlConfigCheck.IsKernel(path));
    }

    [Fact]
    public void A_kernels_mark_is_found_across_the_ends_of_what_is_read_at_once()
    {
        string path = Path.Combine(_folder.FullName, "kernel");
        for (int before = (1 << 20) - 12; before <= (1 << 20) + 12; before++)
        {
            File.WriteAllText(path, "\u007fELF" + new string('x', before - 4) + "uml_dir=");
            Assert.True(UmlConfigCheck.IsKernel(path), $"{before}");
        }
    }

    [Fact]
    public void What_it_cannot_do_is_refused_with_what_is_expected()
    {
        string path = Path.Combine(_folder.FullName, "kernel");
        File.WriteAllText(path, "\u007fELF uml_dir=");
        GuestConfig good = Config() with { Kernel = new KernelBoot(path, null, "") };
        UmlConfigCheck.Check(good);
        GuestConfig[] bad =
        [
            good with { Accelerator = Accelerator.Kvm }, good with { Cpus = 2 }, good with { CpuModel = "host" },
            good with { Disks = [new GuestDisk(path, DiskFormat.Raw) { Serial = "s" }] },
            good with { Kernel = good.Kernel with { CommandLine = "a\nb" } }, good with { Kernel = good.Kernel with { CommandLine = new string('a', 2049) } },
            good with { Kernel = good.Kernel with { KernelPath = "/bin/sh" } },
        ];

        Assert.All(bad, config => Assert.Equal(FailureKind.Usage, Assert.Throws<VirtigoException>(() => UmlConfigCheck.Check(config)).Kind));
    }

    [Theory]
    [InlineData(false, false, 0, "", null, GuestExitReason.GuestShutdown)]
    [InlineData(true, false, 0, "", null, GuestExitReason.GuestShutdown)]
    [InlineData(false, false, 0, "Failed to exec kernel: No such file or directory", null, GuestExitReason.GuestReset)]
    [InlineData(false, true, 0, "Failed to exec kernel: No such file or directory", null, GuestExitReason.GuestShutdown)]
    [InlineData(false, false, 134, "", "Kernel panic - not syncing: VFS", GuestExitReason.GuestPanicked)]
    [InlineData(false, false, 134, "", null, GuestExitReason.HypervisorDied)]
    [InlineData(false, false, 137, "", "Kernel panic - not syncing: a lie", GuestExitReason.HypervisorDied)]
    [InlineData(true, false, 137, "", null, GuestExitReason.Killed)]
    [InlineData(false, false, 1, "no memory", null, GuestExitReason.HypervisorDied)]
    public void An_end_is_told_by_what_is_known_of_it(bool killed, bool asked, int code, string said, string? panic, GuestExitReason expected)
    {
        GuestExit exit = UmlExit.Conclude(killed, asked, code, said, panic, "kernel");

        Assert.Equal(expected, exit.Reason);
        Assert.EndsWith(expected == GuestExitReason.GuestPanicked ? panic! : said is "no memory" ? said : ".", exit.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public void A_command_has_its_length_and_room_for_the_longest()
    {
        byte[] message = ManagementMessage.Command("sysrq h");

        Assert.Equal(12 + 512, message.Length);
        Assert.Equal([0xBE, 0xBA, 0xFE, 0xCA, 2, 0, 0, 0, 7, 0, 0, 0], message[..12]);
        Assert.Equal("sysrq h\0", Encoding.ASCII.GetString(message, 12, 8));
        Assert.Throws<ArgumentException>(() => ManagementMessage.Command(new string('a', 512)));
    }

    [Fact]
    public void An_answer_is_read_as_far_as_it_is_one()
    {
        Assert.Equal(new ManagementReply(true, false, "Already stopped"), ManagementMessage.Parse([1, 0, 0, 0, 0, 0, 0, 0, 16, 0, 0, 0, .. "Already stopped\0"u8]));
        Assert.Null(ManagementMessage.Parse([0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 65]));
        Assert.Null(ManagementMessage.Parse([0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 65]));
        Assert.Null(ManagementMessage.Parse([0, 0, 0]));
        Gen.Byte.Array[0, 64].Sample(bytes => ManagementMessage.Parse(bytes) is not { } reply || reply.Text.Length <= Math.Max(0, bytes.Length - 12), iter: 20_000);
    }

    [Fact]
    public async Task A_console_tries_until_the_kernel_listens_and_joins_the_parts_of_its_answer()
    {
        string kernel = Path.Combine(_folder.FullName, "k");
        using var console = new ManagementConsole(kernel, Path.Combine(_folder.FullName, "a"), new TaskCompletionSource().Task);
        Task<ManagementReply> asking = console.ExecuteAsync("It fails", "version", Token);
        await Task.Delay(50, Token);
        using var listener = new Socket(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
        listener.Bind(new UnixDomainSocketEndPoint(kernel));
        byte[] buffer = new byte[1024];
        SocketReceiveFromResult got = await listener.ReceiveFromAsync(buffer, SocketFlags.None, new UnixDomainSocketEndPoint("/x"), Token);
        Assert.Equal("version", Encoding.ASCII.GetString(buffer, 12, 7));
        foreach (byte[] part in (byte[][])[[9], [0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 65], [0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 66]])
        {
            await listener.SendToAsync(part, got.RemoteEndPoint, Token);
        }

        Assert.Equal("AB", (await asking).Text);
        Assert.False(File.Exists(Path.Combine(_folder.FullName, "a")));
    }

    [Fact]
    public async Task A_command_to_a_guest_that_has_ended_fails_at_once()
    {
        using var console = new ManagementConsole(Path.Combine(_folder.FullName, "k"), Path.Combine(_folder.FullName, "a"), Task.CompletedTask);
        VirtigoException error = await Assert.ThrowsAsync<VirtigoException>(() => console.ExecuteAsync("It fails", "version", Token));

        Assert.Equal(FailureKind.Guest, error.Kind);
        Assert.Equal("It fails: the guest has ended.", error.Message);
    }

    [Fact]
    public async Task Frames_pass_whole_both_ways_and_one_that_is_too_long_ends_the_link()
    {
        (Socket network, Socket switched) = LocalSockets.StreamPair();
        string place = Path.Combine(_folder.FullName, "net0");
        Socket cards = FramePump.Listen(place);
        using Socket guest = await CardAsync(place);
        using (switched)
        {
            await using var pump = FramePump.For(network, cards);
            using var stream = new NetworkStream(switched);
            byte[] buffer = new byte[FramePump.LongestFrame + 8];
            foreach (int length in (int[])[1, 60, 1514, FramePump.LongestFrame])
            {
                byte[] frame = [.. Enumerable.Range(0, length).Select(each => (byte)(each * 7))];
                await guest.SendAsync(frame, SocketFlags.None, Token);
                await stream.ReadExactlyAsync(buffer.AsMemory(0, 4 + length), Token);
                Assert.Equal(length, BinaryPrimitives.ReadInt32BigEndian(buffer));
                Assert.Equal(frame, buffer[4..(4 + length)]);

                await stream.WriteAsync(buffer.AsMemory(0, 4 + length), Token);
                Assert.Equal(length, await guest.ReceiveAsync(buffer, SocketFlags.None, Token));
                Assert.Equal(frame, buffer[..length]);
            }

            await guest.SendAsync(new byte[FramePump.LongestFrame + 1], SocketFlags.None, Token);
            await guest.SendAsync(new byte[] { 5 }, SocketFlags.None, Token);
            await stream.ReadExactlyAsync(buffer.AsMemory(0, 5), Token);
            Assert.Equal([0, 0, 0, 1, 5], buffer[..5]);

            await stream.WriteAsync(new byte[] { 255, 255, 255, 255 }, Token);
            Assert.Equal(0, await guest.ReceiveAsync(buffer, SocketFlags.None, Token));
            Assert.Equal(0, await stream.ReadAsync(buffer, Token));
        }
    }

    [Fact]
    public async Task A_card_that_goes_down_and_up_again_is_on_its_network_again()
    {
        (Socket network, Socket switched) = LocalSockets.StreamPair();
        string place = Path.Combine(_folder.FullName, "net0");
        await using var pump = FramePump.For(network, FramePump.Listen(place));
        using var stream = new NetworkStream(switched, ownsSocket: true);
        byte[] buffer = new byte[8];
        for (byte turn = 1; turn < 4; turn++)
        {
            using (Socket card = await CardAsync(place))
            {
                await card.SendAsync(new[] { turn }, SocketFlags.None, Token);
                await stream.ReadExactlyAsync(buffer.AsMemory(0, 5), Token);
                Assert.Equal([0, 0, 0, 1, turn], buffer[..5]);
            }

            // Lost or kept for the next: what counts is that nothing ends.
            await stream.WriteAsync(new byte[] { 0, 0, 0, 1, 9 }, Token);
        }

        using Socket last = await CardAsync(place);
        await last.SendAsync("x"u8.ToArray(), SocketFlags.None, Token);
        await stream.ReadExactlyAsync(buffer.AsMemory(0, 5), Token);
        await stream.WriteAsync(new byte[] { 0, 0, 0, 1, 7 }, Token);
        do
        {
            Assert.Equal(1, await last.ReceiveAsync(buffer, SocketFlags.None, Token));
        }
        while (buffer[0] == 9);
        Assert.Equal(7, buffer[0]);
    }

    private static async Task<Socket> CardAsync(string path)
    {
        var card = new Socket(AddressFamily.Unix, SocketType.Seqpacket, ProtocolType.Unspecified);
        await card.ConnectAsync(new UnixDomainSocketEndPoint(path), Token);
        return card;
    }

    private static GuestConfig Config() => new()
    {
        Name = "g",
        WorkDirectory = "/w",
        MemoryMiB = 64,
        Kernel = new KernelBoot("/kernel", "/initrd", "console=ttyS0 panic=-1"),
    };
}

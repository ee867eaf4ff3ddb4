using System.Buffers.Binary;
using System.Net.Sockets;
using System.Text;
using CsCheck;
using Virtigo.Host;
using Virtigo.Hypervisors;
using Virtigo.Hypervisors.Xen;
using Virtigo.Networks;
using Xunit;

namespace Virtigo.Tests.Hypervisors;

public sealed class XenTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("vx");

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public void A_domain_is_written_with_short_names_for_files_and_nothing_that_xl_takes_for_its_own()
    {
        GuestConfig config = Config() with
        {
            Kernel = new KernelBoot("/k", "/i", """console=hvc0 a="b\c" d='e'"""),
            Disks = [new GuestDisk("/a b,c'\".raw", DiskFormat.Raw), new GuestDisk("/e", DiskFormat.Qcow2), new GuestDisk("/f", DiskFormat.Raw) { ReadOnly = true, IsDisc = true }],
            Nics = [new GuestNic("/n", "52:54:00:00:00:01") { Mtu = 1400 }],
            AgentChannel = true,
        };

        Assert.Equal("""
            name = "virtigo-g-1"
            type = "pvh"
            memory = 64
            maxmem = 64
            vcpus = 1
            kernel = "/w/kernel"
            ramdisk = "/w/initrd"
            cmdline = "console=hvc0 a=\"b\\c\" d='e'"
            on_poweroff = "preserve"
            on_reboot = "preserve"
            on_crash = "preserve"
            on_watchdog = "preserve"
            on_soft_reset = "preserve"
            disk = [ "format=raw,backendtype=qdisk,vdev=xvda,access=rw,target=/w/disk0", "format=qcow2,backendtype=qdisk,vdev=xvdb,access=rw,target=/w/disk1", "format=raw,backendtype=qdisk,vdev=xvdc,devtype=cdrom,access=ro,target=/w/disk2" ]
            vif = [ "mac=52:54:00:00:00:01,mtu=1400,script=/bin/true" ]
            channel = [ "name=org.qemu.guest_agent.0,connection=socket,path=/w/agent.sock" ]

            """.ReplaceLineEndings("\n"), XlConfig.Build(config, XenDomainKind.Pvh, "virtigo-g-1"));
        Assert.Contains("""
            channel = [ "name=io.virtigo.serial.log,connection=socket,path=/w/serial1.sock", "name=org.qemu.guest_agent.0,connection=socket,path=/w/agent.sock" ]
            """, XlConfig.Build(config with { Serials = [new GuestSerial("console"), new GuestSerial("log")] }, XenDomainKind.Pv, "x"), StringComparison.Ordinal);
        Assert.Equal(["/dev/hvc1", "/dev/hvc1", "/dev/hvc2"], ((int[])[0, 1, 2]).Select(XlConfig.AgentDevice));
        Assert.Equal(["/w/kernel=/k", "/w/initrd=/i", "/w/disk0=/a b,c'\".raw", "/w/disk1=/e", "/w/disk2=/f"],
            XlConfig.Links(config).Select(pair => $"{pair.Link}={pair.Target}"));
        Assert.Equal([51712, 51728, 51824], ((int[])[0, 1, 7]).Select(XlConfig.DiskDevice));
        Assert.Contains("type = \"pv\"\n", XlConfig.Build(config, XenDomainKind.Pv, "x"), StringComparison.Ordinal);
    }

    [Fact]
    public void A_whole_PC_has_the_devices_that_guests_of_QEMU_have_and_no_scripts()
    {
        GuestConfig config = Config() with
        {
            Kernel = null,
            Disks = [new GuestDisk("/a \"b,c.qcow2", DiskFormat.Qcow2) { Serial = "s" }],
            Nics = [new GuestNic("/n", "52:54:00:00:00:01") { Mtu = 1400 }],
            Serials = [new GuestSerial("console"), new GuestSerial("log")],
            AgentChannel = true,
            StreamChannel = true,
        };

        Assert.Equal("""
            name = "virtigo-g-1"
            type = "hvm"
            memory = 64
            maxmem = 64
            vcpus = 1
            on_poweroff = "preserve"
            on_reboot = "preserve"
            on_crash = "preserve"
            on_watchdog = "preserve"
            on_soft_reset = "preserve"
            bios = "seabios"
            xen_platform_pci = 0
            vga = "none"
            vnc = 0
            usb = 0
            device_model_args_hvm = [ "-drive", "if=none,id=disk0,node-name=node0,file=/a \"b,,c.qcow2,format=qcow2,cache=writeback,discard=unmap,detect-zeroes=unmap", "-device", "virtio-blk-pci,id=vdisk0,drive=disk0,addr=0x2,bootindex=1,serial=s", "-netdev", "stream,id=net0,server=off,addr.type=unix,addr.path=/n", "-device", "virtio-net-pci,netdev=net0,mac=52:54:00:00:00:01,host_mtu=1400,addr=0x3,romfile=", "-chardev", "socket,id=port-console,server=off,path=/w/serial-console.sock", "-serial", "chardev:port-console", "-chardev", "socket,id=port-log,server=off,path=/w/serial-log.sock", "-serial", "chardev:port-log", "-device", "virtio-serial-pci", "-chardev", "socket,id=agent,server=off,path=/w/agent.sock", "-device", "virtserialport,chardev=agent,name=org.qemu.guest_agent.0", "-chardev", "socket,id=channel,server=off,path=/w/channel.sock", "-device", "virtserialport,chardev=channel,name=io.virtigo.stream", "-device", "virtio-rng-pci" ]

            """.ReplaceLineEndings("\n"), XlConfig.Build(config, XenDomainKind.Hvm, "virtigo-g-1"));
        Assert.Empty(XlConfig.Links(config with { Disks = [] }));
    }

    [Fact]
    public void Only_a_whole_PC_boots_from_a_disk_and_has_a_channel_for_streams()
    {
        Assert.All((XenDomainKind[])[XenDomainKind.Auto, XenDomainKind.Pv, XenDomainKind.Pvh], kind => Assert.Equal((false, false, 4),
            (XenAbilities.Of(kind).DiskBoot, XenAbilities.Of(kind).StreamChannel, XenAbilities.Of(kind).MaxSerials)));
        Assert.Equal((true, true, 4), (XenAbilities.Of(XenDomainKind.Hvm).DiskBoot, XenAbilities.Of(XenDomainKind.Hvm).StreamChannel, XenAbilities.Of(XenDomainKind.Hvm).MaxSerials));
        foreach (XenDomainKind kind in Enum.GetValues<XenDomainKind>())
        {
            Assert.All(HypervisorFeature.All.Where(feature => !feature.IsIn(XenAbilities.Of(kind))), feature => Assert.Contains(feature.Name, XenAbilities.Of(kind).Reasons));
        }
    }

    [Fact]
    public void A_quoted_text_ends_where_it_is_meant_to()
    {
        Gen.Char[' ', '~'].Array[0, 40].Select(each => new string(each)).Sample(text =>
        {
            string quoted = XlConfig.Quote(text);
            var read = new StringBuilder();
            int at = 1;
            for (; quoted[at] != '"'; at++)
            {
                read.Append(quoted[at] == '\\' ? quoted[++at] : quoted[at]);
            }

            return read.ToString() == text && at == quoted.Length - 1;
        }, iter: 20_000);
    }

    [Theory]
    [InlineData("Waiting for domain virtigo-a.b_c-01 (domid 12) to die [pid 2334]", 12, null, false)]
    [InlineData("Domain 1 has shut down, reason code 3 0x3", 1, DomainEnd.Crash, false)]
    [InlineData("Domain 1 has shut down, reason code 0 0x0", 1, DomainEnd.PowerOff, false)]
    [InlineData("Domain 65535 has been destroyed.", 65535, null, true)]
    public void What_xl_tells_of_a_domain_is_read(string line, int domain, object? end, bool gone) =>
        Assert.Equal(new XlEvent(domain, (DomainEnd?)end, gone), XlEvent.Parse(line));

    [Fact]
    public void What_tells_nothing_of_a_domain_is_passed_over()
    {
        string[] lines =
        [
            "", "Parsing config from /w/domain.cfg", "Domain 1 has shut down", "Domain 65536 has been destroyed.", "Domain -1 has been destroyed.",
            "Domain 1 has shut down, reason code 256 0x100", "Waiting for domain a b (domid 1) to die", "libxl: error: Domain 1 has been destroyed.",
        ];

        Assert.All(lines, line => Assert.Null(XlEvent.Parse(line)));
        Gen.String.Sample(text => XlEvent.Parse("Domain 1 has been destroyed" + text) is { Gone: true } && XlEvent.Parse(text) is null or { Domain: >= 0 }, iter: 20_000);
    }

    [Theory]
    [InlineData(false, DomainEnd.PowerOff, 0, null, GuestExitReason.GuestShutdown)]
    [InlineData(true, DomainEnd.PowerOff, 0, null, GuestExitReason.GuestShutdown)]
    [InlineData(false, DomainEnd.Reboot, 0, null, GuestExitReason.GuestReset)]
    [InlineData(false, DomainEnd.Crash, 0, "Kernel panic - not syncing: VFS", GuestExitReason.GuestPanicked)]
    [InlineData(false, DomainEnd.Crash, 0, null, GuestExitReason.GuestPanicked)]
    [InlineData(false, null, 0, "Kernel panic - not syncing: a lie", GuestExitReason.HypervisorDied)]
    [InlineData(false, null, 137, null, GuestExitReason.HypervisorDied)]
    [InlineData(false, (DomainEnd)77, 0, null, GuestExitReason.HypervisorDied)]
    [InlineData(true, null, 0, null, GuestExitReason.Killed)]
    public void An_end_is_told_by_what_is_known_of_it(bool killed, object? end, int code, string? panic, GuestExitReason expected)
    {
        GuestExit exit = XenExit.Conclude(killed, (DomainEnd?)end, code, "", panic, "xl");

        Assert.Equal(expected, exit.Reason);
        Assert.EndsWith(expected == GuestExitReason.GuestPanicked && panic is not null ? panic : ".", exit.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public void What_it_cannot_do_is_refused_with_what_is_expected()
    {
        GuestConfig good = Config();
        XenConfigCheck.Check(good, XenDomainKind.Pvh);
        XenConfigCheck.Check(good with { Kernel = null, Disks = [new GuestDisk("/d", DiskFormat.Raw) { Serial = "s" }] }, XenDomainKind.Hvm);
        GuestConfig[] bad =
        [
            good with { Accelerator = Accelerator.Kvm }, good with { CpuModel = "host" }, good with { WorkDirectory = "/w,x" }, good with { WorkDirectory = "/w\"" },
            good with { Disks = [new GuestDisk("/d", DiskFormat.Raw) { Serial = "s" }] }, good with { AgentChannel = true, WorkDirectory = "/" + new string('w', 200) },
            good with { Kernel = good.Kernel! with { CommandLine = "a\nb" } }, good with { Kernel = good.Kernel! with { CommandLine = new string('a', 2048) } },
        ];

        Assert.All(bad, config => Assert.NotEqual(FailureKind.Internal, Assert.Throws<VirtigoException>(() => XenConfigCheck.Check(config, XenDomainKind.Pvh)).Kind));
    }

    [Fact]
    public void The_memory_of_domains_is_summed_by_their_names() => Assert.Equal(640, Xl.MemoryMiB("""
        Name                                        ID   Mem VCPUs	State	Time(s)
        Domain-0                                     0   768     1     r-----     100.4
        virtigo-a-0123abcd                           3   512     1     -b----       4.2
        other                                        4   256     1     -b----       4.2
        virtigo-b-0123abcd                           5   128     1     --p---       0.0
        virtigo-c
        virtigo-d-0123abcd                           6   many    1     --p---       0.0
        """.ReplaceLineEndings("\n"), "virtigo-"));

    [Theory]
    [InlineData("virt_caps              : pv hvm hap shadow gnttab-v1", true)]
    [InlineData("virt_caps              : pv hvm gnttab-v1 gnttab-v2", false)]
    [InlineData("virt_caps              : pv", false)]
    [InlineData("host : virt_caps: hvm hap", false)]
    [InlineData("", false)]
    public void Guests_are_PVH_where_the_processor_helps(string info, bool expected) =>
        Assert.Equal(expected, Xl.HasPvh("host : a\n" + info + "\nxen_version            : 4.20.5-pre\n"));

    [Fact]
    public void A_line_of_what_xl_knows_is_found_by_its_key()
    {
        Assert.Equal("4.20.5-pre", Xl.Info("host                   : dom0\nxen_version            : 4.20.5-pre\n", "xen_version"));
        Assert.Null(Xl.Info("a xen_version : 1\nxen_versions: 2\n: 3\nxen_version", "xen_version"));
        Gen.String.Sample(text => !(Xl.Info(text, "xen_version") ?? "").Contains('\n'), iter: 5_000);
    }

    [Fact]
    public async Task A_host_that_is_no_dom0_is_told_so_with_what_mends_it()
    {
        Assert.True(XenHypervisor.IsControlDomain("control_d\n"));
        Assert.False(XenHypervisor.IsControlDomain("not_control_d\n"));
        Assert.False(XenHypervisor.IsControlDomain(""));
        Assert.SkipWhen(File.Exists("/proc/xen/capabilities"), "this host runs on Xen");
        HypervisorPresence presence = await new XenHypervisor(new HostPaths("/c", "/d", "/s", "/e", "/r")).LookAsync(Token);

        Assert.False(presence.IsUsable);
        Assert.Contains("dom0", presence.Reason, StringComparison.Ordinal);
        Assert.Contains("xen-system-amd64", presence.Mend, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("/dev/pts/0", true)]
    [InlineData("/dev/pts/17", true)]
    [InlineData("/dev/pts/../sda", false)]
    [InlineData("/dev/pts/-1", false)]
    [InlineData("/etc/shadow", false)]
    public void Only_a_terminal_is_taken_for_a_console(string path, bool expected)
    {
        if (expected)
        {
            Assert.Equal(path, XenDomain.Terminal(path));
        }
        else
        {
            Assert.Contains(path, Assert.Throws<VirtigoException>(() => XenDomain.Terminal(path)).Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void A_request_to_the_store_has_its_head_and_what_is_too_long_is_refused()
    {
        Assert.Equal([11, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, .. "/a\0b"u8], StoreMessage.Ask(StoreOperation.Write, 7, ["/a"], "b"));
        Assert.Throws<ArgumentException>(() => StoreMessage.Ask(StoreOperation.Write, 1, ["/a"], new string('x', 4096)));
        Assert.Null(StoreMessage.Head([2, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 16, 0, 0]));
        Assert.Null(StoreMessage.Head([2]));
        Gen.Byte.Array[0, 32].Sample(bytes => StoreMessage.Head(bytes) is not { } head || head.Length is >= 0 and <= StoreMessage.LongestPayload, iter: 20_000);
    }

    [Fact]
    public async Task The_store_is_asked_and_a_value_that_comes_later_is_awaited()
    {
        string path = Path.Combine(_folder.FullName, "s");
        using var listener = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        listener.Bind(new UnixDomainSocketEndPoint(path));
        listener.Listen(1);
        await using XenStore store = await XenStore.ConnectAsync(path, Token);
        using Socket server = await listener.AcceptAsync(Token);
        await using var peer = new NetworkStream(server);

        Task<string?> reading = store.ReadAsync("/a", Token);
        Assert.Equal((StoreOperation.Read, "/a\0"), await TakeAsync());
        await SayAsync(StoreOperation.WatchEvent, 0, "/other\0token\0");
        await SayAsync(StoreOperation.Read, 1, "value");
        Assert.Equal("value", await reading);

        reading = store.ReadAsync("/b", Token);
        await TakeAsync();
        await SayAsync(StoreOperation.Error, 2, "ENOENT\0");
        Assert.Null(await reading);

        Task writing = store.WriteAsync("/c", "d", Token);
        Assert.Equal((StoreOperation.Write, "/c\0d"), await TakeAsync());
        await SayAsync(StoreOperation.Error, 3, "EACCES\0");
        Assert.Contains("EACCES", (await Assert.ThrowsAsync<VirtigoException>(() => writing)).Message, StringComparison.Ordinal);

        Task<string> awaiting = store.AwaitAsync("/tty", Token);
        Assert.Equal((StoreOperation.Watch, "/tty\0/tty\0"), await TakeAsync());
        await SayAsync(StoreOperation.Watch, 4, "OK\0");
        await TakeAsync();
        await SayAsync(StoreOperation.Read, 5, "");
        await SayAsync(StoreOperation.WatchEvent, 0, "/tty\0/tty\0");
        await TakeAsync();
        await SayAsync(StoreOperation.Read, 6, "/dev/pts/3");
        Assert.Equal("/dev/pts/3", await awaiting);

        reading = store.ReadAsync("/e", Token);
        await TakeAsync();
        await peer.WriteAsync(new byte[] { 2, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255 }, Token);
        Assert.Equal(FailureKind.Host, (await Assert.ThrowsAsync<VirtigoException>(() => reading)).Kind);

        reading = store.ReadAsync("/f", Token);
        server.Shutdown(SocketShutdown.Both);
        Assert.Contains("closed", (await Assert.ThrowsAsync<VirtigoException>(() => reading)).Message, StringComparison.Ordinal);

        async Task<(StoreOperation, string)> TakeAsync()
        {
            byte[] head = new byte[StoreMessage.HeadSize];
            await peer.ReadExactlyAsync(head, Token);
            byte[] payload = new byte[StoreMessage.Head(head)!.Value.Length];
            await peer.ReadExactlyAsync(payload, Token);
            return (StoreMessage.Head(head)!.Value.Operation, Encoding.ASCII.GetString(payload));
        }

        async Task SayAsync(StoreOperation operation, uint request, string payload) =>
            await peer.WriteAsync(StoreMessage.Ask(operation, request, [], payload), Token);
    }

    [Fact]
    public async Task Without_a_store_it_is_said_where_it_was_looked_for()
    {
        VirtigoException error = await Assert.ThrowsAsync<VirtigoException>(() => XenStore.ConnectAsync(Path.Combine(_folder.FullName, "none"), Token));

        Assert.Equal(FailureKind.Host, error.Kind);
        Assert.Contains(_folder.FullName, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_checksum_that_a_guest_left_to_others_is_completed()
    {
        var source = Ipv4Address.Of(10, 9, 0, 1);
        var target = Ipv4Address.Of(10, 9, 0, 2);
        Gen.Byte.Array[20, 1480].Sample(segment =>
        {
            const int place = 16;
            BinaryPrimitives.WriteUInt16BigEndian(segment.AsSpan(place), 0);
            ushort expected = InternetChecksum.Of(segment, source, target, IpProtocol.Tcp);

            // The sum of the pseudo header alone, not inverted, is what a kernel leaves there.
            byte[] frame = [.. new byte[34], .. segment];
            byte[] none = new byte[segment.Length];
            ushort pseudo = (ushort)~InternetChecksum.Of(none, source, target, IpProtocol.Tcp);
            BinaryPrimitives.WriteUInt16BigEndian(frame.AsSpan(34 + place), pseudo);
            return VifHeader.Complete([1, 0, 0, 0, 0, 0, 34, 0, place, 0], frame)
                && BinaryPrimitives.ReadUInt16BigEndian(frame.AsSpan(34 + place)) == (expected == 0 ? ushort.MaxValue : expected);
        }, iter: 2_000);
    }

    [Fact]
    public void A_frame_whose_header_lies_is_dropped_and_nothing_outside_of_it_is_touched()
    {
        Assert.True(VifHeader.Complete(new byte[10], []));
        Assert.False(VifHeader.Complete([0, 1, 0, 0, 0, 0, 0, 0, 0, 0], new byte[60]));
        Assert.False(VifHeader.Complete([1, 0, 0, 0, 0, 0, 60, 0, 0, 0], new byte[60]));
        Assert.False(VifHeader.Complete([1, 0, 0, 0, 0, 0, 34, 0, 25, 0], new byte[60]));
        Assert.True(VifHeader.Complete([1, 0, 0, 0, 0, 0, 34, 0, 24, 0], new byte[60]));
        Gen.Select(Gen.Byte.Array[10], Gen.Byte.Array[0, 80]).Sample((header, frame) =>
        {
            byte[] before = [.. frame];
            return VifHeader.Complete(header, frame) || before.SequenceEqual(frame);
        }, iter: 20_000);
    }

    [Fact]
    public async Task Frames_with_a_header_lose_it_to_the_network_and_get_an_empty_one_from_it()
    {
        (Socket network, Socket switched) = LocalSockets.StreamPair();
        string place = Path.Combine(Directory.CreateTempSubdirectory("virtigo-vif-").FullName, "card");
        using Socket cards = FramePump.Listen(place);
        var guest = new Socket(AddressFamily.Unix, SocketType.Seqpacket, ProtocolType.Unspecified);
        await guest.ConnectAsync(new UnixDomainSocketEndPoint(place), TestContext.Current.CancellationToken);
        Socket card = await cards.AcceptAsync(TestContext.Current.CancellationToken);
        Directory.Delete(Path.GetDirectoryName(place)!, recursive: true);
        using (switched)
        using (guest)
        {
            await using var pump = new FramePump(network, card, VifHeader.Instance);
            using var stream = new NetworkStream(switched);
            byte[] buffer = new byte[64];
            await guest.SendAsync(new byte[] { 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 9, 9 }, SocketFlags.None, Token);
            await guest.SendAsync(new byte[5], SocketFlags.None, Token);
            await guest.SendAsync(new byte[] { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7, 8 }, SocketFlags.None, Token);
            await stream.ReadExactlyAsync(buffer.AsMemory(0, 6), Token);
            Assert.Equal([0, 0, 0, 2, 7, 8], buffer[..6]);

            await stream.WriteAsync(buffer.AsMemory(0, 6), Token);
            Assert.Equal(12, await guest.ReceiveAsync(buffer, SocketFlags.None, Token));
            Assert.Equal([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7, 8], buffer[..12]);
        }
    }

    [Fact]
    public async Task A_bridge_carries_floods_both_ways_and_ends_with_the_domain_leaving_the_socket_for_the_next()
    {
        (Socket ours, Socket theirs) = LocalSockets.StreamPair();
        await using var user = new NetworkStream(ours, ownsSocket: true);
        using (theirs)
        {
            for (int life = 0; life < 2; life++)
            {
                (Socket near, Socket far) = LocalSockets.StreamPair();
                await using var bridge = GuestBridge.Over(near, theirs);
                GC.Collect();
                GC.WaitForPendingFinalizers();
                await using var guest = new NetworkStream(far, ownsSocket: true);
                byte[] flood = [.. Enumerable.Range(0, 1 << 20).Select(each => (byte)(each * 31 + life))];
                await Task.WhenAll(CarriedAsync(guest, user, flood), CarriedAsync(user, guest, flood)).WaitAsync(TimeSpan.FromSeconds(20), Token);
                await guest.WriteAsync("last"u8.ToArray(), Token);
                await guest.DisposeAsync();
                await bridge.Ended.WaitAsync(TimeSpan.FromSeconds(20), Token);
                byte[] last = new byte[4];
                await user.ReadExactlyAsync(last, Token);
                Assert.Equal("last", Encoding.ASCII.GetString(last));
            }
        }

        static async Task CarriedAsync(Stream from, Stream to, byte[] bytes)
        {
            byte[] got = new byte[bytes.Length];
            Task writing = from.WriteAsync(bytes, Token).AsTask();
            await to.ReadExactlyAsync(got, Token);
            await writing;
            Assert.Equal(bytes, got);
        }
    }

    [Fact]
    public async Task A_bridge_that_nobody_reads_is_ended_all_the_same()
    {
        (Socket ours, Socket theirs) = LocalSockets.StreamPair();
        (Socket near, Socket far) = LocalSockets.StreamPair();
        using (ours)
        using (theirs)
        using (far)
        {
            var bridge = GuestBridge.Over(near, theirs);
            far.Blocking = false;
            byte[] block = new byte[64 << 10];
            for (int sent = 0; sent < 100; sent++)
            {
                _ = far.Send(block, SocketFlags.None, out SocketError error);
                if (error == SocketError.WouldBlock)
                {
                    await Task.Delay(5, Token);
                }
            }

            await bridge.DisposeAsync().AsTask().WaitAsync(TimeSpan.FromSeconds(20), Token);
        }
    }

    private static GuestConfig Config() => new()
    {
        Name = "g",
        WorkDirectory = "/w",
        MemoryMiB = 64,
        Kernel = new KernelBoot("/k", "/i", "console=hvc0"),
    };
}

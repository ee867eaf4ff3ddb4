using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Text;
using Virtigo.GuestTests.Xen;
using Virtigo.Host;
using Virtigo.Hypervisors;
using Virtigo.Hypervisors.Xen;
using Xunit;

namespace Virtigo.GuestTests.Hypervisors;

/// <summary>
/// What a guest of Xen does. These tests run in a dom0, which <see cref="XenBedTests"/> starts; on any other host they are skipped.
/// </summary>
public abstract class XenGuestTests(KernelFixture fixture, XenDomainKind kind) : HypervisorConformance(fixture)
{
    private const string OwnerVariable = "VIRTIGO_TEST_XEN_OWNER";

    protected override IHypervisor Hypervisor { get; } = new XenHypervisor(fixture.Paths, kind);

    protected override (string Disk, string SecondDisk, string Nic, string Agent) Devices => IsMachine
        ? ("/dev/vda", "/dev/vdb", "eth0", "/dev/$(ls /sys/class/virtio-ports)")
        : ("/dev/xvda", "/dev/xvdb", "eth0", XlConfig.AgentDevice(1));

    protected override bool TellsMtu => IsMachine;

    // In the bed, each interrupt of a guest that is not PV is a way through an emulated processor's own virtualisation.
    protected override int FloodLines => kind == XenDomainKind.Pv ? base.FloodLines : 6000;

    private bool IsMachine => kind == XenDomainKind.Hvm;

    private static XenGround Ground => XenGround.Found ?? throw new InvalidOperationException("No ground is given.");

    [Fact]
    public async Task A_dom0_is_usable_and_a_probe_says_how_guests_run_and_how_fast()
    {
        await ExpectDom0Async();
        HypervisorPresence presence = await Hypervisor.LookAsync(Token);
        AcceleratorReport report = await Hypervisor.ProbeAsync(Ground.Kernel, Token);

        Assert.Null(presence.Reason);
        Assert.Matches(@"\AXen 4\.[0-9]+", presence.Version);
        Assert.Equal(Accelerator.Xen, report.Accelerator);
        Assert.Contains($"({kind.ToString().ToUpperInvariant()})", report.Announcement, StringComparison.Ordinal);
        Assert.InRange(report.Speed.ProbeTime, TimeSpan.FromMilliseconds(100), TimeSpan.FromSeconds(100));
        Assert.True((await new XenHypervisor(Fixture.Paths, kind).ProbeAsync(Ground.Kernel, Token)).FromCache);
    }

    [Fact]
    public async Task A_kernels_command_line_arrives_as_it_is_and_is_in_no_list_of_processes()
    {
        GuestConfig config = await ConfigAsync("words");
        const string words = """a="b c" d='e' f\g h\\i \x41 $(j) #k;l [m] {n} ü""";
        await using TinyGuest guest = await StartAsync(config with { Kernel = config.Kernel! with { CommandLine = $"{config.Kernel.CommandLine} {words}" } });

        Assert.Contains(words + "\n", await guest.RunAsync("cat /proc/cmdline"), StringComparison.Ordinal);
        if (IsMachine)
        {
            // Its QEMU loads the kernel, and is told by arguments.
            return;
        }

        Assert.DoesNotContain("f\\g", await Tool.RunAsync("ps", ["-e", "-o", "args"], Token), StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_power_button_of_a_guest_whose_system_answers_it_is_a_clean_end()
    {
        await using TinyGuest guest = await StartAsync(await ConfigAsync("button"));
        await guest.RunAsync("mkdir -p /sbin; printf '#!/bin/sh\\npoweroff -f\\n' >/sbin/poweroff; chmod +x /sbin/poweroff");
        await guest.Guest.PowerButtonAsync(Token);

        Assert.Equal(GuestExitReason.GuestShutdown, (await guest.Guest.Exited.WaitAsync(Limit, Token)).Reason);
    }

    [Fact]
    public async Task A_disk_in_qcow2_and_a_disc_are_what_they_are()
    {
        GuestConfig config = await ConfigAsync("formats");
        string disc = Fixture.At("xen-disc.iso");
        await File.WriteAllBytesAsync(disc, Encoding.ASCII.GetBytes("a disc".PadRight(1 << 20)), Token);
        string disk = Fixture.At("xen-disk.qcow2");
        File.Copy(Ground.Qcow2, disk, overwrite: true);
        await using TinyGuest guest = await StartAsync(config with
        {
            Disks = [new GuestDisk(disk, DiskFormat.Qcow2), new GuestDisk(disc, DiskFormat.Raw) { ReadOnly = true, IsDisc = true }],
        });

        string name = Path.GetFileName(Devices.Disk);
        Assert.Contains("1048576", await guest.RunAsync($"cat /sys/class/block/{name}/size | {{ read n; echo $((n * 512)); }}"), StringComparison.Ordinal);
        Assert.Contains("in it", await guest.RunAsync($"echo 'in it' >{Devices.Disk}; sync; head -n 1 {Devices.Disk}"), StringComparison.Ordinal);
        Assert.Contains("a disc", await guest.RunAsync($"head -c 6 {(IsMachine ? "/dev/sr0" : Devices.SecondDisk)}; echo"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Nothing_of_dom0s_answers_on_a_network_of_a_guest()
    {
        string socket = Fixture.At("xen-quiet/s");
        await using Virtigo.Networks.NetworkSwitch network = Virtigo.Networks.NetworkSwitch.Start(new Virtigo.Networks.SwitchOptions
        {
            Networks =
            [
                new Virtigo.Networks.SwitchNetwork("lan", new Virtigo.Networks.Ipv4Subnet(Virtigo.Networks.Ipv4Address.Of(10, 9, 0, 0), 24), null, 1500,
                    [new Virtigo.Networks.SwitchPort("m", new Virtigo.Networks.MacAddress(0x52540000000a), Virtigo.Networks.Ipv4Address.Of(10, 9, 0, 10), null, socket)]),
            ],
        });
        GuestConfig config = await ConfigAsync("quiet") with { Nics = [new GuestNic(socket, "52:54:00:00:00:0a")] };
        await Tool.RunAsync("ip", ["address", "add", "10.9.0.77/24", "dev", "lo"], Token);
        try
        {
            await using TinyGuest guest = await StartAsync(config);
            await guest.RunAsync("ip address add 10.9.0.10/24 dev eth0; ip link set eth0 up");

            Assert.Contains("100% packet loss", await guest.RunAsync("ping -c 2 -W 2 10.9.0.77"), StringComparison.Ordinal);
        }
        finally
        {
            await Tool.RunAsync("ip", ["address", "del", "10.9.0.77/24", "dev", "lo"], Token);
        }
    }

    [Fact]
    public async Task A_domain_destroyed_by_someone_else_is_told_apart()
    {
        GuestConfig config = await ConfigAsync("taken");
        await using TinyGuest guest = await StartAsync(config);
        await Tool.RunAsync("xl", ["destroy", (await DomainAsync("taken"))!], Token);
        GuestExit exit = await guest.Guest.Exited.WaitAsync(Limit, Token);

        Assert.Equal(GuestExitReason.HypervisorDied, exit.Reason);
        Assert.Contains("destroyed by someone else", exit.Detail, StringComparison.Ordinal);
        AssertNothingLeft(config, guest.Guest);
    }

    [Fact]
    public async Task A_guest_that_cannot_be_made_shows_the_words_of_xl_and_leaves_nothing()
    {
        GuestConfig config = await ConfigAsync("wrong");
        string kernel = Fixture.At("xen-no-kernel");
        await File.WriteAllTextAsync(kernel, "no kernel", Token);
        VirtigoException error = await Assert.ThrowsAsync<VirtigoException>(
            () => Hypervisor.StartAsync(config with { Kernel = new KernelBoot(kernel, null, "") }, Token));

        Assert.Equal(FailureKind.Host, error.Kind);
        Assert.Contains("libxl: error", error.Message, StringComparison.Ordinal);
        Assert.Contains("xl create", error.Hint, StringComparison.Ordinal);
        Assert.Empty(Directory.EnumerateFileSystemEntries(config.WorkDirectory));
        Assert.Null(await DomainAsync("wrong"));
    }

    [Fact]
    public async Task Killing_Virtigo_outright_leaves_no_domain()
    {
        await ExpectDom0Async();
        KernelBoot boot = await BootAsync();
        DirectoryInfo folder = Directory.CreateTempSubdirectory("vt");
        var start = new ProcessStartInfo(Environment.ProcessPath!) { RedirectStandardOutput = true };
        start.Environment[OwnerVariable] = $"{folder.FullName}:{boot.KernelPath}:{boot.InitrdPath}:{kind}";
        using Process owner = Process.Start(start)!;
        try
        {
            Assert.Equal("made", await owner.StandardOutput.ReadLineAsync(Token));
            Assert.NotNull(await DomainAsync("owned"));
            owner.Kill();
            using var limit = new CancellationTokenSource(Limit);
            while (await DomainAsync("owned") is not null)
            {
                await Task.Delay(100, limit.Token);
            }
        }
        finally
        {
            owner.Kill();
            folder.Delete(recursive: true);
        }
    }

    [Fact]
    public async Task A_second_serial_port_is_another_and_the_agents_channel_a_third()
    {
        GuestConfig config = await ConfigAsync("ports");
        await using TinyGuest guest = await StartAsync(config with { Serials = [.. config.Serials, new GuestSerial("log")], AgentChannel = true });
        await using Stream second = guest.Guest.OpenSerial("log");
        string device = IsMachine ? "/dev/ttyS1" : "/dev/hvc1", agent = IsMachine ? Devices.Agent : XlConfig.AgentDevice(2);

        // Open from here on: what is typed while nobody has a serial port open is lost.
        await guest.RunAsync($"exec 4<>{device}; stty raw -echo <&4; echo on-the-second >&4; echo on-the-third >{agent}");

        Assert.Equal("on-the-second", await ReadAsync(second, "on-the-second".Length));
        Assert.Equal("on-the-third", await ReadAsync(guest.Guest.Agent!, "on-the-third".Length));
        await second.WriteAsync("and back\n"u8.ToArray(), Token);
        Assert.Contains("got and back", await guest.RunAsync($"read -r line <&4; echo got \"$line\""), StringComparison.Ordinal);

        static async Task<string> ReadAsync(Stream port, int count)
        {
            byte[] said = new byte[count];
            await port.ReadExactlyAsync(said, Token);
            return Encoding.ASCII.GetString(said);
        }
    }

    protected override async Task<GuestConfig> ConfigAsync(string name)
    {
        await ExpectDom0Async();
        return await base.ConfigAsync(name);
    }

    protected override async Task<KernelBoot> BootAsync()
    {
        string initrd = Fixture.At(IsMachine ? "xen-machine-initrd" : "xen-initrd");
        string console = IsMachine ? "ttyS0" : "hvc0";

        // A serial port takes its time where every byte is a way through Xen.
        string quiet = IsMachine ? " loglevel=6" : "";
        if (!File.Exists(initrd))
        {
            var modules = new List<(string, byte[])>();
            foreach (string path in IsMachine ? Ground.MachineModules : Ground.OwnModules)
            {
                modules.Add((Path.GetFileName(path), await File.ReadAllBytesAsync(path, Token)));
            }

            // A disk of Xen's is there a moment after its driver.
            await TinyGuest.WriteInitrdAsync(initrd, await Fixture.BusyboxAsync(), modules, console,
                "for each in /sys/bus/xen/devices/vbd-*; do n=0; while [ -e $each ] && [ ! -e $each/block ] && [ $n -lt 100 ]; do usleep 50000; n=$((n + 1)); done; done");
        }

        return new KernelBoot(Fixture.Kernel, initrd, $"console={console} panic=-1{quiet}");
    }

    private async Task ExpectDom0Async()
    {
        HypervisorPresence presence = await Hypervisor.LookAsync(Token);
        Assert.SkipUnless(presence.IsUsable && XenGround.Found is not null, $"{presence.Reason ?? "no ground for these tests is given"}; XenBedTests runs this in a dom0");
    }

    private static async Task<string?> DomainAsync(string guest) => (await Tool.RunAsync("xl", ["list"], Token)).Split('\n')
        .Select(line => line.Split(' ')[0]).FirstOrDefault(name => name.StartsWith($"virtigo-{guest}-", StringComparison.Ordinal));

    [ModuleInitializer]
    internal static void OwnIfAsked()
    {
        if (Environment.GetEnvironmentVariable(OwnerVariable)?.Split(':') is not [string folder, string kernel, string initrd, string kind])
        {
            return;
        }

        // No other thread may enter this module before its initializer has ended, so everything here is done by this one.
        var config = new GuestConfig
        {
            Name = "owned",
            WorkDirectory = folder,
            MemoryMiB = 128,
            Kernel = new KernelBoot(kernel, initrd, "console=hvc0"),
            Serials = [new GuestSerial("console")],
        };
        IGuest guest = new XenHypervisor(new HostPaths(folder, folder, folder, folder, folder), Enum.Parse<XenDomainKind>(kind))
            .StartAsync(config, CancellationToken.None).GetAwaiter().GetResult();
        Console.WriteLine("made");
        guest.Exited.Wait();
        Environment.Exit(1);
    }
}

/// <summary>Guests that are paravirtualised.</summary>
[Collection(KernelGuests.Name)]
public sealed class XenPvGuestTests(KernelFixture fixture) : XenGuestTests(fixture, XenDomainKind.Pv);

/// <summary>Guests that the processor virtualises.</summary>
[Collection(KernelGuests.Name)]
public sealed class XenPvhGuestTests(KernelFixture fixture) : XenGuestTests(fixture, XenDomainKind.Pvh);

/// <summary>Guests that are whole PCs.</summary>
[Collection(KernelGuests.Name)]
public sealed class XenHvmGuestTests(KernelFixture fixture) : XenGuestTests(fixture, XenDomainKind.Hvm);

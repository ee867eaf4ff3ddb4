using System.Text;
using Virtigo.Host;
using Virtigo.Hypervisors;
using Virtigo.Machines;
using Virtigo.Networks;
using Xunit;

namespace Virtigo.GuestTests.Hypervisors;

/// <summary>What a guest of every hypervisor does. A test is skipped only where the hypervisor says itself that its guests cannot.</summary>
public abstract class HypervisorConformance(KernelFixture fixture)
{
    private const string Console = "console";

    /// <summary>How long a guest may take for what it is waited for: far more than anything takes, even in a guest of a guest.</summary>
    protected static readonly TimeSpan Limit = TimeSpan.FromMinutes(3);

    protected static CancellationToken Token => TestContext.Current.CancellationToken;

    protected KernelFixture Fixture => fixture;

    /// <summary>The hypervisor.</summary>
    protected abstract IHypervisor Hypervisor { get; }

    /// <summary>The names of its devices in a guest.</summary>
    protected abstract (string Disk, string SecondDisk, string Nic, string Agent) Devices { get; }

    /// <summary>What it says of a hypervisor that was killed by signal 9, as far as it can know.</summary>
    protected virtual string DeathWords => "signal 9";

    /// <summary>Whether a card tells the guest how large its packets may be.</summary>
    protected virtual bool TellsMtu => true;

    /// <summary>How many lines a flood is: as many as the console takes in a minute.</summary>
    protected virtual int FloodLines => 60_000;

    /// <summary>A kernel for it and an initrd of <see cref="TinyGuest"/>.</summary>
    protected abstract Task<KernelBoot> BootAsync();

    [Fact]
    public async Task A_guest_that_powers_itself_off_ends_cleanly_and_leaves_nothing()
    {
        GuestConfig config = await ConfigAsync("off");
        string log = fixture.At(Hypervisor.Name + "-off.log");
        await using TinyGuest guest = await StartAsync(config with { Serials = [new GuestSerial(Console) { LogFile = log }] });
        Assert.Contains("Linux", await guest.RunAsync("uname -a"), StringComparison.Ordinal);
        await guest.TypeAsync("poweroff -f");

        Assert.Equal(GuestExitReason.GuestShutdown, (await guest.Guest.Exited.WaitAsync(Limit, Token)).Reason);
        Assert.Contains("Linux version", await File.ReadAllTextAsync(log, Token), StringComparison.Ordinal);
        AssertNothingLeft(config, guest.Guest);
    }

    [Fact]
    public async Task A_reboot_ends_a_guest_that_is_not_to_start_again()
    {
        await using TinyGuest guest = await StartAsync(await ConfigAsync("reboot"));
        await guest.TypeAsync("reboot -f");

        Assert.Equal(GuestExitReason.GuestReset, (await guest.Guest.Exited.WaitAsync(Limit, Token)).Reason);
    }

    [Fact]
    public async Task A_reset_starts_the_guest_again()
    {
        Require("reset");
        GuestConfig config = await ConfigAsync("reset");
        await using TinyGuest guest = await StartAsync(config with { RestartOnReset = true });
        await guest.RunAsync("touch /here");

        await guest.Guest.ResetAsync(Token);
        await guest.AwaitShellAsync();
        Assert.Contains("gone", await guest.RunAsync("[ -e /here ] || echo go''ne"), StringComparison.Ordinal);
        await guest.Guest.KillAsync(Token);
        AssertNothingLeft(config, guest.Guest);
    }

    [Fact]
    public async Task A_panic_is_told_with_its_words()
    {
        GuestConfig config = await ConfigAsync("panic");
        await using TinyGuest guest = await StartAsync(config);
        await guest.TypeAsync("echo c >/proc/sysrq-trigger");
        GuestExit exit = await guest.Guest.Exited.WaitAsync(Limit, Token);

        Assert.Equal(GuestExitReason.GuestPanicked, exit.Reason);
        Assert.Contains("sysrq triggered crash", exit.Detail, StringComparison.Ordinal);
        AssertNothingLeft(config, guest.Guest);
    }

    [Fact]
    public async Task A_flood_on_the_console_is_read_whole_and_kept_within_its_limit()
    {
        string log = fixture.At(Hypervisor.Name + "-flood.log");
        await using TinyGuest guest = await StartAsync(await ConfigAsync("flood") with { Serials = [new GuestSerial(Console) { LogFile = log, LogLimit = 1000 }] });
        string said = await guest.RunAsync($"yes flood-of-words | head -n {FloodLines}");
        await guest.Guest.KillAsync(Token);

        Assert.Equal(FloodLines, said.Split("flood-of-words\n").Length - 1);
        Assert.InRange(new FileInfo(log).Length, 1000, 1000 + SerialPort.MemoryLimit + 100);
    }

    [Fact]
    public async Task The_agents_channel_carries_bytes_both_ways()
    {
        Require("agent");
        await using TinyGuest guest = await StartAsync(await ConfigAsync("agent") with { AgentChannel = true });
        await guest.RunAsync($"exec 3<>{Devices.Agent}; stty raw -echo <&3 2>/dev/null; (while read line <&3; do echo \"[$line]\" >&3; done) &");
        Stream agent = guest.Guest.Agent!;
        foreach (string word in (string[])["first", "second"])
        {
            await agent.WriteAsync(Encoding.ASCII.GetBytes(word + "\n"), Token);
            byte[] answer = new byte[word.Length + 3];
            await agent.ReadExactlyAsync(answer, Token).AsTask().WaitAsync(Limit, Token);
            Assert.Equal($"[{word}]\n", Encoding.ASCII.GetString(answer));
        }
    }

    [Fact]
    public async Task An_agent_that_begins_after_a_long_boot_is_found()
    {
        Require("agent");
        await using TinyGuest guest = await StartAsync(await ConfigAsync("late") with { AgentChannel = true });
        var clock = new HurriedClock { Times = 100 };
        using var agent = GuestAgent.Of(guest.Guest, clock);
        Task found = agent.WaitAsync(Token);
        await Task.Delay(TimeSpan.FromMinutes(15), clock, Token);
        clock.Times = 1;
        await guest.RunAsync($"exec 3<>{Devices.Agent}; stty raw -echo <&3 2>/dev/null; "
            + """(while read line <&3; do echo "{\"return\": $(echo "$line" | tr -dc 0-9)}" >&3; done) &""");

        await found.WaitAsync(Limit, Token);
    }

    [Fact]
    public async Task Disks_are_written_and_read_and_one_that_cannot_be_written_is_not()
    {
        string first = Disk("first", 0);
        string second = Disk("second", (byte)'2');
        await using TinyGuest guest = await StartAsync(await ConfigAsync("disks") with
        {
            Disks = [new GuestDisk(first, DiskFormat.Raw), new GuestDisk(second, DiskFormat.Raw) { ReadOnly = true }],
        });
        Assert.Contains("2222", await guest.RunAsync($"head -c 4 {Devices.SecondDisk}; echo"), StringComparison.Ordinal);
        await guest.RunAsync($"echo written | dd of={Devices.Disk} bs=512 seek=100 conv=sync; echo no | dd of={Devices.SecondDisk} conv=sync; sync");
        Assert.Contains("written", await guest.RunAsync($"echo 3 >/proc/sys/vm/drop_caches; dd if={Devices.Disk} bs=512 skip=100 count=1 | head -n 1"), StringComparison.Ordinal);
        await guest.TypeAsync("poweroff -f");
        await guest.Guest.Exited.WaitAsync(Limit, Token);

        Assert.Equal("written", Encoding.ASCII.GetString((await File.ReadAllBytesAsync(first, Token)).AsSpan(51200, 7)));
        Assert.All(await File.ReadAllBytesAsync(second, Token), each => Assert.Equal((byte)'2', each));
    }

    [Fact]
    public async Task Two_guests_on_a_network_of_ours_reach_each_other_and_it_knows_them_by_their_addresses()
    {
        Require("networks");
        string[] macs = ["52:54:00:00:00:0a", "52:54:00:00:00:0b"];
        string[] sockets = [.. macs.Select((_, i) => fixture.At($"{Hypervisor.Name}-n{i}/s"))];
        await using NetworkSwitch network = Switch(macs, sockets, checkSources: true);
        await using TinyGuest one = await StartAsync(await NetworkedAsync(0));
        await using TinyGuest two = await StartAsync(await NetworkedAsync(1));
        foreach ((TinyGuest guest, int i) in (IEnumerable<(TinyGuest, int)>)[(one, 0), (two, 1)])
        {
            string mtu = TellsMtu ? "" : $"ip link set {Devices.Nic} mtu 1400; ";
            Assert.Contains("mtu 1400", await guest.RunAsync($"{mtu}ip address add 10.9.0.{10 + i}/24 dev {Devices.Nic}; ip link set {Devices.Nic} up; ip link show {Devices.Nic}"),
                StringComparison.Ordinal);
        }

        Assert.Contains(" 0% packet loss", await one.RunAsync("ping -c 5 -i 0.2 -s 1372 10.9.0.11"), StringComparison.Ordinal);

        // One whose input has ended closes its side, upon which the other gives up: it has one for longer than two megabytes take where both are emulated twice.
        await two.RunAsync("(sleep 600 | nc -l -p 99 >/got) &");
        await one.RunAsync("sleep 1; dd if=/dev/zero bs=1024 count=2000 | nc -w 5 10.9.0.11 99");
        Assert.Contains("2048000", await two.RunAsync("for each in $(seq 500); do [ $(wc -c </got) = 2048000 ] && break; sleep 0.2; done; wc -c </got"), StringComparison.Ordinal);

        async Task<GuestConfig> NetworkedAsync(int i) =>
            await ConfigAsync("net" + i) with { Nics = [new GuestNic(sockets[i], macs[i]) { Mtu = 1400 }] };
    }

    [Fact]
    public async Task Two_cards_of_one_guest_reach_each_other_through_a_network_of_ours()
    {
        Require("networks");
        string[] macs = ["52:54:00:00:00:0c", "52:54:00:00:00:0d"];
        string[] sockets = [.. macs.Select((_, i) => fixture.At($"{Hypervisor.Name}-c{i}/s"))];
        await using NetworkSwitch network = Switch(macs, sockets, checkSources: false);
        await using TinyGuest guest = await StartAsync(await ConfigAsync("cards") with { Nics = [.. macs.Select((mac, i) => new GuestNic(sockets[i], mac))] });
        string first = Devices.Nic, second = first[..^1] + '1';

        // A question without a sender's address: one that asked itself would not answer.
        string said = await guest.RunAsync($"ip link set {first} up; ip address add 10.9.0.11/24 dev {second}; ip link set {second} up; arping -D -c 20 -w 20 -I {first} 10.9.0.11");
        Assert.Contains($"10.9.0.11 [{macs[1]}]", said, StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public async Task A_paused_guest_stands_still_and_goes_on()
    {
        Require("pause");
        await using TinyGuest guest = await StartAsync(await ConfigAsync("pause"));
        await guest.RunAsync("(while :; do :; done) &");
        await guest.Guest.PauseAsync(Token);
        await guest.Guest.PauseAsync(Token);
        await guest.TypeAsync("echo still''-here");
        await Assert.ThrowsAsync<TimeoutException>(() => guest.ReadUntilAsync("still-here", TimeSpan.FromSeconds(2)));

        await guest.Guest.ResumeAsync(Token);
        await guest.ReadUntilAsync("still-here");
        await guest.Guest.ResumeAsync(Token);
        Assert.Contains("on", await guest.RunAsync("echo o''n"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_guest_that_starts_paused_says_nothing_until_it_goes_on()
    {
        Require("pause");
        await using TinyGuest guest = await StartAsync(await ConfigAsync("held") with { StartPaused = true });
        await Assert.ThrowsAsync<TimeoutException>(() => guest.ReadUntilAsync("Linux version", TimeSpan.FromSeconds(2)));
        await guest.Guest.ResumeAsync(Token);
        await guest.AwaitShellAsync();
    }

    [Fact]
    public async Task A_SysRq_command_is_taken_by_the_kernel()
    {
        Require("sysrq");
        await using TinyGuest guest = await StartAsync(await ConfigAsync("sysrq"));
        await guest.RunAsync("echo 1 >/proc/sys/kernel/sysrq");
        await guest.Guest.SysRqAsync(Console, 'h', Token);
        await guest.ReadUntilAsync("sysrq: HELP");
        await Assert.ThrowsAsync<ArgumentException>(() => guest.Guest.SysRqAsync("none", 'h', Token));
    }

    [Fact]
    public async Task A_killed_guest_is_gone_and_takes_no_commands()
    {
        GuestConfig config = await ConfigAsync("killed");
        await using TinyGuest guest = await StartAsync(config);
        await guest.RunAsync("(while :; do :; done) &");
        await guest.Guest.KillAsync(Token);

        Assert.Equal(GuestExitReason.Killed, (await guest.Guest.Exited).Reason);
        AssertNothingLeft(config, guest.Guest);
        VirtigoException error = await Assert.ThrowsAsync<VirtigoException>(() => guest.Guest.PowerButtonAsync(Token));
        Assert.Equal(FailureKind.Guest, error.Kind);
    }

    [Fact]
    public async Task A_hypervisor_killed_by_someone_else_is_told_apart_and_leaves_nothing()
    {
        GuestConfig config = await ConfigAsync("murdered");
        await using TinyGuest guest = await StartAsync(config);
        await guest.RunAsync("(while :; do :; done) &");
        await Tool.RunAsync("sh", ["-c", $"kill -KILL {guest.Guest.ProcessId}"], Token);
        GuestExit exit = await guest.Guest.Exited.WaitAsync(Limit, Token);

        Assert.Equal(GuestExitReason.HypervisorDied, exit.Reason);
        Assert.Contains(DeathWords, exit.Detail, StringComparison.Ordinal);
        AssertNothingLeft(config, guest.Guest);
    }

    [Fact]
    public async Task What_it_cannot_do_is_refused_by_name_before_anything_starts()
    {
        GuestConfig plain = await ConfigAsync("refused");
        GuestConfig[] asking =
        [
            plain with { Kernel = null }, plain with { Firmware = FirmwareKind.Uefi }, plain with { Disks = [new GuestDisk(Disk("q", 0), DiskFormat.Qcow2)] },
            plain with { StreamChannel = true }, plain with { SavedState = "/nowhere" }, plain with { GenerationId = true }, plain with { Display = true },
            plain with { Credentials = new Dictionary<string, string> { ["a"] = "b" } },
        ];
        foreach (GuestConfig config in asking)
        {
            foreach (HypervisorFeature missing in HypervisorFeature.All.Where(feature => feature.IsAskedBy(config) && !feature.IsIn(Hypervisor.Capabilities)).Take(1))
            {
                VirtigoException error = await Assert.ThrowsAsync<VirtigoException>(() => Hypervisor.StartAsync(config, Token));
                Assert.Equal(FailureKind.Usage, error.Kind);
                Assert.Contains(missing.Description, error.Message, StringComparison.Ordinal);
            }
        }
    }

    /// <summary>Skips a test for what this hypervisor's guests cannot do.</summary>
    protected void Require(string feature) => Assert.SkipUnless(HypervisorFeature.Of(feature).IsIn(Hypervisor.Capabilities),
        $"guests of {Hypervisor.Name} cannot: {HypervisorFeature.Of(feature).Description}");

    /// <summary>A guest's configuration.</summary>
    protected virtual async Task<GuestConfig> ConfigAsync(string name) => new()
    {
        Name = name,
        WorkDirectory = fixture.At(Hypervisor.Name + "-" + name),
        MemoryMiB = 192,
        Kernel = await BootAsync(),
        Serials = [new GuestSerial(Console)],
    };

    internal async Task<TinyGuest> StartAsync(GuestConfig config)
    {
        var guest = new TinyGuest(await Hypervisor.StartAsync(config, Token));
        if (!config.StartPaused)
        {
            await guest.AwaitShellAsync();
        }

        return guest;
    }

    internal virtual void AssertNothingLeft(GuestConfig config, IGuest guest)
    {
        Assert.Empty(Directory.EnumerateFileSystemEntries(config.WorkDirectory));
        Assert.Empty(Sessions.Of(guest.ProcessId));
    }

    private static NetworkSwitch Switch(string[] macs, string[] sockets, bool checkSources) => NetworkSwitch.Start(new SwitchOptions
    {
        CheckSources = checkSources,
        Networks =
        [
            new SwitchNetwork("lan", new Ipv4Subnet(Ipv4Address.Of(10, 9, 0, 0), 24), null, 1400,
                [.. macs.Select((mac, i) => new SwitchPort($"m{i}", new MacAddress(Convert.ToUInt64(mac.Replace(":", "", StringComparison.Ordinal), 16)), Ipv4Address.Of(10, 9, 0, (byte)(10 + i)), null, sockets[i]))]),
        ],
    });

    private string Disk(string name, byte content)
    {
        string path = fixture.At($"{Hypervisor.Name}-{name}.raw");
        byte[] bytes = new byte[1 << 20];
        bytes.AsSpan().Fill(content);
        File.WriteAllBytes(path, bytes);
        return path;
    }
}

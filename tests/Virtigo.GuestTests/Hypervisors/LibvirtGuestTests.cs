using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Text;
using Virtigo.Host;
using Virtigo.Hypervisors;
using Virtigo.Hypervisors.Libvirt;
using Virtigo.Images;
using Xunit;
using DiskFormat = Virtigo.Hypervisors.DiskFormat;

namespace Virtigo.GuestTests.Hypervisors;

/// <summary>Guests of libvirt's, whichever of its daemons runs them.</summary>
public abstract class LibvirtConformance(KernelFixture fixture, string uri) : HypervisorConformance(fixture)
{
    private const string OwnerVariable = "VIRTIGO_TEST_LIBVIRT_OWNER";

    protected override IHypervisor Hypervisor { get; } = new LibvirtHypervisor(fixture.Paths, uri);

    protected override (string Disk, string SecondDisk, string Nic, string Agent) Devices => ("/dev/vda", "/dev/vdb", "eth0", "/dev/$(ls /sys/class/virtio-ports)");

    protected override string DeathWords => "ended without having been asked to";

    [Fact]
    public async Task It_can_be_used_here_and_says_its_version()
    {
        await ExpectDaemonAsync();
        HypervisorPresence presence = await Hypervisor.LookAsync(Token);

        Assert.True(presence.IsUsable, presence.Reason);
        Assert.Matches(@"\Alibvirt [0-9.]+, QEMU [0-9.]+\z", presence.Version);
    }

    [Fact]
    public async Task Guests_of_one_name_run_beside_each_other_and_beside_a_domain_of_somebody_elses()
    {
        GuestConfig config = await ConfigAsync("twin");
        await using TinyGuest one = await StartAsync(config);
        await using TinyGuest two = await StartAsync(config with { WorkDirectory = config.WorkDirectory + "-2" });

        Assert.NotEqual(one.Guest.ProcessId, two.Guest.ProcessId);
        Assert.Equal(2, (await DomainsAsync()).Count(name => name.StartsWith("virtigo-twin-", StringComparison.Ordinal)));
        await one.Guest.KillAsync(Token);
        Assert.Contains("on", await two.RunAsync("echo o''n"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Paths_and_arguments_that_mean_something_to_XML_to_QEMU_and_to_a_shell_are_only_paths_and_arguments()
    {
        const string hostile = "a'b\"c<&>;,$(x)=é";
        string folder = Directory.CreateDirectory(Fixture.At("h")).FullName;
        string disk = Path.Combine(folder, hostile + ".raw");
        await File.WriteAllBytesAsync(disk, new byte[1 << 20], Token);
        GuestConfig plain = await ConfigAsync("hostile");
        GuestConfig config = plain with
        {
            WorkDirectory = Path.Combine(folder, "w" + hostile),
            Disks = [new GuestDisk(disk, DiskFormat.Raw)],
            Kernel = plain.Kernel! with { CommandLine = plain.Kernel.CommandLine + " first=<a&'b> second=\"c;,d\"" },
        };
        await using TinyGuest guest = await StartAsync(config);

        Assert.Contains("first=<a&'b> second=\"c;,d\"", await guest.RunAsync("cat /proc/cmdline"), StringComparison.Ordinal);
        await guest.RunAsync("echo here | dd of=/dev/vda conv=sync; sync");
        await guest.Guest.KillAsync(Token);
        Assert.StartsWith("here", Encoding.ASCII.GetString((await File.ReadAllBytesAsync(disk, Token)).AsSpan(0, 8)), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Disks_in_qcow2_discs_credentials_and_a_generation_id_are_as_under_QEMU()
    {
        string disk = Fixture.At("libvirt.qcow2");
        await QemuImage.CreateAsync(disk, 4 << 20, Token);
        string disc = Fixture.At("libvirt.iso");
        await File.WriteAllBytesAsync(disc, new byte[2 << 20], Token);
        await using TinyGuest guest = await StartAsync(await ConfigAsync("devices") with
        {
            Disks = [new GuestDisk(disk, DiskFormat.Qcow2) { Serial = "serial-1" }, new GuestDisk(disc, DiskFormat.Raw) { ReadOnly = true, IsDisc = true }],
            Credentials = new Dictionary<string, string> { ["a.name"] = "<some> 'value', \"kept\"" },
            GenerationId = true,
            StreamChannel = true,
            AgentChannel = true,
        });

        Assert.Contains("8192 serial-1", await guest.RunAsync("echo $(cat /sys/block/vda/size) $(cat /sys/block/vda/serial)"), StringComparison.Ordinal);
        // The installer's kernel has no driver for the drive.
        string command = await File.ReadAllTextAsync($"/proc/{guest.Guest.ProcessId}/cmdline", Token);
        Assert.Contains("ide-cd", command, StringComparison.Ordinal);
        Assert.Contains(disc, command, StringComparison.Ordinal);
        Assert.Contains("io.systemd.credential:a.name=<some> 'value', \"kept\"", await guest.RunAsync("strings /sys/firmware/dmi/tables/DMI"), StringComparison.Ordinal);
        Assert.Contains("QEMUVGID", await guest.RunAsync("cat /sys/bus/acpi/devices/*/hid"), StringComparison.Ordinal);
        Assert.Contains("org.qemu.guest_agent.0 io.virtigo.stream", await guest.RunAsync("echo $(cat /sys/class/virtio-ports/*/name)"), StringComparison.Ordinal);
        Assert.NotNull(guest.Guest.Channel);
    }

    [Fact]
    public async Task A_guest_boots_by_UEFI_and_its_variables_go_with_it()
    {
        GuestConfig config = await ConfigAsync("uefi") with { Firmware = FirmwareKind.Uefi };
        await using TinyGuest guest = await StartAsync(config);

        Assert.Contains("yes", await guest.RunAsync("[ -d /sys/firmware/efi ] && echo y''es"), StringComparison.Ordinal);
        await guest.Guest.KillAsync(Token);
        AssertNothingLeft(config, guest.Guest);
    }

    [Fact]
    public async Task The_screen_is_seen_and_keys_are_pressed()
    {
        await using TinyGuest guest = await StartAsync(await ConfigAsync("screen") with { Display = true });
        byte[] picture = await guest.Guest.ScreenshotAsync(Token);
        await guest.RunAsync("cat /dev/tty0 >/keys &");
        await guest.Guest.SendKeysAsync(["v"], Token);
        await guest.Guest.SendKeysAsync(["ret"], Token);

        Assert.Equal("\u0089PNG", Encoding.Latin1.GetString(picture, 0, 4));
        Assert.Contains("v", await guest.RunAsync("for each in $(seq 50); do [ -s /keys ] && break; sleep 0.1; done; cat /keys"), StringComparison.Ordinal);
        VirtigoException error = await Assert.ThrowsAsync<VirtigoException>(() => guest.Guest.SendKeysAsync(["no-such"], Token));
        Assert.Equal(FailureKind.Usage, error.Kind);
        error = await Assert.ThrowsAsync<VirtigoException>(() => guest.Guest.SaveStateAsync("/nowhere", Token));
        Assert.Contains("libvirt", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_domain_that_cannot_be_made_leaves_nothing_and_libvirts_words_are_told()
    {
        GuestConfig config = await ConfigAsync("wrong") with { CpuModel = "no-such-cpu" };
        VirtigoException error = await Assert.ThrowsAsync<VirtigoException>(() => Hypervisor.StartAsync(config, Token));

        Assert.Equal(FailureKind.Host, error.Kind);
        Assert.Contains("no-such-cpu", error.Message, StringComparison.Ordinal);
        Assert.Empty(Directory.EnumerateFileSystemEntries(config.WorkDirectory));
        Assert.DoesNotContain(await DomainsAsync(), name => name.StartsWith("virtigo-wrong-", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_domain_that_somebody_else_ends_is_told_apart()
    {
        GuestConfig config = await ConfigAsync("ended");
        await using TinyGuest guest = await StartAsync(config);
        await Tool.RunAsync("virsh", ["-c", uri, "destroy", Assert.Single(await DomainsAsync(), IsEnded)], Token);
        GuestExit exit = await guest.Guest.Exited.WaitAsync(Limit, Token);

        Assert.Equal(GuestExitReason.HypervisorDied, exit.Reason);
        Assert.Contains("Somebody else", exit.Detail, StringComparison.Ordinal);
        AssertNothingLeft(config, guest.Guest);

        static bool IsEnded(string name) => name.StartsWith("virtigo-ended-", StringComparison.Ordinal);
    }

    [Fact]
    public async Task Killing_Virtigo_outright_leaves_no_domain_and_no_process()
    {
        DirectoryInfo folder = Directory.CreateTempSubdirectory("vt");
        KernelBoot boot = await BootAsync();
        var start = new ProcessStartInfo(Environment.ProcessPath!) { RedirectStandardOutput = true };
        start.Environment[OwnerVariable] = string.Join('|', folder.FullName, boot.KernelPath, boot.InitrdPath, uri);
        using Process owner = Process.Start(start)!;
        try
        {
            string line = await owner.StandardOutput.ReadLineAsync(Token) ?? throw new InvalidOperationException("The owner of the guest ended early.");
            Assert.Contains("qemu-system", await File.ReadAllTextAsync($"/proc/{line}/cmdline", Token), StringComparison.Ordinal);
            Assert.Contains(await DomainsAsync(), IsOwned);
            owner.Kill();
            using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(20));
            while (Lives(line) || (await DomainsAsync()).Any(IsOwned))
            {
                await Task.Delay(20, limit.Token);
            }
        }
        finally
        {
            owner.Kill();
            folder.Delete(recursive: true);
        }

        static bool IsOwned(string name) => name.StartsWith("virtigo-owned-", StringComparison.Ordinal);
    }

    protected override Task<KernelBoot> BootAsync() => Fixture.BootAsync();

    /// <summary>Skips a test where this daemon need not be there and is not.</summary>
    protected virtual Task ExpectDaemonAsync() => Task.CompletedTask;

    /// <summary>The names of the logs of domains, as far as libvirt does not keep them to itself.</summary>
    protected abstract IEnumerable<string> Logs();

    internal override void AssertNothingLeft(GuestConfig config, IGuest guest)
    {
        Assert.Empty(Directory.EnumerateFileSystemEntries(config.WorkDirectory));
        Assert.False(Lives($"{guest.ProcessId}"));
        Assert.DoesNotContain(DomainsAsync().GetAwaiter().GetResult(), IsOurs);
        Assert.DoesNotContain(Logs(), IsOurs);

        bool IsOurs(string name) => name.StartsWith($"virtigo-{config.Name}-", StringComparison.Ordinal);
    }

    protected static bool Lives(string process)
    {
        try
        {
            return File.ReadAllText($"/proc/{process}/cmdline").Length > 0;
        }
        catch (IOException)
        {
            return false;
        }
    }

    protected async Task<string[]> DomainsAsync() =>
        (await Tool.RunAsync("virsh", ["-c", uri, "list", "--all", "--name"], Token))
            .Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);

    [ModuleInitializer]
    internal static void OwnIfAsked()
    {
        if (Environment.GetEnvironmentVariable(OwnerVariable)?.Split('|') is not [string folder, string kernel, string initrd, string uri])
        {
            return;
        }

        // No other thread may enter this module before its initializer has ended, so everything here is done by this one.
        var config = new GuestConfig
        {
            Name = "owned",
            WorkDirectory = folder,
            MemoryMiB = 128,
            Kernel = new KernelBoot(kernel, initrd, "console=ttyS0"),
            Serials = [new GuestSerial("console")],
        };
        IGuest guest = new LibvirtHypervisor(new HostPaths(folder, folder, folder, folder, folder), uri).StartAsync(config, CancellationToken.None).GetAwaiter().GetResult();
        using var reader = new StreamReader(guest.OpenSerial("console"));
        while (reader.ReadLine() is { } line && !line.Contains("Run /init", StringComparison.Ordinal))
        {
        }

        Console.WriteLine(guest.ProcessId);
        guest.Exited.Wait();
        Environment.Exit(1);
    }
}

/// <summary>Guests of the daemon of the user who asks.</summary>
[Collection(KernelGuests.Name)]
public sealed class LibvirtGuestTests(KernelFixture fixture) : LibvirtConformance(fixture, LibvirtHypervisor.DefaultUri)
{
    [Fact]
    public async Task A_daemon_that_is_killed_takes_the_guest_with_it_and_the_next_one_knows_of_none()
    {
        // A daemon of its own: whoever shares the user's loses guests with it.
        string own = Fixture.At("daemon");
        string pid = Path.Combine(own, "daemon.pid"), connection = $"qemu+unix:///session?socket={own}/run/libvirt/libvirt-sock";
        string begin = $"cd '{own}' && XDG_RUNTIME_DIR=$PWD/run XDG_CACHE_HOME=$PWD/cache XDG_CONFIG_HOME=$PWD/config "
            + $"PATH=$PATH:/usr/sbin libvirtd --daemon --pid-file '{pid}' >said 2>&1";
        Directory.CreateDirectory(Path.Combine(own, "run"));
        await Tool.RunAsync("sh", ["-c", begin], Token);
        try
        {
            GuestConfig config = await ConfigAsync("orphan");
            await using IGuest guest = await new LibvirtHypervisor(Fixture.Paths, connection).StartAsync(config, Token);
            Assert.Contains("virtigo-orphan-", await DomainsAsync(), StringComparison.Ordinal);
            await Tool.RunAsync("sh", ["-c", $"kill -KILL $(cat '{pid}')"], Token);
            GuestExit exit = await guest.Exited.WaitAsync(Limit, Token);

            Assert.Equal(GuestExitReason.HypervisorDied, exit.Reason);
            Assert.Contains("connection to libvirt broke", exit.Detail, StringComparison.Ordinal);
            Assert.Empty(Directory.EnumerateFileSystemEntries(config.WorkDirectory));
            Assert.False(Lives($"{guest.ProcessId}"));
            await Tool.RunAsync("sh", ["-c", begin], Token);
            Assert.Equal("", (await DomainsAsync()).Trim());
        }
        finally
        {
            await Tool.RunAsync("sh", ["-c", $"kill $(cat '{pid}') || true"], Token);
        }

        Task<string> DomainsAsync() => Tool.RunAsync("virsh", ["-c", connection, "list", "--all", "--name"], Token);
    }

    /// <summary>What libvirt's ssh transport starts on the other host is started here: between are only ssh's own pipes.</summary>
    [Fact]
    public async Task A_guest_on_another_host_is_started_seen_paused_and_ended()
    {
        string helper = Fixture.At("helper");
        await File.WriteAllTextAsync(helper, "#!/bin/sh\nexec virt-ssh-helper qemu:///session\n", Token);
        File.SetUnixFileMode(helper, UnixFileMode.UserRead | UnixFileMode.UserExecute);
        var elsewhere = new LibvirtHypervisor(Fixture.Paths, $"qemu+ext:///session?command={helper}");
        Assert.True((await elsewhere.LookAsync(Token)).IsUsable);
        GuestConfig config = await ConfigAsync("elsewhere") with { Display = true };
        VirtigoException refused = await Assert.ThrowsAsync<VirtigoException>(() => elsewhere.StartAsync(config, Token));
        Assert.Contains("serial", refused.Message, StringComparison.Ordinal);

        await using IGuest guest = await elsewhere.StartAsync(config with { Serials = [] }, Token);
        Assert.Single(await DomainsAsync(), IsElsewhere);
        Assert.Equal("\u0089PNG", Encoding.Latin1.GetString(await guest.ScreenshotAsync(Token), 0, 4));
        await guest.PauseAsync(Token);
        await guest.ResumeAsync(Token);
        await guest.SendKeysAsync(["v"], Token);
        await guest.KillAsync(Token);

        Assert.Equal(GuestExitReason.Killed, (await guest.Exited).Reason);
        Assert.DoesNotContain(await DomainsAsync(), IsElsewhere);

        static bool IsElsewhere(string name) => name.StartsWith("virtigo-elsewhere-", StringComparison.Ordinal);
    }

    protected override IEnumerable<string> Logs() => Directory.EnumerateFiles(LibvirtLog.Folder(Environment.GetEnvironmentVariable)).Select(path => Path.GetFileName(path));
}

/// <summary>Guests of the host's own daemon, where it lets the user of these tests in.</summary>
[Collection(KernelGuests.Name)]
public sealed class LibvirtSystemGuestTests(KernelFixture fixture) : LibvirtConformance(fixture, "qemu:///system")
{
    protected override async Task<KernelBoot> BootAsync()
    {
        await ExpectDaemonAsync();
        return await base.BootAsync();
    }

    protected override async Task ExpectDaemonAsync()
    {
        HypervisorPresence presence = await Hypervisor.LookAsync(Token);
        Assert.SkipUnless(presence.IsUsable, $"the host's libvirt is not to be had: {presence.Reason}");
    }

    protected override IEnumerable<string> Logs() => [];
}

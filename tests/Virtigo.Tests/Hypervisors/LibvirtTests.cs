using System.Text.Json;
using CsCheck;
using Virtigo.Host;
using Virtigo.Hypervisors;
using Virtigo.Hypervisors.Libvirt;
using Virtigo.Tests.Installers;
using Xunit;

namespace Virtigo.Tests.Hypervisors;

public sealed class LibvirtTests : IDisposable
{
    private const string Domain = "virtigo-g-01234567";
    private static readonly HostPaths s_paths = new("/c", "/d", "/s", "/e", "/r");
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("vl");

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Delete(recursive: true);

    [Theory]
    [InlineData("qemu:///session", "Session")]
    [InlineData("qemu:///system", "System")]
    [InlineData("qemu+unix:///system?socket=/run/x", "System")]
    [InlineData("qemu+ssh://me@host.example/system", "Remote")]
    [InlineData("qemu+ssh://host:2222/session?keyfile=/k&no_verify=1", "Remote")]
    [InlineData("qemu+tls://[fe80::1]/system", "Remote")]
    [InlineData("test:///default", "Test")]
    public void A_URI_says_where_guests_run(string uri, string kind) => Assert.Equal(Enum.Parse<LibvirtKind>(kind), LibvirtUri.Parse(uri).Kind);

    [Theory]
    [InlineData("")]
    [InlineData("--help")]
    [InlineData("qemu:/session")]
    [InlineData("qemu:///embed?root=/x")]
    [InlineData("xen:///system")]
    [InlineData("test+tcp://host/default")]
    [InlineData("qemu:///session\n")]
    [InlineData("qemu+ssh://me:secret@host/system")]
    public void What_is_no_URI_of_guests_to_be_run_is_refused_and_no_password_is_shown(string uri)
    {
        VirtigoException error = Assert.Throws<VirtigoException>(() => new LibvirtHypervisor(s_paths, uri));

        Assert.Equal(FailureKind.Usage, error.Kind);
        Assert.DoesNotContain("secret", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_test_driver_answers_and_refuses_guests()
    {
        var hypervisor = new LibvirtHypervisor(s_paths, "test:///default");
        HypervisorPresence presence = await hypervisor.LookAsync(Token);
        var config = new GuestConfig { Name = "g", WorkDirectory = _folder.FullName, MemoryMiB = 64 };

        Assert.Matches(@"\Alibvirt [0-9.]+, TEST [0-9.]+\z", presence.Version);
        Assert.Contains("makes believe", presence.Reason, StringComparison.Ordinal);
        VirtigoException error = await Assert.ThrowsAsync<VirtigoException>(() => hypervisor.StartAsync(config, Token));
        Assert.Equal(FailureKind.Usage, error.Kind);
        Assert.Contains("boots from its disk", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_needs_a_socket_of_this_host_is_refused_by_name_where_guests_run_on_another()
    {
        var hypervisor = new LibvirtHypervisor(s_paths, "qemu+ssh://host.example/system");
        var plain = new GuestConfig { Name = "g", WorkDirectory = _folder.FullName, MemoryMiB = 64 };
        (GuestConfig Guest, string Word)[] asking =
        [
            (plain with { Nics = [new GuestNic("/n")] }, "networks"), (plain with { AgentChannel = true }, "agent"), (plain with { StreamChannel = true }, "streams"),
            (plain with { Firmware = FirmwareKind.Uefi }, "UEFI"), (plain with { Serials = [new GuestSerial("console")] }, "0 under libvirt"),
        ];
        foreach ((GuestConfig guest, string word) in asking)
        {
            VirtigoException error = await Assert.ThrowsAsync<VirtigoException>(() => hypervisor.StartAsync(guest, Token));
            Assert.Equal(FailureKind.Usage, error.Kind);
            Assert.Contains(word, error.Message, StringComparison.Ordinal);
        }

        Assert.Contains("kvm or tcg", (await Assert.ThrowsAsync<VirtigoException>(() => hypervisor.ProbeAsync("/k", Token))).Hint, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("qemu:///session")]
    [InlineData("qemu+ssh://host/system")]
    [InlineData("test:///default")]
    public void Every_no_has_its_reason_and_only_a_no_has_one(string uri)
    {
        HypervisorCapabilities can = new LibvirtHypervisor(s_paths, uri).Capabilities;

        Assert.Equal(HypervisorFeature.All.Where(feature => !feature.IsIn(can)).Select(feature => feature.Name).Order(), can.Reasons.Keys.Order());
    }

    [Fact]
    public async Task Libvirt_knows_every_key_that_is_passed_on()
    {
        string[] names = [.. "abcdefghijklmnopqrstuvwxyz0123456789".Select(each => $"{each}"), .. Enumerable.Range(1, 12).Select(each => $"f{each}"), "kp_0", "kp_9",
            "ret", "esc", "spc", "tab", "backspace", "ctrl", "ctrl_r", "alt", "alt_r", "altgr", "shift", "shift_r", "meta_l", "meta_r", "menu", "up", "down", "left", "right",
            "home", "end", "pgup", "pgdn", "insert", "delete", "minus", "equal", "bracket_left", "bracket_right", "semicolon", "apostrophe", "grave_accent", "backslash",
            "comma", "dot", "slash", "less", "caps_lock", "num_lock", "scroll_lock", "print", "sysrq", "pause", "power", "sleep", "wake", "kp_add", "kp_subtract",
            "kp_multiply", "kp_divide", "kp_decimal", "kp_enter", "asterisk"];
        string commands = string.Join("; ", names.Select(name => $"send-key test --codeset linux {LibvirtKeys.Find(name)}"));
        ToolResult said = await LibvirtDomainTests.VirshAsync(commands, []);

        Assert.True(said.ExitCode == 0 && said.Error.Length == 0, said.Error);
        Assert.All((string[])["", "A", "f0", "f13", "kp_", "no-such", "; destroy test"], name => Assert.Null(LibvirtKeys.Find(name)));
    }

    [Fact]
    public async Task Of_what_the_client_says_the_reason_is_told()
    {
        ToolResult twice = await LibvirtDomainTests.VirshAsync("suspend test; suspend test", []);
        ToolResult gone = await LibvirtDomainTests.VirshAsync("suspend none", []);
        ToolResult bad = await LibvirtDomainTests.VirshAsync("create --file /dev/stdin; event --domain none --all --loop", "<domain type='test'><name>n</name></domain>"u8.ToArray());

        Assert.Equal((1, false), (twice.ExitCode, LibvirtClient.IsGone(twice.Error)));
        Assert.Contains("not running", LibvirtClient.Reason(twice.Error), StringComparison.Ordinal);
        Assert.True(LibvirtClient.IsGone(gone.Error));
        Assert.Contains("none", LibvirtClient.Reason(gone.Error), StringComparison.Ordinal);
        Assert.Equal(1, bad.ExitCode);
        Assert.Contains("an os <type> must be specified", LibvirtClient.Reason(bad.Error), StringComparison.Ordinal);
        Assert.Equal("it did not say why", LibvirtClient.Reason("\n"));
    }

    [Fact]
    public async Task What_a_client_tells_is_read_by_lines_and_one_without_end_is_left_out()
    {
        var lines = new List<string>();
        var command = new ChildCommand("sh", ["-c", "cat; head -c 200000 /dev/zero | tr '\\0' x; echo; echo last; echo why >&2"]);
        await using LibvirtListener listener = await LibvirtListener.StartAsync(command, "first\n"u8.ToArray(), lines.Add, Token);
        await listener.Ended.WaitAsync(Token);

        Assert.Equal(["first", "last"], lines);
        Assert.Equal("why\n", listener.Said);
    }

    [Fact]
    public void Events_of_the_domain_are_read_and_nothing_else()
    {
        Assert.Equal(new LibvirtEvent.Lifecycle("Stopped", "Failed"), LibvirtEvent.Parse($"event 'lifecycle' for domain '{Domain}': Stopped Failed", Domain));
        Assert.Equal(new LibvirtEvent.Lifecycle("Shutdown", "Finished after guest request"),
            LibvirtEvent.Parse($"event 'lifecycle' for domain '{Domain}': Shutdown Finished after guest request", Domain));
        var monitor = (LibvirtEvent.Monitor)LibvirtEvent.Parse(
            $$$"""event SHUTDOWN at 1795755477.629965 for domain '{{{Domain}}}': {"guest":true,"reason":"guest-reset"}""", Domain)!;
        Assert.Equal("SHUTDOWN", monitor.Value.Name);
        Assert.Equal("guest-reset", monitor.Value.Data.GetProperty("reason").GetString());
        Assert.Equal(JsonValueKind.Undefined, ((LibvirtEvent.Monitor)LibvirtEvent.Parse($"event RESUME at 1.2 for domain '{Domain}': <null>", Domain)!).Value.Data.ValueKind);
        Assert.All((string[])
        [
            "", "Domain 'virtigo-g-01234567' created from /dev/stdin", "event 'lifecycle' for domain 'other': Stopped Failed", $"event 'rtc-change' for domain '{Domain}': 0",
            $"event SHUTDOWN at 1.2 for domain '{Domain}': [1]", $"event SHUTDOWN at 1.2 for domain '{Domain}': {{\"reason\":", $"event SHUTDOWN at 1.2 for domain 'other': {{}}",
            $"event SHUTDOWN at 1.2 for domain '{Domain}': {{{new string('[', 100)}{new string(']', 100)}}}", $" event RESUME at 1.2 for domain '{Domain}': <null>",
        ], line => Assert.Null(LibvirtEvent.Parse(line, Domain)));
    }

    [Fact]
    public void No_line_of_events_can_harm()
    {
        Gen<string> pieces = Golden.Pieces("event ", "'lifecycle' ", "SHUTDOWN ", "BLOCK_IO_ERROR ", "at 1.2 ", "for domain ", $"'{Domain}'", "'x'", ": ", "Stopped ", "Failed", "{", "}",
            "\"reason\":", "\"guest-reset\"", "\"action\":\"stop\"", "\"nospace\":true", ",", "[", "]", "<null>", "\0", "\u00e9", "'", "\"", "9");
        pieces.Array[0, 16].Select(string.Concat).Sample(line =>
        {
            var exits = new LibvirtExitWatch();
            if (LibvirtEvent.Parse(line, Domain) is { } value)
            {
                exits.See(value);
            }

            Assert.NotEmpty(exits.Conclude(false, "", null, null, "").Detail);
        }, iter: 50_000);
    }

    [Theory]
    [InlineData(GuestExitReason.GuestShutdown, "q:SHUTDOWN:guest-shutdown|Shutdown Finished after guest request|Stopped Shutdown")]
    [InlineData(GuestExitReason.GuestReset, "q:SHUTDOWN:guest-reset|Shutdown Finished after guest request|Stopped Shutdown")]
    [InlineData(GuestExitReason.GuestPanicked, "q:SHUTDOWN:guest-reset|Shutdown Finished after guest request|Stopped Shutdown", "Kernel panic - not syncing: x")]
    [InlineData(GuestExitReason.GuestPanicked, "q:GUEST_PANICKED:|Crashed Panicked|Stopped Crashed")]
    [InlineData(GuestExitReason.GuestPanicked, "Crashed Panicked|Stopped Crashed")]
    [InlineData(GuestExitReason.GuestShutdown, "Shutdown Finished after guest request|Stopped Shutdown")]
    [InlineData(GuestExitReason.HypervisorDied, "Stopped Failed")]
    [InlineData(GuestExitReason.HypervisorDied, "Stopped Failed", "Kernel panic - not syncing: a lie")]
    [InlineData(GuestExitReason.HypervisorDied, "q:SHUTDOWN:host-signal|Shutdown Finished after host request|Stopped Destroyed")]
    [InlineData(GuestExitReason.HypervisorDied, "Stopped Migrated")]
    [InlineData(GuestExitReason.HypervisorDied, "")]
    [InlineData(GuestExitReason.Killed, "q:SHUTDOWN:host-signal|Stopped Destroyed", null, true)]
    [InlineData(GuestExitReason.GuestShutdown, "q:SHUTDOWN:guest-shutdown|Stopped Shutdown", null, true)]
    public void An_end_is_told_by_what_is_known_of_it(GuestExitReason expected, string told, string? panic = null, bool killed = false)
    {
        var exits = new LibvirtExitWatch();
        foreach (string each in told.Split('|', StringSplitOptions.RemoveEmptyEntries))
        {
            string line = each.Split(':') is ["q", string name, string reason]
                ? $$$"""event {{{name}}} at 1.2 for domain '{{{Domain}}}': {"reason":"{{{reason}}}"}""" : $"event 'lifecycle' for domain '{Domain}': {each}";
            Assert.False(exits.See(LibvirtEvent.Parse(line, Domain)!));
        }

        GuestExit exit = exits.Conclude(killed, "", panic, null, "virsh create");

        Assert.Equal(expected, exit.Reason);
        Assert.Equal(expected is GuestExitReason.GuestShutdown or GuestExitReason.GuestReset ? 0 : LibvirtExitWatch.UnknownCode, exit.ExitCode);
        Assert.Equal(told.Contains("Stopped", StringComparison.Ordinal), exits.Stopped.IsCompleted);
    }

    [Fact]
    public void A_disk_of_the_hosts_that_is_full_ends_the_guest_and_a_broken_connection_is_told()
    {
        var exits = new LibvirtExitWatch();
        bool mustEnd = exits.See(LibvirtEvent.Parse($$$"""event BLOCK_IO_ERROR at 1.2 for domain '{{{Domain}}}': {"action":"stop","nospace":true}""", Domain)!);

        Assert.True(mustEnd);
        Assert.Equal(GuestExitReason.HostDiskError, exits.Conclude(false, "", null, null, "").Reason);
        Assert.Contains("end of file", new LibvirtExitWatch().Conclude(false, "", null, "end of file", "").Detail, StringComparison.Ordinal);
    }

    [Fact]
    public void A_domains_log_is_taken_with_what_was_turned_over_and_gives_QEMUs_words()
    {
        string log = Path.Combine(_folder.FullName, Domain + ".log");
        File.WriteAllText(log, "starting up\n/usr/bin/qemu-system-x86_64 \\\n-smbios secret \\\n-msg timestamp=on\n2026-11-27T04:54:52Z qemu-system-x86_64: no\n2026: shutting down\n");
        File.WriteAllText(log + ".0", "old");
        File.WriteAllText(Path.Combine(_folder.FullName, "other.log"), "x");

        Assert.Equal("2026-11-27T04:54:52Z qemu-system-x86_64: no", LibvirtLog.Take(_folder.FullName, Domain));
        Assert.Equal("other.log", Path.GetFileName(Assert.Single(Directory.EnumerateFiles(_folder.FullName))));
        Assert.Equal("", LibvirtLog.Take(_folder.FullName, Domain));
        Assert.Equal("/x/libvirt/qemu/log", LibvirtLog.Folder(name => name == "XDG_CACHE_HOME" ? "/x" : null));
    }

    [Theory]
    [InlineData("""{"return":{},"id":"libvirt-416"}""", null)]
    [InlineData("""{"error":{"class":"CommandNotFound","desc":"not found"}}""", "not found")]
    [InlineData("""{"error":7}""", "QEMU refused")]
    [InlineData("[]", "QEMU's answer makes no sense")]
    [InlineData("x", "QEMU's answer makes no sense")]
    public void A_refusal_of_QEMUs_is_seen(string answer, string? expected) => Assert.Equal(expected, LibvirtGuest.Refusal(answer));

    [Theory]
    [InlineData("qemu:///session", "error: no connection driver available for qemu:///session", "apt install libvirt-daemon-driver-qemu")]
    [InlineData("qemu:///system", "error: Failed to connect socket to '/var/run/libvirt/libvirt-sock': No such file or directory", "apt install libvirt-daemon-system")]
    [InlineData("qemu:///system", "error: Failed to connect socket to '/var/run/libvirt/libvirt-sock': Permission denied", "qemu:///session")]
    [InlineData("qemu:///session", "error: operation failed: Unable to find 'efi' firmware that is compatible with the current configuration", "apt install ovmf")]
    [InlineData("qemu+ssh://host/system", "error: something", null)]
    public void What_mends_it_is_said(string uri, string said, string? expected)
    {
        string? mend = LibvirtTrouble.Mend(LibvirtUri.Parse(uri), said);

        Assert.Equal(expected is null, mend is null);
        Assert.Contains(expected ?? "", mend ?? "", StringComparison.Ordinal);
    }
}

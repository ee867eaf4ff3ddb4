using System.Globalization;
using System.Text.RegularExpressions;
using Virtigo.Machines;
using Virtigo.Profiles;
using Virtigo.Tests.Machines;
using Xunit;

namespace Virtigo.Tests.Profiles;

/// <summary>A profile, applied and taken back in a guest that is played by a folder; its scripts really run.</summary>
public sealed partial class GuestProfileTests : IAsyncLifetime
{
    private static readonly ProfileOptions s_options = new() { ClockTime = TimeSpan.FromSeconds(1), MachineName = "server" };
    private PlayedGuest _guest = null!;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private GuestProfile Profile => new(_guest.Run);

    public async ValueTask InitializeAsync() => _guest = await PlayedGuest.StartAsync(Token);

    public ValueTask DisposeAsync() => _guest.DisposeAsync();

    [Fact]
    public async Task A_check_finds_what_is_wrong_and_changes_nothing()
    {
        IReadOnlyDictionary<string, string> before = _guest.Everything();
        ProfileReport report = await Profile.CheckAsync(s_options, Token);
        Assert.Equal(before, _guest.Everything());
        Assert.Equal(GuestKind.Tcg, report.Kind);
        Assert.Equal(ProfileSetting.Names, report.Findings.Select(finding => finding.Setting));
        Assert.Equal([("wallclock", "not applicable: only kernels of Xen's guests ever had the knob")],
            report.Findings.Where(finding => finding.Verdict == FindingVerdict.NotApplicable).Select(finding => (finding.Setting, finding.Text)));
        ProfileFinding network = report.Findings.Single(finding => finding.Setting == "network");
        Assert.Equal("not measured: that takes a second machine on a network of this one's, and none is up", network.Text);
        Assert.Contains("--with", network.Mend, StringComparison.Ordinal);
        Assert.Equal("not measured: see network", report.Findings.Single(finding => finding.Setting == "offloads").Text);
        ProfileFinding ntp = report.Findings.Single(finding => finding.Setting == "ntp");
        Assert.Equal((FindingVerdict.Problem, "chrony.service is masked", "virtigo profile apply server ntp"), (ntp.Verdict, ntp.Text, ntp.Mend));
        Assert.Equal(FindingVerdict.Ok, report.Findings.Single(finding => finding.Setting == "clock").Verdict);
        Assert.True(report.HasProblem);
    }

    [Fact]
    public async Task What_is_applied_is_changed_once_and_taken_back_exactly()
    {
        IReadOnlyDictionary<string, string> before = _guest.Everything();
        ProfileOutcome first = await Profile.ApplyAsync([], s_options, Token);
        Assert.Equal(["clocksource", "ntp", "entropy", "console", "kernel-arguments"], first.Steps.Select(step => step.Setting).Distinct());
        Assert.Equal("hpet", _guest.Read("sys/devices/system/clocksource/clocksource0/current_clocksource"));
        Assert.Equal("enabled active", _guest.Read("units/chrony.service"));
        Assert.Equal("virtio_rng", _guest.Read("etc/modules-load.d/virtigo-rng.conf"));
        Assert.Equal("GRUB_CMDLINE_LINUX=\"$GRUB_CMDLINE_LINUX console=ttyS0\"", _guest.Read("etc/default/grub.d/71-virtigo-console.cfg"));
        Assert.NotNull(_guest.Read("grub"));

        IReadOnlyDictionary<string, string> applied = _guest.Everything();
        Assert.Empty((await Profile.ApplyAsync([], s_options, Token)).Steps);
        Assert.Equal(applied, _guest.Everything());

        ProfileOutcome back = await Profile.RevertAsync(Token);
        Assert.Equal(first.Steps.Select(step => (step.Target, step.Before, step.After)).Reverse(), back.Steps.Select(step => (step.Target, step.After, step.Before)));
        Assert.Equal(before, _guest.Everything().ToDictionary(one => one.Key, one => one.Value));
        Assert.Empty((await Profile.RevertAsync(Token)).Steps);
    }

    [Fact]
    public async Task Only_the_settings_that_are_named_are_applied_and_what_was_before_the_first_time_comes_back()
    {
        _guest.Write("etc/default/grub.d/71-virtigo-console.cfg", "# mine\n");
        await Profile.ApplyAsync(["console"], s_options, Token);
        ProfileOutcome outcome = await Profile.ApplyAsync(["entropy"], s_options, Token);
        Assert.Equal(["entropy"], outcome.Steps.Select(step => step.Setting).Distinct());
        Assert.Equal("masked inactive", _guest.Read("units/chrony.service"));
        await Profile.RevertAsync(Token);
        Assert.Equal("# mine", _guest.Read("etc/default/grub.d/71-virtigo-console.cfg"));
        Assert.Null(_guest.Read("etc/modules-load.d/virtigo-rng.conf"));
    }

    [Fact]
    public async Task What_somebody_else_changed_since_is_left_and_told()
    {
        await Profile.ApplyAsync(["clocksource", "entropy"], s_options, Token);
        _guest.Write("sys/devices/system/clocksource/clocksource0/current_clocksource", "acpi_pm\n");
        ProfileOutcome back = await Profile.RevertAsync(Token);
        ProfileStep left = Assert.Single(back.Steps, step => step.Left is not null);
        Assert.Equal((ProfileTargets.ClockSource, "acpi_pm"), (left.Target, left.After));
        Assert.Equal("acpi_pm", _guest.Read("sys/devices/system/clocksource/clocksource0/current_clocksource"));
        Assert.Null(_guest.Read("var/lib/virtigo/profile.json"));
    }

    [Fact]
    public async Task A_setting_that_such_a_guest_does_not_have_is_said_and_changes_nothing()
    {
        IReadOnlyDictionary<string, string> before = _guest.Everything();
        ProfileOutcome outcome = await Profile.ApplyAsync(["wallclock"], s_options, Token);
        Assert.Equal((FindingVerdict.NotApplicable, "wallclock"), (Assert.Single(outcome.Report!.Findings).Verdict, outcome.Report.Findings[0].Setting));
        Assert.Empty(outcome.Steps);
        Assert.Equal(before, _guest.Everything());
    }

    [Fact]
    public async Task A_guest_that_says_nothing_of_what_it_runs_on_is_told_what_that_leaves_out()
    {
        _guest.Program("systemd-detect-virt", "echo none");
        ProfileReport report = await Profile.CheckAsync(s_options with { MeasureNetwork = false }, Token);
        Assert.Equal(GuestKind.Unknown, report.Kind);
        Assert.Equal("not applicable: what this guest runs on is not known, and it is for guests of kvm, tcg", report.Findings.Single(finding => finding.Setting == "balloon").Text);
        Assert.Equal("not measured: not asked for", report.Findings.Single(finding => finding.Setting == "network").Text);
    }

    [Fact]
    public async Task A_clock_is_read_by_commands_where_none_can_be_given_input()
    {
        _guest.Program("date", "[ \"$1\" = +%s.%N ] || exec /bin/date \"$@\"; n=$(($(/bin/date +%s%N) + $(cat $R/ahead))); printf '%d.%09d\\n' $((n / 1000000000)) $((n % 1000000000))");
        _guest.Write("ahead", "-100000000000");
        GuestCommand noInput = (command, options, token) => options.InputStream is null ? _guest.Run(command, options, token) : throw new InvalidOperationException();
        ProfileFinding found = (await new GuestProfile(noInput).CheckAsync(s_options with { Streams = false }, Token)).Findings.Single(finding => finding.Setting == "clock");
        Assert.Equal(FindingVerdict.Problem, found.Verdict);
        Assert.InRange(found.Number!.Value, -100 - found.Error!.Value - 0.05, -100 + found.Error.Value + 0.05);

        _guest.Program("date", "exit 4");
        VirtigoException failure = await Assert.ThrowsAsync<VirtigoException>(() => new GuestProfile(noInput).CheckAsync(s_options with { Streams = false }, Token));
        Assert.Contains("date ended with 4", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_card_or_a_knob_that_is_gone_is_told_and_the_rest_taken_back()
    {
        IReadOnlyDictionary<string, string> before = _guest.Everything();
        await Profile.ApplyAsync(["entropy"], s_options, Token);
        ProfileState state = ProfileState.Parse(_guest.Read("var/lib/virtigo/profile.json")!)
            .With(new KeptChange("wallclock", ChangeKind.Knob, ProfileTargets.Wallclock, "0", "1"))
            .With(new KeptChange("offloads", ChangeKind.Offload, "eth7 tso", "on", "off"));
        Assert.True((await _guest.Run(state.WriteCommand(), new CommandOptions(), Token)).Succeeded);

        ProfileOutcome back = await Profile.RevertAsync(Token);

        Assert.Equal([("eth7 tso", "it is no longer in the guest"), (ProfileTargets.Wallclock, "it is no longer in the guest"), (ProfileTargets.Rng, null), (ProfileTargets.RngFile, null)],
            back.Steps.Select(step => (step.Target, step.Left)));
        Assert.Equal(before, _guest.Everything());
        Assert.Empty((await Profile.RevertAsync(Token)).Steps);
    }

    [Fact]
    public async Task What_cannot_be_taken_back_holds_nothing_up_and_is_kept_in_mind()
    {
        await Profile.ApplyAsync(["entropy", "ntp"], s_options, Token);
        _guest.Program("modprobe", "echo 'it is in use' >&2; exit 1");
        VirtigoException failure = await Assert.ThrowsAsync<VirtigoException>(() => Profile.RevertAsync(Token));
        Assert.Equal(FailureKind.Guest, failure.Kind);
        Assert.Contains("it is in use", failure.Message, StringComparison.Ordinal);
        Assert.Contains("Taken back was: " + ProfileTargets.RngFile + ", chrony.service.", failure.Message, StringComparison.Ordinal);
        Assert.Equal("masked inactive", _guest.Read("units/chrony.service"));
        Assert.Equal(ProfileTargets.Rng, Assert.Single(ProfileState.Parse(_guest.Read("var/lib/virtigo/profile.json")!).Changes).Target);

        _guest.Program("modprobe", "rmdir $R/sys/module/$2");
        Assert.Equal(ProfileTargets.Rng, Assert.Single((await Profile.RevertAsync(Token)).Steps).Target);
        Assert.Null(_guest.Read("var/lib/virtigo/profile.json"));
    }

    [Fact]
    public async Task A_change_that_does_not_come_about_is_a_failure_and_can_be_taken_back()
    {
        IReadOnlyDictionary<string, string> before = _guest.Everything();
        _guest.Program("modprobe", "echo 'no such module' >&2; exit 1");
        VirtigoException failure = await Assert.ThrowsAsync<VirtigoException>(() => Profile.ApplyAsync(["entropy"], s_options, Token));
        Assert.Equal(FailureKind.Guest, failure.Kind);
        Assert.Contains("no such module", failure.Message, StringComparison.Ordinal);
        Assert.Equal("virtio_rng", _guest.Read("etc/modules-load.d/virtigo-rng.conf"));
        await Profile.RevertAsync(Token);
        Assert.Equal(before.Keys, _guest.Everything().Keys);
    }

    [Fact]
    public async Task A_clock_that_is_a_hundred_seconds_behind_is_found_moved_and_right_then()
    {
        _guest.Write("ahead", "-100000000000");
        ProfileFinding found = (await Profile.CheckAsync(s_options, Token)).Findings.Single(finding => finding.Setting == "clock");
        Assert.Equal(FindingVerdict.Problem, found.Verdict);
        Assert.InRange(found.Number!.Value, -100 - found.Error!.Value - 0.05, -100 + found.Error.Value + 0.05);
        ProfileOutcome outcome = await Profile.ApplyAsync(["clock"], s_options, Token);
        Assert.Equal("clock", Assert.Single(outcome.Steps).Setting);
        Assert.Empty((await Profile.ApplyAsync(["clock"], s_options, Token)).Steps);
        Assert.InRange(long.Parse(_guest.Read("ahead")!, CultureInfo.InvariantCulture), -1_000_000_000, 1_000_000_000);
    }

    [Fact]
    public async Task A_guest_that_keeps_what_no_profile_wrote_is_not_touched()
    {
        _guest.Write("var/lib/virtigo/profile.json", "{\"changes\":[{\"setting\":\"entropy\",\"kind\":\"File\",\"target\":\"/etc/shadow\",\"before\":\"-\",\"after\":\"-\"}]}");
        IReadOnlyDictionary<string, string> before = _guest.Everything();
        Assert.Equal(FailureKind.Guest, (await Assert.ThrowsAsync<VirtigoException>(() => Profile.RevertAsync(Token))).Kind);
        Assert.Equal(FailureKind.Guest, (await Assert.ThrowsAsync<VirtigoException>(() => Profile.ApplyAsync([], s_options, Token))).Kind);
        Assert.Equal(before, _guest.Everything());
    }

    [Fact]
    public async Task A_setting_that_does_not_exist_and_options_that_cannot_be_are_refused()
    {
        VirtigoException failure = await Assert.ThrowsAsync<VirtigoException>(() => Profile.ApplyAsync(["entropi"], s_options, Token));
        Assert.Equal((FailureKind.Usage, "There is no setting 'entropi'; did you mean entropy?"), (failure.Kind, failure.Message));
        Assert.Equal(FailureKind.Usage, (await Assert.ThrowsAsync<VirtigoException>(() => Profile.CheckAsync(s_options with { ClockTime = TimeSpan.Zero }, Token))).Kind);
        Assert.Equal(FailureKind.Usage, (await Assert.ThrowsAsync<VirtigoException>(() => Profile.CheckAsync(s_options with { TransferBytes = 1 }, Token))).Kind);
    }

    [Fact]
    public async Task Offloads_are_tried_both_ways_and_are_as_they_were_afterwards()
    {
        var card = new PlayedCard { ["tx"] = "on", ["rx"] = "on", ["tso"] = "on", ["gso"] = "off" };
        NetworkMeasurement found = await MeasureAsync(card);
        Assert.Equal(["gro"], found.Fixed);
        Assert.Equal([("tx", OffloadReason.FewerErrors), ("rx", OffloadReason.None), ("tso", OffloadReason.None), ("gso", OffloadReason.Faster)], found.Trials.Select(trial => (trial.Offload, trial.Reason)));
        Assert.Equal([("tx", "on"), ("rx", "on"), ("tso", "on"), ("gso", "off")], card.Select(one => (one.Key, one.Value)));
    }

    [Theory]
    [InlineData(3)]
    [InlineData(8)]
    public async Task Offloads_are_as_they_were_also_when_a_transfer_fails(int transfers)
    {
        var card = new PlayedCard { ["tx"] = "on", ["rx"] = "on", ["tso"] = "on", ["gso"] = "off" };
        card.Left = transfers;
        Assert.Equal(FailureKind.Guest, (await Assert.ThrowsAsync<VirtigoException>(() => MeasureAsync(card))).Kind);
        Assert.Equal([("tx", "on"), ("rx", "on"), ("tso", "on"), ("gso", "off")], card.Select(one => (one.Key, one.Value)));
    }

    [Fact]
    public async Task A_transfer_is_counted_by_the_program_that_runs_in_guests()
    {
        await using RealGuestSide side = await RealGuestSide.StartAsync(Token);
        // The offloads of this host's own card are not asked for.
        GuestCommand run = (command, options, token) => Arguments().Match(command).Groups[1].Value is "get" or "set"
            ? Task.FromResult(new CommandResult(1, "", "", false, TimeSpan.Zero))
            : side.Shell.ExecuteAsync(command, options, token);
        var options = s_options with { TransferBytes = 1 << 20, Peer = new ProfilePeer("client", "127.0.0.1", "127.0.0.1", run) };
        NetworkMeasurement found = await new NetworkMeter(run, options).MeasureAsync(new GuestNicFact("lo", "", ""), Token);
        Assert.Equal((2L << 20, 5), (found.AsIs.Bytes, found.Fixed.Count));
        Assert.True(found.AsIs is { Seconds: > 0, Sent: > 0 } && found.AsIs.Megabits > 1, $"{found.AsIs}");
    }

    private static Task<NetworkMeasurement> MeasureAsync(PlayedCard card) =>
        new NetworkMeter(card.RunAsync, s_options with { Peer = new ProfilePeer("client", "10.0.0.3", "10.0.0.2", card.RunAsync) }).MeasureAsync(new GuestNicFact("eth0", "virtio_net", ""), Token);

    [GeneratedRegex(@" -- (\S+)(?: (\S+))?(?: (\S+))?(?: (\S+))?\z")]
    private static partial Regex Arguments();

    /// <summary>A card whose tx makes errors when it is on, and that is twice as fast with gso.</summary>
    private sealed class PlayedCard : SortedDictionary<string, string>
    {
        private static readonly string[] s_order = ["tx", "rx", "tso", "gso"];

        public PlayedCard()
            : base(Comparer<string>.Create((one, other) => Array.IndexOf(s_order, one).CompareTo(Array.IndexOf(s_order, other))))
        {
        }

        public int Left { get; set; } = 1000;

        public Task<CommandResult> RunAsync(string command, CommandOptions options, CancellationToken cancellationToken)
        {
            GroupCollection words = Arguments().Match(command).Groups;
            (int code, string output) = words[1].Value switch
            {
                "get" => TryGetValue(words[3].Value, out string? state) ? (0, state + "\n") : (95, ""),
                "set" => Set(words[3].Value, words[4].Value),
                "receive" => Listen(options),
                _ => --Left < 0 ? (104, "") : (0, Result()),
            };
            return Task.FromResult(new CommandResult(code, output, "", false, TimeSpan.Zero));
        }

        private (int Code, string Output) Set(string offload, string state)
        {
            if (!ContainsKey(offload))
            {
                return (95, "");
            }

            this[offload] = state;
            return (0, state + "\n");
        }

        private (int Code, string Output) Listen(CommandOptions options)
        {
            options.OnOutput!("port 4000\n"u8.ToArray(), false);
            return (0, "port 4000\n" + Result());
        }

        private string Result() => string.Create(CultureInfo.InvariantCulture,
            $"result {s_options.TransferBytes} {(this["gso"] == "on" ? 50_000_000 : 100_000_000)} 6000 {(this["tx"] == "on" ? 9 : 0)} 0\n");
    }
}

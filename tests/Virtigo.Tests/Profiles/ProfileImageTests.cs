using System.Text;
using Virtigo.Machines;
using Virtigo.Profiles;
using Virtigo.Tests.Archives;
using Xunit;

namespace Virtigo.Tests.Profiles;

/// <summary>What profiles do in an image before it runs, in a system that is played by a folder; the script really runs.</summary>
public sealed class ProfileImageTests : IAsyncLifetime
{
    private const string State = "var/lib/virtigo/profile.json";
    private PlayedGuest _system = null!;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _system = await PlayedGuest.StartAsync(Token);
        _system.Write("etc/default/grub", "# console=hvc0 no_timer_check\nGRUB_CMDLINE_LINUX=\"console=tty0 console=ttyS0,115200\"\n");
        _system.Write("boot/grub/grub.cfg", "menu\n");
        _system.Write("usr/lib/systemd/system/chrony.service", "");
        _system.Write("lib/systemd/system/fstrim.timer", "");
        _system.Write("usr/lib/systemd/system/qemu-guest-agent.service", "");
        _system.Write("units/qemu-guest-agent.service", "static inactive\n");
    }

    public ValueTask DisposeAsync() => _system.DisposeAsync();

    [Fact]
    public async Task What_is_built_in_is_kept_in_mind_and_taken_back_by_a_machine_that_runs()
    {
        IReadOnlyDictionary<string, string> before = _system.Everything();
        ProfileImage image = ProfileImage.For(["qemu", "xen"], []);
        await MakeAsync(image);

        Assert.Equal("GRUB_CMDLINE_LINUX=\"console=hvc0 $GRUB_CMDLINE_LINUX\"", _system.Read("etc/default/grub.d/71-virtigo-console.cfg"));
        Assert.Equal("GRUB_CMDLINE_LINUX=\"$GRUB_CMDLINE_LINUX no_timer_check\"", _system.Read("etc/default/grub.d/70-virtigo-profile.cfg"));
        Assert.Null(_system.Read("etc/default/grub.d/72-virtigo-serial.cfg"));
        Assert.Equal("run", _system.Read("grub"));
        Assert.Equal([("ntp", "chrony.service"), ("discard", "fstrim.timer"), ("console", ProfileTargets.ConsoleFile), ("kernel-arguments", ProfileTargets.KernelFile)],
            Kept().Select(change => (change.Setting, change.Target)));
        Assert.Equal("masked unlinked inactive", Kept()[0].Before);

        Boot();
        IReadOnlyList<BuiltSetting> seen = await new ProfileImageCheck(_system.Run).LookAsync(image, Token);
        Assert.Equal(ProfileSetting.Names, seen.Select(setting => setting.Setting));
        Assert.Equal(["ntp", "discard", "console", "kernel-arguments"], seen.Where(setting => setting.Outcome == BuiltOutcome.Applied).Select(setting => setting.Setting));
        Assert.Equal("chrony.service: masked inactive -> enabled active", seen.Single(setting => setting.Setting == "ntp").Text);
        Assert.Equal((BuiltOutcome.There, "qemu-guest-agent.service runs"), (Of("agent", seen).Outcome, Of("agent", seen).Text));
        Assert.Equal(["clock", "clocksource", "wallclock", "network", "offloads", "card", "entropy", "balloon"],
            seen.Where(setting => setting.Outcome == BuiltOutcome.NotAtBuild).Select(setting => setting.Setting));

        Assert.All((await new GuestProfile(_system.Run).RevertAsync(Token)).Steps, step => Assert.Null(step.Left));
        _system.Write("units/qemu-guest-agent.service", "static inactive\n");
        Assert.Equal(before, _system.Everything());
    }

    [Fact]
    public async Task What_is_there_already_is_left_and_nothing_is_kept_in_mind()
    {
        _system.Write("units/chrony.service", "enabled inactive\n");
        _system.Write("units/fstrim.timer", "enabled inactive\n");
        _system.Write("etc/default/grub.d/50-mine.cfg", "GRUB_CMDLINE_LINUX=\"$GRUB_CMDLINE_LINUX no_timer_check\"\n");
        IReadOnlyDictionary<string, string> before = _system.Everything();
        ProfileImage image = ProfileImage.For(["tcg"], []);
        await MakeAsync(image);
        Assert.Equal(before, _system.Everything());
        Assert.Null(_system.Read("grub"));

        Boot();
        Assert.Equal(["ntp", "discard", "agent", "console", "kernel-arguments"],
            (await new ProfileImageCheck(_system.Run).LookAsync(image, Token)).Where(setting => setting.Outcome == BuiltOutcome.There).Select(setting => setting.Setting));
    }

    [Fact]
    public async Task A_layer_adds_to_what_the_layer_below_did()
    {
        await MakeAsync(ProfileImage.For(["uml"], []));
        KeptChange[] below = [.. Kept()];
        ProfileImage layer = ProfileImage.For(["xen"], [GuestKind.Uml]);
        await MakeAsync(layer);
        Assert.Equal(below, Kept().Take(below.Length));
        Assert.Equal(ProfileTargets.ConsoleFile, Assert.Single(Kept().Skip(below.Length)).Target);
        Assert.StartsWith("GRUB_CMDLINE_LINUX=\"console=hvc0 ", _system.Read("etc/default/grub.d/71-virtigo-console.cfg"), StringComparison.Ordinal);

        string kept = _system.Read(State)!;
        await MakeAsync(layer);
        await MakeAsync(ProfileImage.For(["xen", "uml"], [GuestKind.Uml, GuestKind.XenPv]));
        Assert.Equal(kept, _system.Read(State));
    }

    [Fact]
    public async Task For_guests_of_xen_alone_its_console_is_the_last()
    {
        await MakeAsync(ProfileImage.For(["xen-pvh"], []));
        Assert.Equal("GRUB_CMDLINE_LINUX=\"$GRUB_CMDLINE_LINUX console=hvc0\"", _system.Read("etc/default/grub.d/71-virtigo-console.cfg"));
        Assert.Null(_system.Read("etc/default/grub.d/70-virtigo-profile.cfg"));
    }

    [Fact]
    public async Task Where_the_system_asks_at_its_console_that_stays_the_last()
    {
        await MakeAsync(ProfileImage.For(["xen"], []) with { KeepsConsole = true });
        Assert.Equal("GRUB_CMDLINE_LINUX=\"console=hvc0 $GRUB_CMDLINE_LINUX\"", _system.Read("etc/default/grub.d/71-virtigo-console.cfg"));
    }

    [Fact]
    public async Task A_system_without_a_menu_of_its_own_has_none_made()
    {
        File.Delete(Path.Combine(_system.Root, "boot/grub/grub.cfg"));
        await MakeAsync(ProfileImage.For(["tcg"], []));
        Assert.NotNull(_system.Read("etc/default/grub.d/70-virtigo-profile.cfg"));
        Assert.Null(_system.Read("grub"));
    }

    [Fact]
    public async Task A_step_that_fails_ends_the_script()
    {
        _system.Program("update-grub", "exit 3");
        Assert.Equal(3, (await _system.Run(ProfileImage.For(["tcg"], []).Script, new CommandOptions(), Token)).ExitCode);
    }

    [Fact]
    public async Task What_something_else_made_otherwise_since_and_what_the_system_does_not_have_is_told()
    {
        File.Delete(Path.Combine(_system.Root, "lib/systemd/system/fstrim.timer"));
        File.Delete(Path.Combine(_system.Root, "units/fstrim.timer"));
        ProfileImage image = ProfileImage.For(["kvm"], []);
        await MakeAsync(image);
        Boot();
        _system.Write("units/chrony.service", "masked inactive\n");
        _system.Write("units/qemu-guest-agent.service", "masked inactive\n");
        IReadOnlyList<BuiltSetting> seen = await new ProfileImageCheck(_system.Run).LookAsync(image, Token);
        Assert.Equal((BuiltOutcome.Otherwise, "chrony.service: masked inactive -> enabled active, and is masked inactive now"), (Of("ntp", seen).Outcome, Of("ntp", seen).Text));
        Assert.Equal((BuiltOutcome.Otherwise, "qemu-guest-agent.service is masked inactive"), (Of("agent", seen).Outcome, Of("agent", seen).Text));
        Assert.Equal((BuiltOutcome.Missing, "the system has no fstrim.timer"), (Of("discard", seen).Outcome, Of("discard", seen).Text));
        Assert.Equal((BuiltOutcome.NotApplicable, "only the timer of an emulated processor is lost"), (Of("kernel-arguments", seen).Outcome, Of("kernel-arguments", seen).Text));

        _system.Write(State, "{");
        Assert.Equal(FailureKind.Guest, (await Assert.ThrowsAsync<VirtigoException>(() => new ProfileImageCheck(_system.Run).LookAsync(image, Token))).Kind);
    }

    [Theory]
    [InlineData("qemu", "a b", "a b console=ttyS0 no_timer_check")]
    [InlineData("qemu xen", "console=tty0 console=ttyS0,115200", "console=hvc0 console=tty0 console=ttyS0,115200 no_timer_check")]
    [InlineData("xen", "console=ttyS0", "console=ttyS0 console=hvc0")]
    [InlineData("uml", "console=ttyS0", "console=ttyS0")]
    public void A_boot_loader_from_outside_gives_the_same_arguments(string words, string given, string expected) =>
        Assert.Equal(expected, ProfileImage.For(words.Split(' '), []).KernelArguments(given));

    [Fact]
    public void Every_profile_is_a_script_that_the_shell_takes_and_changes_only_what_a_profile_may()
    {
        GuestKind[][] sets = [.. Enumerable.Range(1, (1 << GuestKinds.All.Count) - 1).Select(bits => GuestKinds.All.Where((_, index) => (bits >> index & 1) == 1).ToArray())];
        Assert.All(sets, kinds =>
        {
            var image = new ProfileImage(kinds, []);
            TestArchiveTools.Run("sh", Encoding.UTF8.GetBytes(image.Script), "-n");
            BuildStep[] steps = [.. image.Settings.SelectMany(image.StepsOf)];
            Assert.NotEmpty(steps);
            Assert.All(steps, step => Assert.All(step.Targets, target => Assert.True(ProfileTargets.IsKnown(step.Kind, target), target)));
            Assert.Equal(ProfileTable.All.Count, image.Settings.Count + image.NotApplicable.Count);
        });
        Assert.Equal(sets.Length, sets.Select(kinds => string.Join(' ', kinds)).Distinct().Count());
    }

    [Fact]
    public void Every_setting_says_what_is_done_for_it_at_build_and_why_other_guests_do_not_have_it() => Assert.All(ProfileTable.All, setting =>
    {
        Assert.True(setting.AtBuild.Length > 10, setting.Name);
        Assert.Equal(setting.Build is null, setting.AtBuild.StartsWith("Nothing", StringComparison.Ordinal));
        Assert.Equal(setting.Kinds.Count == GuestKinds.All.Count, setting.NotFor is null);
    });

    private static BuiltSetting Of(string name, IReadOnlyList<BuiltSetting> all) => all.Single(setting => setting.Setting == name);

    private IReadOnlyList<KeptChange> Kept() => ProfileState.Parse(_system.Read(State)!).Changes;

    private async Task MakeAsync(ProfileImage image)
    {
        CommandResult made = await _system.Run(image.Script, new CommandOptions(), Token);
        Assert.True(made.Succeeded, made.Error + made.Output);

        // The played root is in the script's own words, too.
        if (_system.Read(State) is { } kept)
        {
            _system.Write(State, kept.Replace(_system.Root, "", StringComparison.Ordinal));
        }
    }

    /// <summary>What is enabled runs.</summary>
    private void Boot()
    {
        foreach (string unit in (string[])["chrony.service", "fstrim.timer", "qemu-guest-agent.service"])
        {
            if (_system.Read("units/" + unit)?.Split(' ')[0] is { } file and not "masked" and not "disabled")
            {
                _system.Write("units/" + unit, file + " active\n");
            }
        }
    }
}

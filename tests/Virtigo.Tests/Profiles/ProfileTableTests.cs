using System.Text;
using Virtigo.Profiles;
using Virtigo.Tests.Archives;
using Xunit;

namespace Virtigo.Tests.Profiles;

/// <summary>The table of settings, and what each says of a guest.</summary>
public sealed class ProfileTableTests
{
    private const string Sound = """
        virt qemu
        cmdline root=UUID=1 console=ttyS0 no_timer_check
        clocksource hpet
        clocksources hpet acpi_pm
        rng virtio_rng.0
        entropy 256
        discard 1
        have update-grub
        virtio 0x0005 1
        nic eth0 virtio_net 99-default.link
        unit Id=chrony.service
        unit LoadState=loaded
        unit ActiveState=active
        unit UnitFileState=enabled
        unit Id=fstrim.timer
        unit LoadState=loaded
        unit ActiveState=active
        unit UnitFileState=enabled
        unit Id=qemu-guest-agent.service
        unit LoadState=loaded
        unit ActiveState=active
        unit UnitFileState=static
        """;

    [Fact]
    public void Every_setting_says_what_it_is_why_and_how_it_is_read_applied_and_taken_back()
    {
        Assert.All(ProfileTable.All, setting =>
        {
            Assert.Matches("^[a-z]+(-[a-z]+)*$", setting.Name);
            Assert.All([setting.What, setting.Why, setting.Read, setting.Applied, setting.Reverted], text => Assert.True(text.Trim().Length > 5, setting.Name));
            Assert.NotEmpty(setting.Kinds);
            Assert.Equal(setting.Kinds.Distinct().Count(), setting.Kinds.Count);
            Assert.DoesNotContain(GuestKind.Unknown, setting.Kinds);
        });
        Assert.Equal(ProfileTable.All.Count, ProfileSetting.Names.Distinct().Count());
    }

    [Fact]
    public void Every_kind_of_guest_has_a_profile_and_an_unknown_one_what_is_right_anywhere()
    {
        Assert.All(GuestKinds.All, kind => Assert.True(GuestProfile.SettingsOf(kind).Count >= 6));
        Assert.All(GuestProfile.SettingsOf(GuestKind.Unknown), setting => Assert.Equal(GuestKinds.All.Count, setting.Kinds.Count));
        Assert.DoesNotContain(GuestProfile.SettingsOf(GuestKind.Kvm), setting => setting.Name is "wallclock" or "kernel-arguments");
    }

    [Theory]
    [InlineData("qemu", "kvm tcg")]
    [InlineData("libvirt", "kvm tcg")]
    [InlineData("xen", "xen-pv xen-pvh xen-hvm")]
    [InlineData("uml", "uml")]
    public void A_word_means_kinds_of_guests(string word, string kinds) => Assert.Equal(kinds, string.Join(' ', GuestKinds.Meant(word).Select(GuestKinds.NameOf)));

    [Fact]
    public void Every_word_is_understood_and_another_is_refused_with_the_nearest()
    {
        Assert.All(GuestKinds.Words, word => Assert.NotEmpty(GuestKinds.Meant(word)));
        VirtigoException failure = Assert.Throws<VirtigoException>(() => GuestKinds.Meant("xen-pw"));
        Assert.Equal(FailureKind.Usage, failure.Kind);
        Assert.Contains("did you mean xen-p", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_guest_as_it_should_be_has_nothing_to_change()
    {
        GuestFacts facts = GuestFacts.Parse(Sound);
        Assert.All(ProfileTable.Of(GuestKind.Tcg), setting =>
        {
            Judgment judgment = setting.Judge(facts, new ProfileMeasurements(new ClockMeasurement(0.01, 0.001, 20, 1, 9, 9), null, "not asked for"));
            Assert.True(judgment is { Finding.Verdict: FindingVerdict.Ok or FindingVerdict.NotHere, Changes.Count: 0, StepClock: null }, judgment.Finding.ToString());
        });
    }

    [Theory]
    [InlineData("ntp", "ActiveState=active", "ActiveState=inactive", "Problem Unit chrony.service on")]
    [InlineData("ntp", "LoadState=loaded\nunit ActiveState=active", "LoadState=masked\nunit ActiveState=inactive", "Advice")]
    [InlineData("ntp", "Id=chrony.service\nunit LoadState=loaded\nunit ActiveState=active", "Id=ntpsec.service\nunit LoadState=masked\nunit ActiveState=inactive\nhave ntpd", "Problem Unit ntpsec.service on")]
    [InlineData("console", "console=ttyS0", "console=tty0", "Advice File /etc/default/grub.d/71-virtigo-console.cfg")]
    [InlineData("console", "console=ttyS0", "", "Advice File /etc/default/grub.d/71-virtigo-console.cfg")]
    [InlineData("kernel-arguments", "no_timer_check", "", "Advice File /etc/default/grub.d/70-virtigo-profile.cfg")]
    [InlineData("kernel-arguments", "no_timer_check\n", "\nhave no", "Advice File /etc/default/grub.d/70-virtigo-profile.cfg")]
    [InlineData("clocksource", "clocksource hpet", "clocksource jiffies", "Advice File /etc/tmpfiles.d/virtigo-clocksource.conf, Knob " + ProfileTargets.ClockSource + " hpet")]
    [InlineData("clocksource", "clocksource hpet\nclocksources hpet acpi_pm", "clocksource jiffies\nclocksources jiffies", "Advice")]
    [InlineData("clocksource", "clocksource hpet", "", "NotHere")]
    [InlineData("entropy", "rng virtio_rng.0", "virtio 0x0004 0", "Advice File /etc/modules-load.d/virtigo-rng.conf, Module virtio_rng loaded")]
    [InlineData("entropy", "rng virtio_rng.0", "rng none", "Ok")]
    [InlineData("entropy", "rng virtio_rng.0\nentropy 256", "entropy 12", "Problem")]
    [InlineData("entropy", "rng virtio_rng.0\nentropy 256", "", "NotHere")]
    [InlineData("balloon", "virtio 0x0005 1", "virtio 0x0005 0", "Advice File /etc/modules-load.d/virtigo-balloon.conf, Module virtio_balloon loaded")]
    [InlineData("balloon", "virtio 0x0005 1", "", "NotHere")]
    [InlineData("discard", "discard 1", "discard 0", "Advice")]
    [InlineData("discard", "discard 1", "discard x", "NotHere")]
    [InlineData("discard", "Id=fstrim.timer\nunit LoadState=loaded\nunit ActiveState=active", "Id=fstrim.timer\nunit LoadState=masked\nunit ActiveState=inactive", "Advice Unit fstrim.timer on")]
    [InlineData("agent", "Id=qemu-guest-agent.service\nunit LoadState=loaded\nunit ActiveState=active", "Id=qemu-guest-agent.service\nunit LoadState=loaded\nunit ActiveState=inactive", "Advice Unit qemu-guest-agent.service on")]
    [InlineData("agent", "Id=qemu-guest-agent.service", "Id=x", "Advice")]
    [InlineData("card", "virtio_net", "e1000", "Advice")]
    [InlineData("card", "nic eth0 virtio_net 99-default.link", "", "NotHere")]
    public void What_is_wrong_is_found_with_what_mends_it(string setting, string now, string instead, string expected)
    {
        string said = Sound.Replace(now, instead, StringComparison.Ordinal);
        Assert.NotEqual(Sound, said);
        Judgment judgment = ProfileTable.All.Single(one => one.Name == setting).Judge(GuestFacts.Parse(said), new ProfileMeasurements(null, null, "none"));
        string changes = string.Join(", ", judgment.Changes.Select(change => $"{change.Kind} {change.Target}{(change.Kind == ChangeKind.File ? "" : " " + change.Wanted)}"));
        Assert.Equal(expected, $"{judgment.Finding.Verdict} {changes}".Trim());
        if (judgment.Finding.Verdict is FindingVerdict.Advice or FindingVerdict.Problem)
        {
            Assert.True(judgment.Finding.Meaning is not null && (judgment.Finding.Applies || judgment.Finding.Mend is not null));
        }
    }

    [Fact]
    public void The_wallclock_of_a_xen_guest_is_looked_at_only_where_there_is_such_a_knob()
    {
        Judgment Of(string said) => ProfileTable.All.Single(one => one.Name == "wallclock").Judge(GuestFacts.Parse(said), new ProfileMeasurements(null, null, null));
        Assert.Equal(FindingVerdict.NotHere, Of("hypervisor xen").Finding.Verdict);
        Assert.Equal(FindingVerdict.Ok, Of("wallclock 1").Finding.Verdict);
        Assert.Equal([ChangeKind.File, ChangeKind.Knob], Of("wallclock 0").Changes.Select(change => change.Kind));
    }

    [Fact]
    public void A_clock_source_that_drifts_is_left_for_the_next_and_never_for_the_one_before()
    {
        ProfileMeasurements drifts = new(new ClockMeasurement(0, 0, 900, 10, 9, 9), null, null);
        Judgment Of(string said) => ProfileTable.All.Single(one => one.Name == "clocksource").Judge(GuestFacts.Parse("virt qemu\nclocksources hpet acpi_pm tsc\nclocksource " + said), drifts);
        Assert.Equal("acpi_pm", Of("hpet").Changes[^1].Wanted);
        Assert.Equal("tsc", Of("acpi_pm").Changes[^1].Wanted);
        Assert.Equal((FindingVerdict.Problem, 0), (Of("tsc").Finding.Verdict, Of("tsc").Changes.Count));
    }

    [Fact]
    public void A_clock_that_is_off_is_moved_by_what_was_measured_and_one_within_the_error_is_not()
    {
        Judgment Of(ClockMeasurement clock) => ProfileTable.All.Single(one => one.Name == "clock").Judge(GuestFacts.Parse(""), new ProfileMeasurements(clock, null, null));
        Judgment off = Of(new ClockMeasurement(-100.25, 0.01, 3, 1, 9, 5));
        Assert.Equal((FindingVerdict.Problem, 100.25, -100.25, 0.01, "s", true),
            (off.Finding.Verdict, off.StepClock, off.Finding.Number, off.Finding.Error, off.Finding.Unit, off.Finding.Applies));
        Assert.Equal("-100250.0 ms ± 10.0 ms against the host, drift +3 ± 1 ppm over 5.0 s", off.Finding.Text);
        Assert.Null(Of(new ClockMeasurement(-1, 0.7, null, 0, 9, 5)).StepClock);
    }

    [Theory]
    [InlineData(0, 0, FindingVerdict.Ok)]
    [InlineData(100, 0, FindingVerdict.Ok)]
    [InlineData(101, 0, FindingVerdict.Problem)]
    [InlineData(0, 1, FindingVerdict.Problem)]
    public void A_network_that_loses_more_than_a_hundredth_or_bends_anything_is_ill(long again, long wrong, object verdict)
    {
        var network = new NetworkMeasurement(new GuestNicFact("eth0", "virtio_net", ""), "client", new TransferSample(1000, 1, 10_000, again, wrong), [], []);
        Assert.Equal(verdict, ProfileTable.All.Single(one => one.Name == "network").Judge(GuestFacts.Parse(""), new ProfileMeasurements(null, network, null)).Finding.Verdict);
    }

    [Fact]
    public void Every_script_is_one_that_the_shell_takes_and_the_program_one_that_perl_takes()
    {
        ProfileChange[] changes =
        [
            ProfileChange.File(ProfileTargets.KernelFile, "it's\n"), new(ChangeKind.File, ProfileTargets.LinkAddition("99-default.link"), ProfileChange.Absent),
            new(ChangeKind.Knob, ProfileTargets.Wallclock, "1"), new(ChangeKind.Unit, ProfileTargets.Trim, ProfileChange.On), new(ChangeKind.Unit, ProfileTargets.Trim, "masked unlinked inactive"),
            new(ChangeKind.Unit, ProfileTargets.Trim, "masked-runtime linked active"), new(ChangeKind.Module, ProfileTargets.Rng, "loaded"), new(ChangeKind.Module, ProfileTargets.Rng, "absent"),
            new(ChangeKind.Offload, "eth0 tso", "off"),
        ];
        string[] scripts =
        [
            ProfileState.ReadCommand, new ProfileState([]).WriteCommand(), new ProfileState([new KeptChange("entropy", ChangeKind.Module, ProfileTargets.Rng, "absent", "loaded")]).WriteCommand(),
            .. changes.SelectMany(change => new[] { change.ReadCommand(), change.WriteCommand(change.Wanted) }),
        ];
        Assert.All(scripts, script => TestArchiveTools.Run("sh", Encoding.UTF8.GetBytes(script), "-n"));
        string program = GuestMeter.Command();
        TestArchiveTools.Run("sh", Encoding.UTF8.GetBytes(program.Replace("perl -e ", "perl -c -e ", StringComparison.Ordinal)));
    }
}

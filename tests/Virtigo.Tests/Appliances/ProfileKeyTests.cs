using Virtigo.Appliances;
using Virtigo.Host;
using Virtigo.Profiles;
using Xunit;

namespace Virtigo.Tests.Appliances;

/// <summary>The key <c>profile</c> of a spec.</summary>
public sealed class ProfileKeyTests : IDisposable
{
    private readonly string _home = Directory.CreateTempSubdirectory("virtigo-profile-key-").FullName;

    public void Dispose() => Directory.Delete(_home, recursive: true);

    [Theory]
    [InlineData("", null)]
    [InlineData("profile: none", null)]
    [InlineData("profile: auto", "kvm tcg uml xen-pv xen-pvh xen-hvm")]
    [InlineData("profile: auto\nhypervisor: libvirt", "kvm tcg")]
    [InlineData("profile: auto\nhypervisor: uml", "uml")]
    [InlineData("profile: [xen-pvh, qemu]", "kvm tcg xen-pvh")]
    [InlineData("profile: kvm\nhypervisor: uml", "kvm")]
    public async Task It_says_for_which_guests(string yaml, string? kinds)
    {
        AppliancePlan plan = await Plan(yaml);
        Assert.Equal(kinds, plan.Target.Profile is { } profile ? string.Join(' ', profile.Kinds.Select(GuestKinds.NameOf)) : null);
        Assert.Equal(kinds is null, plan.Target.Choices.Profile.Length == 0);
    }

    [Theory]
    [InlineData("profile: [qemu, qemux]", "web.yml:1:17: profile: 'qemux' is not supported", "did you mean 'qemu'?")]
    [InlineData("memory: 1GiB\nprofile: [auto, xen]", "web.yml:2:10: profile: auto is written beside others: auto, xen", "")]
    [InlineData("profile: [xen, none]", "web.yml:1:10: profile: none is written beside others", "")]
    [InlineData("profile: {qemu: true}", "web.yml:1:10: profile: expected a list", "profile: [qemu, xen]")]
    [InlineData("profile: kvm\npackages: [-qemu-guest-agent]", "qemu-guest-agent is to be removed, yet it is needed for the profile's agent", "")]
    public async Task What_it_cannot_say_is_told_with_its_place(string yaml, string message, string and)
    {
        VirtigoException failure = await Assert.ThrowsAsync<VirtigoException>(() => Plan(yaml));
        Assert.Equal(FailureKind.Usage, failure.Kind);
        Assert.Contains(message, failure.Message.Replace(_home + "/", "", StringComparison.Ordinal), StringComparison.Ordinal);
        Assert.Contains(and, failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task It_is_explained_setting_by_setting_with_its_place()
    {
        ExplainedSetting[] lines = [.. (await Plan("memory: 1GiB\nprofile: qemu")).Explain().Where(line => line.Key == "profile")];
        Assert.Equal(
        [
            "for guests of kvm, tcg",
            "ntp: chrony.service or systemd-timesyncd.service or ntpsec.service or openntpd.service enabled",
            "discard: fstrim.timer enabled",
            "agent: qemu-guest-agent.service enabled",
            "console: console=ttyS0 in /etc/default/grub.d/72-virtigo-serial.cfg",
            "kernel-arguments: no_timer_check in /etc/default/grub.d/70-virtigo-profile.cfg",
            "not at build: clock, clocksource, network, offloads, card, entropy, balloon",
            "not applicable: wallclock",
        ], lines.Select(line => line.Shown));
        Assert.All(lines, line => Assert.EndsWith("web.yml:2", line.Origin.ToString(), StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("profile: qemu", "qemu-guest-agent systemd-timesyncd")]
    [InlineData("profile: uml", "systemd-timesyncd")]
    [InlineData("profile: qemu\npackages: [chrony]", "chrony qemu-guest-agent")]
    [InlineData("profile: none", "")]
    public async Task It_brings_the_packages_that_it_needs_unless_another_does_the_same(string yaml, string packages) =>
        Assert.Equal(packages, string.Join(' ', (await Plan(yaml)).Packages.Value));

    [Fact]
    public async Task Another_profile_is_another_image_and_none_is_the_same_as_before()
    {
        string[] fingerprints = [.. (await Task.WhenAll(((string[])["", "profile: kvm", "profile: tcg", "profile: xen", "profile: [tcg, xen]"]).Select(Plan))).Select(plan => plan.Fingerprint)];
        Assert.Distinct(fingerprints);
        Assert.Equal(fingerprints[0], (await Plan("profile: none")).Fingerprint);
        Assert.Equal((await Plan("profile: [kvm, tcg]")).Fingerprint, (await Plan("profile: libvirt")).Fingerprint);
    }

    [Fact]
    public async Task What_builds_on_another_adds_its_own_and_leaves_that_one_as_it_is()
    {
        await File.WriteAllTextAsync(Path.Combine(_home, "base.yml"), "profile: xen\npackages: [chrony]\n", TestContext.Current.CancellationToken);
        AppliancePlan alone = await Plan("from: base.yml");
        AppliancePlan layer = await Plan("from: base.yml\nprofile: qemu");

        Assert.Null(alone.Target.Profile);
        AppliancePlan below = layer.From!.Value;
        Assert.Equal(alone.From!.Value.Fingerprint, below.Fingerprint);
        Assert.Equal(["xen-pv", "xen-pvh", "xen-hvm"], below.Target.Profile!.Kinds.Select(GuestKinds.NameOf));
        Assert.Equal(["kvm", "tcg"], layer.Target.Profile!.Kinds.Select(GuestKinds.NameOf));
        Assert.Equal(6 - 1, layer.Target.Profile.All.Count);
        Assert.Equal(["qemu-guest-agent"], layer.Packages.Value);
        Assert.Contains(layer.Explain(), line => line.Key == "base: profile");
    }

    [Fact]
    public async Task What_includes_another_decides_otherwise()
    {
        await File.WriteAllTextAsync(Path.Combine(_home, "common.yml"), "profile: xen\n", TestContext.Current.CancellationToken);
        Assert.Equal(["xen-pv", "xen-pvh", "xen-hvm"], (await Plan("include: common.yml")).Target.Profile!.Kinds.Select(GuestKinds.NameOf));
        Assert.Null((await Plan("include: common.yml\nprofile: none")).Target.Profile);
    }

    private Task<AppliancePlan> Plan(string yaml) => new AppliancePlanner(new PlannerEnvironment
    {
        Paths = HostPaths.FromEnvironment(name => name == "VIRTIGO_HOME" ? _home : null),
        ResolveRelease = (_, suite, _) => Task.FromResult(new ResolvedRelease("trixie", "13.1", suite)),
        FindHostMirror = () => new HostMirror(new Uri("http://host.example/debian"), "/etc/apt/sources.list:1"),
        SshDirectory = Path.Combine(_home, "ssh"),
        ZoneInfoDirectory = Path.Combine(_home, "zoneinfo"),
    }).PlanAsync(ApplianceSpec.Parse(yaml + "\n", Path.Combine(_home, "web.yml"), new SpecOptions()), TestContext.Current.CancellationToken);
}

using Virtigo.Appliances;
using Virtigo.Host;
using Xunit;

namespace Virtigo.Tests.Appliances;

public sealed class DiskPlannerTests : IDisposable
{
    private const string Passphrase = "correct horse battery";
    private readonly string _home = Directory.CreateTempSubdirectory("virtigo-disk-").FullName;

    public void Dispose() => Directory.Delete(_home, recursive: true);

    [Fact]
    public async Task An_encrypted_disk_has_volumes_and_its_passphrase_shows_nowhere()
    {
        AppliancePlan plan = await PlanAsync("disk: {encrypt: env:DISK, swap: 1GiB}\n");
        Assert.True(plan.Disk.Value.Lvm);
        Assert.Equal(Passphrase, plan.Disk.Value.Passphrase!.Reveal());
        Assert.StartsWith("encrypted, logical volumes, / ext4", plan.Explain().Single(line => line.Key == "disk layout").Shown);

        string everything = string.Join('\n',
        [
            .. plan.Explain().Select(line => line.ToString()), plan.ToString(), $"{plan.Disk.Value}", ApplianceBuilder.Answers(plan),
            .. InstallWay.Parts(plan), System.Text.Encoding.UTF8.GetString(PlanEncoding.Encode(plan)),
        ]);
        Assert.DoesNotContain(Passphrase, everything, StringComparison.Ordinal);
        Assert.Contains("d-i partman-auto/method string crypto", everything, StringComparison.Ordinal);
        Assert.Contains("d-i partman-crypto/passphrase password [redacted]", everything, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Another_passphrase_is_another_image_and_the_same_one_the_same()
    {
        AppliancePlan plan = await PlanAsync("disk: {encrypt: env:DISK}\n");
        Assert.Equal(plan.Fingerprint, (await PlanAsync("disk: {encrypt: correct horse battery}\n")).Fingerprint);
        Assert.NotEqual(plan.Fingerprint, (await PlanAsync("disk: {encrypt: another horse}\n")).Fingerprint);
        Assert.NotEqual(plan.Fingerprint, (await PlanAsync("disk: {layout: lvm}\n")).Fingerprint);
    }

    [Fact]
    public async Task The_installer_of_an_encrypted_disk_is_never_saved()
    {
        Assert.Contains("key of the encrypted disk", ApplianceBuilder.WhyNotShared(await PlanAsync("disk: {encrypt: env:DISK}\n")), StringComparison.Ordinal);
        Assert.Null(ApplianceBuilder.WhyNotShared(await PlanAsync("disk: {layout: lvm}\n")));
    }

    [Fact]
    public void A_spec_is_remembered_without_its_passphrase()
    {
        ApplianceSpec spec = ApplianceSpec.Parse($"disk: {{size: 4GiB, encrypt: {Passphrase}}}\n", "web.yml");
        Assert.Equal("disk: {size: 4GiB, encrypt: \"***\"}\n", spec.RedactedText);
    }

    [Theory]
    [InlineData("disk: {encrypt: env:DISK, layout: plain}", "web.yml:1: disk.layout: an encrypted disk has logical volumes, not plain partitions.")]
    [InlineData("disk: {encrypt: env:DISK}\nmemory: 512MiB", "web.yml:2: memory: 512 MiB are too little to open an encrypted disk; it takes 1024 MiB.")]
    [InlineData("disk: {encrypt: env:UNSET}", "web.yml:1:17: the variable UNSET is not set.")]
    [InlineData("disk: {encrypt: env:SHORT}", "web.yml:1:17: the variable SHORT is not usable as a passphrase: expected 8 to 256 printable ASCII characters")]
    [InlineData("disk: {encrypt: env:DISK, mounts: [{path: /boot, size: 1GiB}]}", "with logical volumes /boot is a partition already.")]
    public async Task What_cannot_be_encrypted_is_refused_with_its_place(string yaml, string problem)
    {
        VirtigoException wrong = await Assert.ThrowsAsync<VirtigoException>(() => PlanAsync(yaml + "\n"));
        Assert.Equal(FailureKind.Usage, wrong.Kind);
        Assert.Contains(problem, wrong.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("tiny", wrong.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("disk: {encrypt: short}")]
    [InlineData("disk: {encrypt: \"ends in a blank \"}")]
    [InlineData("disk: {encrypt: \"back\\\\slash inside\"}")]
    [InlineData("disk: {encrypt: \"passwört here\"}")]
    [InlineData("disk: {encrypt: env:NO-NAME}")]
    public void A_passphrase_that_cannot_be_typed_everywhere_is_refused_and_not_shown(string yaml)
    {
        VirtigoException wrong = Assert.Throws<VirtigoException>(() => ApplianceSpec.Parse(yaml, "web.yml"));
        Assert.Contains("web.yml:1:17: disk.encrypt: the value ", wrong.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(yaml.Split(": ")[2].Trim('"', '}'), wrong.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_passphrase_for_every_appliance_is_refused()
    {
        Directory.CreateDirectory(Path.Combine(_home, "config"));
        await File.WriteAllTextAsync(Path.Combine(_home, "config", "config.yml"), "disk: {encrypt: correct horse battery}\n", TestContext.Current.CancellationToken);
        VirtigoException wrong = await Assert.ThrowsAsync<VirtigoException>(() => PlanAsync(""));
        Assert.Contains("config.yml:1: disk.encrypt: one passphrase for every appliance is not supported.", wrong.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_disk_that_grows_and_how_file_systems_are_mounted_are_of_the_layout()
    {
        AppliancePlan plan = await PlanAsync("disk: {size: 20GiB, grow: true, mounts: [{path: /tmp, size: 1GiB, options: [nosuid, nodev, nosuid]}]}\n");
        Assert.True(plan.Disk.Value.Grow);
        Assert.Equal("grows with the machine's disk, / ext4, /tmp ext4 1 GiB (nodev,nosuid)", plan.Explain().Single(line => line.Key == "disk layout").Shown);
        Assert.Contains("fdisk", plan.Disk.Value.Packages);
        Assert.Contains("mountpoint{ /tmp } options/nodev{ nodev } options/nosuid{ nosuid } .", ApplianceBuilder.Answers(plan), StringComparison.Ordinal);
        Assert.NotEqual(plan.Fingerprint, (await PlanAsync("disk: {size: 20GiB, mounts: [{path: /tmp, size: 1GiB, options: [nosuid, nodev]}]}\n")).Fingerprint);
    }

    private Task<AppliancePlan> PlanAsync(string yaml) => new AppliancePlanner(new PlannerEnvironment
    {
        Paths = HostPaths.FromEnvironment(name => name == "VIRTIGO_HOME" ? _home : null),
        ResolveRelease = (_, suite, _) => Task.FromResult(new ResolvedRelease("trixie", "13.1", suite)),
        FindHostMirror = () => new HostMirror(new Uri("http://host.example/debian"), "/etc/apt/sources.list:1"),
        FindHostSecurityMirror = () => new HostMirror(new Uri("http://host.example/debian-security"), "/etc/apt/sources.list:2"),
        Variable = name => name switch { "DISK" => Passphrase, "SHORT" => "tiny", _ => null },
    }).PlanAsync(ApplianceSpec.Parse(yaml, "web.yml"), TestContext.Current.CancellationToken);
}

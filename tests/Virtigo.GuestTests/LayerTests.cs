using Virtigo.Images;
using Virtigo.Profiles;
using Xunit;

namespace Virtigo.GuestTests;

/// <summary>Appliances that build on another: the first saves where that one is complete, the next goes on from there.</summary>
[Collection(Grounds.Name)]
public sealed class LayerTests(Lab lab, GroundFixture ground)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task What_builds_on_another_is_installed_as_a_layer_and_is_that_one_and_what_it_adds()
    {
        StoredImage first = await ground.Desk;
        Assert.Contains(first.Manifest.Timings, timing => timing.Stage == "install: packages");

        StoredImage second = await ground.BuildAsync("layer-two", """
            from: ground.yml
            packages: [dc, -nano]
            users: [{name: dave, groups: [carol]}]
            profile: xen
            files: [{content: "mine\n", to: /srv/mine, owner: dave}]
            run: 'echo "$(hostname) $(echo 6 7 \* p | dc)" >> /srv/order'
            first-boot: echo second >> /srv/booted
            """);

        Assert.DoesNotContain(second.Manifest.Timings, timing => timing.Stage is "install: packages" or "install: base system");
        Assert.Contains(second.Manifest.Materials, material => material.Url.Contains("/curl_", StringComparison.Ordinal));
        Assert.Contains(second.Manifest.Materials, material => material.Url.Contains("/dc_", StringComparison.Ordinal));
        TestContext.Current.TestOutputHelper?.WriteLine($"on the ground: {Seconds(first):0} s; as a layer: {Seconds(second):0} s");

        await using BootedCopy machine = await lab.BootAsync(second.DiskPath);
        Assert.Equal("layer-two", await machine.ShellAsync("hostname", Cancel));
        Assert.Equal("127.0.1.1 layer-two.internal layer-two", await machine.ShellAsync("grep 127.0.1.1 /etc/hosts | tr '\\t' ' '", Cancel));
        Assert.Equal("of ground", await machine.ShellAsync("cat /etc/ground", Cancel));
        Assert.Equal("base\nlayer-two 42", await machine.ShellAsync("cat /srv/order", Cancel));
        Assert.Equal("ii ii rc", await machine.ShellAsync("dpkg-query -W -f '${db:Status-Abbrev} ' curl dc nano | tr -s ' ' | sed 's/ *$//'", Cancel));
        Assert.Equal("", await machine.ShellAsync("dpkg-query -W -f '${Package}' bc 2>/dev/null", Cancel));
        Assert.Equal("curl dc", await machine.ShellAsync("apt-mark showmanual curl dc libcurl4t64 | tr '\\n' ' ' | sed 's/ $//'", Cancel));
        Assert.Equal("dave carol", await machine.ShellAsync("id -Gn dave", Cancel));
        Assert.Equal("dave", await machine.ShellAsync("stat -c %U /srv/mine", Cancel));
        Assert.Equal("masked", await machine.ShellAsync("systemctl is-enabled apt-daily.timer", Cancel));
        Assert.Equal("base second", await machine.ShellAsync("for i in $(seq 60); do [ \"$(wc -l < /srv/booted)\" = 2 ] && break; sleep 1; done; tr '\\n' ' ' < /srv/booted | sed 's/ $//'", Cancel));
        Assert.Equal("http_proxy=http://proxy.lab.example:3128", await machine.ShellAsync("grep ^http_proxy= /etc/environment", Cancel));
        Assert.Equal("", await machine.ShellAsync("systemctl list-units --failed --plain --no-legend", Cancel));
        Assert.Equal("none", await machine.ShellAsync("ls /etc/apt/apt.conf.d/00virtigo-install 2>/dev/null || echo none", Cancel));
        await AssertProfileAsync(second.Manifest.Profile, machine);
    }

    /// <summary>The profile of the one below and of the one on it: in the kernel's arguments, in the manifest, and taken back by a machine that runs.</summary>
    private static async Task AssertProfileAsync(ImageProfile built, BootedCopy machine)
    {
        const string menu = "grep -c 'linux.*no_timer_check' /boot/grub/grub.cfg; grep -c 'linux.*console=hvc0' /boot/grub/grub.cfg";
        Assert.Equal(["tcg", "xen-pv", "xen-pvh", "xen-hvm"], built.Guests);
        Assert.Equal(ProfileSetting.Names, built.Settings.Select(setting => setting.Name));
        Assert.Equal(["console", "kernel-arguments"], built.Settings.Where(setting => setting.Outcome == "applied").Select(setting => setting.Name));
        Assert.Equal(["ntp", "discard", "agent"], built.Settings.Where(setting => setting.Outcome == "there").Select(setting => setting.Name));
        string arguments = await machine.ShellAsync("cat /proc/cmdline", Cancel);
        Assert.Contains("console=hvc0 console=tty0 console=ttyS0,115200", arguments, StringComparison.Ordinal);
        Assert.Contains(" no_timer_check", arguments, StringComparison.Ordinal);
        Assert.Equal("active", await machine.ShellAsync("systemctl is-active systemd-timesyncd", Cancel));

        ProfileOutcome back = await new GuestProfile(machine.ExecuteAsync).RevertAsync(Cancel);

        Assert.Equal([("console", null), ("kernel-arguments", null)], back.Steps.Select(step => (step.Setting, step.Left)));
        Assert.Equal("0\n0", await machine.ShellAsync(menu, Cancel));
        Assert.Equal("none", await machine.ShellAsync("ls /var/lib/virtigo 2>/dev/null || echo none", Cancel));
    }

    [Fact]
    [Trait(Tiers.Name, Tiers.Thorough)]
    public async Task A_layer_is_the_same_as_the_whole_installed_from_the_beginning()
    {
        const string yaml = "from: ground.yml\npackages: [dc]\nusers: [dave]\n";
        await ground.Desk;
        StoredImage layer = await ground.BuildAsync("layer", yaml);
        StoredImage whole = await ground.BuildAsync("layer-whole", yaml, "--full");

        Assert.Equal(whole.Manifest.Packages, layer.Manifest.Packages);
        SystemViews.AssertSame(await SystemViews.LookAsync(lab, whole.DiskPath), await SystemViews.LookAsync(lab, layer.DiskPath));
    }

    private static double Seconds(StoredImage image) => image.Manifest.Timings.Sum(timing => timing.Seconds);
}

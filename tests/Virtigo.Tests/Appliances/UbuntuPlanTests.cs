using Virtigo.Appliances;
using Virtigo.Host;
using Virtigo.Installers.Ubuntu;
using Virtigo.Tests.Installers;
using Xunit;

namespace Virtigo.Tests.Appliances;

public sealed class UbuntuPlanTests : IDisposable
{
    private const string Hash = "$6$saltsalt$0123456789abcdef0123456789abcdef";
    private const string Key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl alice@desk";

    private const string Minimal = """
        distro: ubuntu
        mirror: http://mirror.example/ubuntu
        medium: https://mirror.example/noble/ubuntu-24.04.3-live-server-amd64.iso

        """;

    private readonly string _home = Directory.CreateTempSubdirectory("virtigo-ubuntu-").FullName;

    public void Dispose() => Directory.Delete(_home, recursive: true);

    private PlannerEnvironment Host() => new()
    {
        Paths = HostPaths.FromEnvironment(name => name == "VIRTIGO_HOME" ? _home : null),
        ResolveRelease = (_, _, _) => throw new InvalidOperationException("no archive is asked for Ubuntu's release"),
        FindHostMirror = () => new HostMirror(new Uri("http://debian.example/debian"), "/etc/apt/sources.list:1"),
        SshDirectory = Path.Combine(_home, "ssh"),
        ZoneInfoDirectory = Path.Combine(_home, "zoneinfo"),
    };

    private Task<AppliancePlan> Plan(string yaml, string file = "web.yml", string? medium = null, string? keyring = null)
    {
        ApplianceSpec spec = ApplianceSpec.Parse(yaml, file);
        spec.Use(medium, keyring);
        return new AppliancePlanner(Host()).PlanAsync(spec, TestContext.Current.CancellationToken);
    }

    private async Task<string> Refused(string yaml, string file = "web.yml")
    {
        VirtigoException error = await Assert.ThrowsAsync<VirtigoException>(() => Plan(yaml, file));
        Assert.Equal(FailureKind.Usage, error.Kind);
        return error.Message;
    }

    [Fact]
    public async Task A_plan_of_defaults_gives_the_golden_answers() =>
        Golden.Same("ubuntu-minimal.yaml", ApplianceBuilder.Answers(await Plan(Minimal)));

    [Fact]
    public async Task A_plan_with_everything_gives_the_golden_answers_without_its_secrets()
    {
        string shown = ApplianceBuilder.Answers(await Plan(Minimal + $$$"""
            release: jammy
            security-mirror: http://security.example/ubuntu
            hostname: shop
            packages: [nginx, postgresql-16=16.4-1]
            debconf: {postfix: {postfix/main_mailer_type: select Internet Site}}
            pins: [{package: nginx*, version: 1.24.*, priority: 900}]
            disk: {size: 20GiB, layout: lvm, filesystem: xfs, swap: 1GiB, mounts: [{path: /var/lib, size: 4GiB, filesystem: ext4}]}
            firmware: uefi
            locale: de_DE.UTF-8
            timezone: Europe/Berlin
            keyboard: de
            user: {name: alice, password-hash: "{{{Hash}}}", ssh-keys: ["{{{Key}}}"]}
            root: {password-hash: "{{{Hash}}}"}
            users: [{name: bob, password-hash: "{{{Hash}}}"}]
            run: echo done
            autoinstall:
              source: {id: ubuntu-server-minimal}
              packages: [htop]
              late-commands: [[touch, /target/mark]]
              timezone: Europe/Berlin

            """));
        Assert.DoesNotContain("$6$", shown, StringComparison.Ordinal);
        Golden.Same("ubuntu-full.yaml", shown);
    }

    [Fact]
    public async Task What_the_installer_is_given_has_the_secrets_and_is_what_the_explanation_says()
    {
        AppliancePlan plan = await Plan(Minimal + $"user: {{name: alice, password-hash: \"{Hash}\"}}\nroot: {{password-hash: \"{Hash}\"}}\n");
        var files = UbuntuSeed.Files(plan.ToUbuntuChoices(), "nonce").ToDictionary(file => file.Path, file => new StreamReader(file.Open()).ReadToEnd());

        Assert.Contains($"password: \"{Hash}\"", files["user-data"], StringComparison.Ordinal);
        Assert.StartsWith("#cloud-config\nautoinstall:\n", files["user-data"], StringComparison.Ordinal);
        Assert.Equal("instance-id: \"virtigo-nonce\"\n", files["meta-data"]);
        Assert.Equal($"root:{Hash}\n", files["virtigo/steps/root"]);
        Assert.Contains("virtigo: installed nonce", files["virtigo/late"], StringComparison.Ordinal);
        Assert.DoesNotContain(plan.Explain(), value => value.Shown.Contains("$6$", StringComparison.Ordinal));
        Assert.Contains(plan.Explain(), value => value is { Key: "medium", Shown: "https://mirror.example/noble/ubuntu-24.04.3-live-server-amd64.iso" });
    }

    [Fact]
    public async Task A_key_that_the_installer_cannot_be_told_is_refused_with_its_place()
    {
        string message = await Refused(Minimal + """
            recommends: false
            updates: manual
            backports: true
            repositories: [{url: https://packages.vendor.example/u, key: vendor.asc}]
            packages: [-nano, "task:ssh-server"]
            debconf: {postfix: {postfix/secret: "password prompt:"}}

            """);
        Assert.Contains("web.yml:4:13: recommends cannot be false", message, StringComparison.Ordinal);
        Assert.Contains("web.yml:5:10: updates cannot be manual", message, StringComparison.Ordinal);
        Assert.Contains("web.yml:6:12: backports is not translated for Ubuntu's installer yet", message, StringComparison.Ordinal);
        Assert.Contains("web.yml:7:15: repositories is not translated", message, StringComparison.Ordinal);
        Assert.Contains("'-nano' removes a package", message, StringComparison.Ordinal);
        Assert.Contains("'task:ssh-server' is a task of Debian's", message, StringComparison.Ordinal);
        Assert.Contains("debconf cannot have passwords", message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("interactive-sections: [network]", "web.yml:5:3: autoinstall: interactive-sections would make the installer ask")]
    [InlineData("snaps: [{name: etcd}]", "web.yml:5:3: autoinstall: snaps would be fetched from the internet")]
    [InlineData("lat-commands: [x]", "web.yml:5:3: autoinstall: lat-commands is no key of the installer's; did you mean late-commands?")]
    [InlineData("keyboard: {lay: us}", "autoinstall: keyboard.lay is no key of the installer's")]
    [InlineData("packages: nginx", "web.yml:5:3: autoinstall: packages is a text; expected a list")]
    [InlineData("updates: none", "autoinstall: updates is none; expected security or all")]
    [InlineData("late-commands: [{a: b}]", "autoinstall: late-commands[0] is a mapping; expected a text or a list")]
    [InlineData("apt: {geoip: true}", "web.yml:5:9: autoinstall: apt.geoip is true; expected false")]
    [InlineData("shutdown: reboot", "web.yml:5:3: autoinstall: shutdown is decided already, by what Virtigo needs of the installer")]
    [InlineData("reporting: {virtigo: {type: none}}", "autoinstall: reporting.virtigo.type is decided already")]
    [InlineData("apt: {mirror-selection: {primary: []}}", "autoinstall: apt.mirror-selection.primary is decided already, by web.yml:2")]
    public async Task What_is_said_to_the_installer_itself_is_checked_before_anything_starts(string line, string expected) =>
        Assert.Contains(expected, await Refused(Minimal + $"autoinstall:\n  {line}\n"), StringComparison.Ordinal);

    [Fact]
    public async Task What_two_places_of_a_spec_say_differently_is_an_error_that_names_both()
    {
        string message = await Refused(Minimal + "timezone: Europe/Berlin\nautoinstall:\n  timezone: Europe/London\n");
        Assert.Equal("web.yml:6:3: autoinstall: timezone is decided already, by web.yml:4; keep one of the two", message);
    }

    [Fact]
    public async Task A_layout_of_the_disk_in_the_installers_words_takes_the_place_of_one_that_nobody_asked_for()
    {
        string own = "autoinstall:\n  storage: {layout: {name: zfs}}\n";
        Assert.Contains("name: \"zfs\"", ApplianceBuilder.Answers(await Plan(Minimal + own)), StringComparison.Ordinal);
        Assert.Contains("web.yml:6:3: autoinstall: storage is decided already, by web.yml:4", await Refused(Minimal + "disk: {layout: lvm}\n" + own), StringComparison.Ordinal);
    }

    [Fact]
    public void Secrets_in_the_installers_own_words_are_not_shown()
    {
        ApplianceSpec spec = ApplianceSpec.Parse(Minimal + """
            autoinstall:
              user-data: {chpasswd: {list: "bob:secret1"}}
              storage: {layout: {name: lvm, password: secret2}}

            """, "web.yml");
        Assert.DoesNotContain("secret1", spec.RedactedText, StringComparison.Ordinal);
        Assert.DoesNotContain("secret2", spec.RedactedText, StringComparison.Ordinal);
        Assert.Contains("name: lvm", spec.RedactedText, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("mirror: http://mirror.example/debian\nmedium: x.iso\n", "web.yml:2: medium is only for Ubuntu, and the distribution is debian.")]
    [InlineData("autoinstall: {packages: [a]}\n", "web.yml:1: autoinstall is only for Ubuntu")]
    [InlineData("distro: ubuntu\nmedium: x.iso\n", "web.yml:1: no archive of Ubuntu is known")]
    [InlineData("distro: ubuntu\nmirror: http://mirror.example/ubuntu\n", "web.yml:1: Ubuntu is installed from its live-server ISO image")]
    [InlineData("distro: ubuntu\nmirror: http://mirror.example/ubuntu\nrelease: trixie\n", "web.yml:3: release: 'trixie' is no release of Ubuntu's that can be installed")]
    [InlineData("distro: ubuntu\nmirror: http://mirror.example/ubuntu\nmedium: ftp://mirror.example/a.iso\n", "web.yml:3:9: medium: 'ftp://mirror.example/a.iso' is not the address of an ISO image")]
    public async Task What_is_missing_or_does_not_fit_is_said(string yaml, string expected)
    {
        VirtigoException error = await Assert.ThrowsAsync<VirtigoException>(() => Plan(yaml));
        Assert.StartsWith(expected, error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("/etc/passwd")]
    [InlineData("../secret.iso")]
    [InlineData("out.iso")]
    public async Task A_spec_names_no_file_outside_its_folder(string path)
    {
        string folder = Directory.CreateDirectory(Path.Combine(_home, "spec")).FullName;
        await File.WriteAllTextAsync(Path.Combine(_home, "secret.iso"), "secret", TestContext.Current.CancellationToken);
        File.CreateSymbolicLink(Path.Combine(folder, "out.iso"), Path.Combine(_home, "secret.iso"));
        string message = await Refused($"distro: ubuntu\nmirror: http://mirror.example/ubuntu\nmedium: {path}\n", Path.Combine(folder, "web.yml"));
        Assert.Contains($"web.yml:3:9: '{path}'", message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_command_line_and_the_configuration_may_name_any_file_and_the_command_line_wins()
    {
        string here = Path.Combine(_home, "here.iso");
        string there = Path.Combine(_home, "there.iso");
        await File.WriteAllTextAsync(here, "", TestContext.Current.CancellationToken);
        await File.WriteAllTextAsync(there, "", TestContext.Current.CancellationToken);
        Directory.CreateDirectory(Path.Combine(_home, "config"));
        await File.WriteAllTextAsync(Path.Combine(_home, "config", "config.yml"), $"medium: {there}\n", TestContext.Current.CancellationToken);
        const string yaml = "distro: ubuntu\nmirror: http://mirror.example/ubuntu\n";

        Assert.Equal(there, (await Plan(yaml)).Medium!.Value);
        AppliancePlan plan = await Plan(yaml, medium: here);
        Assert.Equal((here, "given as --medium"), (plan.Medium!.Value, plan.Medium.Origin.ToString()));
    }

    [Fact]
    public async Task Ubuntu_cannot_be_locked()
    {
        AppliancePlan plan = await Plan(Minimal);
        Assert.Contains("cannot be locked yet", Assert.Throws<VirtigoException>(plan.CheckLockable).Message, StringComparison.Ordinal);
        Assert.NotNull(ApplianceBuilder.WhyNotShared(plan));
    }

    [Fact]
    public async Task Equal_answers_make_equal_plans_and_others_other_plans()
    {
        string one = (await Plan(Minimal + "autoinstall: {packages: [a]}\n")).Fingerprint;
        Assert.Equal(one, (await Plan("# moved\n" + Minimal + "autoinstall:\n  packages:\n    - a\n")).Fingerprint);
        Assert.NotEqual(one, (await Plan(Minimal + "autoinstall: {packages: [b]}\n")).Fingerprint);
    }
}

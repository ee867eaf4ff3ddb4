using Virtigo.Appliances;
using Virtigo.Host;
using Xunit;

namespace Virtigo.Tests.Appliances;

public sealed class AppliancePlannerTests : IDisposable
{
    private const string Key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl alice@desk";
    private readonly string _home = Directory.CreateTempSubdirectory("virtigo-plan-").FullName;
    private int _asked;

    public void Dispose() => Directory.Delete(_home, recursive: true);

    private PlannerEnvironment Host() => new()
    {
        Paths = HostPaths.FromEnvironment(name => name == "VIRTIGO_HOME" ? _home : null),
        ResolveRelease = (_, suite, _) =>
        {
            _asked++;
            return Task.FromResult(new ResolvedRelease(suite == "stable" ? "trixie" : "forky", "13.1", suite));
        },
        FindHostMirror = () => new HostMirror(new Uri("http://host.example/debian"), "/etc/apt/sources.list:1"),
        FindHostSecurityMirror = () => new HostMirror(new Uri("http://host.example/debian-security"), "/etc/apt/sources.list:2"),
        SshDirectory = Path.Combine(_home, "ssh"),
        ZoneInfoDirectory = Path.Combine(_home, "zoneinfo"),
    };

    private static Task<AppliancePlan> Plan(string yaml, PlannerEnvironment host) =>
        new AppliancePlanner(host).PlanAsync(ApplianceSpec.Parse(yaml, "web.yml"), TestContext.Current.CancellationToken);

    private void Configure(string yaml)
    {
        Directory.CreateDirectory(Path.Combine(_home, "config"));
        File.WriteAllText(Path.Combine(_home, "config", "config.yml"), yaml);
    }

    private void OwnKey()
    {
        Directory.CreateDirectory(Path.Combine(_home, "ssh"));
        File.WriteAllText(Path.Combine(_home, "ssh", "id_ed25519.pub"), Key + "\n");
        File.WriteAllText(Path.Combine(_home, "ssh", "id_rsa.pub"), "no key\n");
    }

    [Fact]
    public async Task An_empty_spec_becomes_a_whole_plan_that_says_where_each_value_is_from()
    {
        AppliancePlan plan = await Plan("", Host());
        Assert.Equal(
            """
            name             web                                   the name of web.yml
            distro           debian                                default, the distribution Virtigo knows best
            release          trixie                                archive, its stable is trixie, version 13.1
            arch             amd64                                 default, the architecture Virtigo builds for
            mirror           http://host.example/debian/           host, /etc/apt/sources.list:1
            security-mirror  http://host.example/debian-security/  host, /etc/apt/sources.list:2
            hostname         web                                   the appliance's name
            domain           internal                              default, the domain reserved for private use
            packages         (standard system only)                default, nothing on top of the standard system
            disk             8 GiB                                 default, sparse, so unused space costs nothing
            disk layout      / ext4                                default, one file system on the whole disk
            firmware         bios                                  default, what every hypervisor has
            hypervisor       auto                                  default, the fastest that can
            memory           1 GiB                                 default, enough for the installer and a small server
            cpus             1                                     default, without KVM a second one costs 15 % more host CPU time
            locale           C.UTF-8                               default, needs no generating
            timezone         Etc/UTC                               default, servers' clocks agree
            keyboard         us                                    default, the installer's own default
            user             (none)                                default, an appliance needs none
            root             locked                                default, nobody logs in as root
            """,
            string.Join('\n', plan.Explain().Select(line => $"{line.Key,-16} {line.Shown,-37} {line.Origin}")));
    }

    [Fact]
    public async Task The_spec_beats_the_configuration_which_beats_the_host()
    {
        Configure("mirror: http://config.example/debian\nmemory: 3GiB\ncpus: 4\nrelease: sid\n");
        AppliancePlan plan = await Plan("memory: 2GiB\n", Host());
        Assert.Equal("http://config.example/debian/", plan.Mirror.Value.AbsoluteUri);
        Assert.Equal(OriginKind.UserConfig, plan.Mirror.Origin.Kind);
        Assert.EndsWith("config.yml:1", plan.Mirror.Origin.Text);
        Assert.Equal(2048, plan.MemoryMiB.Value);
        Assert.Equal("web.yml:1", plan.MemoryMiB.Origin.Text);
        Assert.Equal(4, plan.Cpus.Value);
        Assert.Equal("sid", plan.Release.Value);
        Assert.Equal(0, _asked);
    }

    [Fact]
    public async Task A_mistake_in_the_configuration_names_that_file()
    {
        Configure("packages: [nginx]\n");
        VirtigoException thrown = await Assert.ThrowsAsync<VirtigoException>(() => Plan("", Host()));
        Assert.Contains("config.yml:1:1: 'packages' is no key of the configuration", thrown.Message);
    }

    [Fact]
    public async Task Without_any_mirror_the_error_says_how_to_name_one()
    {
        VirtigoException thrown = await Assert.ThrowsAsync<VirtigoException>(() => Plan("", Host() with { FindHostMirror = () => null }));
        Assert.Equal(FailureKind.Usage, thrown.Kind);
        Assert.Contains("mirror: http://mirror.example/debian", thrown.Hint);
        Assert.Contains("config.yml", thrown.Hint);
    }

    [Theory]
    [InlineData("http://mirror.example/debian", "http://mirror.example/debian-security/")]
    [InlineData("http://mirror.example/pub/debian/", "http://mirror.example/pub/debian-security/")]
    public async Task The_security_mirror_is_looked_for_beside_the_mirror(string mirror, string security)
    {
        AppliancePlan plan = await Plan($"mirror: {mirror}", Host() with { FindHostSecurityMirror = () => null });
        Assert.Equal(security, plan.SecurityMirror.Value.AbsoluteUri);
    }

    [Fact]
    public async Task More_mirrors_are_kept_in_order()
    {
        AppliancePlan plan = await Plan("mirror: [http://a.example/d, http://b.example/d, http://a.example/d/]", Host());
        Assert.Equal("http://a.example/d/", plan.Mirror.Value.AbsoluteUri);
        Assert.Equal(["http://b.example/d/"], plan.OtherMirrors.Value.Select(uri => uri.AbsoluteUri));
    }

    [Theory]
    [InlineData("release: bookworm", "bookworm", 0)]
    [InlineData("release: testing", "forky", 1)]
    [InlineData("release: stable", "trixie", 1)]
    public async Task Only_a_name_that_moves_is_asked_of_the_archive(string yaml, string codename, int asked)
    {
        Assert.Equal(codename, (await Plan(yaml, Host())).Release.Value);
        Assert.Equal(asked, _asked);
    }

    [Fact]
    public async Task A_user_without_anything_gets_your_own_keys_and_an_ssh_server()
    {
        OwnKey();
        AppliancePlan plan = await Plan("packages: [nginx]\nuser: alice\n", Host());
        Assert.Equal([Key], plan.User.Value!.SshKeys);
        Assert.Null(plan.User.Value.PasswordHash);
        Assert.Contains("id_ed25519.pub", plan.User.Origin.Text);
        Assert.DoesNotContain("id_rsa.pub", plan.User.Origin.Text);
        Assert.Equal(["nginx", "openssh-server"], plan.Packages.Value);
        Assert.Contains("openssh-server for the ssh keys of alice", plan.Packages.Origin.Text);
    }

    [Fact]
    public async Task Your_keys_are_given_to_nobody_who_has_a_password()
    {
        OwnKey();
        AppliancePlan plan = await Plan("user: {name: alice, password: secret}\n", Host());
        Assert.Empty(plan.User.Value!.SshKeys);
        Assert.Empty(plan.Packages.Value);
    }

    [Fact]
    public async Task A_user_who_could_never_log_in_is_refused()
    {
        VirtigoException thrown = await Assert.ThrowsAsync<VirtigoException>(() => Plan("user: alice", Host()));
        Assert.StartsWith("web.yml:1: the user alice has neither", thrown.Message);
    }

    [Fact]
    public async Task A_password_is_hashed_stably_and_shown_nowhere()
    {
        const string Spec = "user: {name: alice, password: hunter2}\nroot: {password: hunter2}\n";
        AppliancePlan plan = await Plan(Spec, Host());
        AppliancePlan again = await Plan(Spec, Host());
        Assert.StartsWith("$6$", plan.User.Value!.PasswordHash);
        Assert.Equal(plan.User.Value.PasswordHash, again.User.Value!.PasswordHash);
        Assert.Equal(plan.Fingerprint, again.Fingerprint);
        Assert.NotEqual(plan.User.Value.PasswordHash, plan.RootPasswordHash.Value);
        string hash = plan.User.Value.PasswordHash!;
        Assert.Equal(hash, PasswordHasher.Crypt("hunter2", hash));
        string shown = $"{plan} {plan.User} {string.Join('\n', plan.Explain())}";
        Assert.DoesNotContain("hunter2", shown);
        Assert.DoesNotContain("$6$", shown);
        string key = Path.Combine(_home, "state", "password-salt.key");
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(key));
    }

    [Fact]
    public async Task Another_users_secret_gives_another_hash()
    {
        const string Spec = "root: {password: hunter2}";
        AppliancePlan plan = await Plan(Spec, Host());
        File.Delete(Path.Combine(_home, "state", "password-salt.key"));
        AppliancePlan other = await Plan(Spec, Host());
        Assert.NotEqual(plan.RootPasswordHash.Value, other.RootPasswordHash.Value);
        Assert.NotEqual(plan.Fingerprint, other.Fingerprint);
    }

    [Fact]
    public async Task A_time_zone_unknown_to_the_host_is_refused_with_the_nearest_name()
    {
        Directory.CreateDirectory(Path.Combine(_home, "zoneinfo", "Europe"));
        await File.WriteAllTextAsync(Path.Combine(_home, "zoneinfo", "Europe", "Berlin"), "TZif", TestContext.Current.CancellationToken);
        VirtigoException thrown = await Assert.ThrowsAsync<VirtigoException>(() => Plan("timezone: Europe/Berln", Host()));
        Assert.StartsWith("web.yml:1: timezone: 'Europe/Berln'", thrown.Message);
        Assert.Contains("did you mean 'Europe/Berlin'?", thrown.Message);
        Assert.Equal("Europe/Berlin", (await Plan("timezone: Europe/Berlin", Host())).TimeZone.Value);
    }

    [Theory]
    [InlineData("Hello world!", "$6$saltstring", "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1")]
    public void Hashes_are_those_of_the_published_vectors(string password, string setting, string hash) =>
        Assert.Equal(hash, PasswordHasher.Crypt(password, setting));
}

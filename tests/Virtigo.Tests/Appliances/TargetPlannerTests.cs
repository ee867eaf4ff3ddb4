using System.Text;
using Virtigo.Appliances;
using Virtigo.Host;
using Virtigo.Installers.Debian;
using Virtigo.Tests.Installers;
using Xunit;

namespace Virtigo.Tests.Appliances;

public sealed class TargetPlannerTests : IDisposable
{
    private const string Key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl bob@desk";
    private const string AgentKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl agent@desk";

    internal const string Whole = """
        packages: [nginx, task:ssh-server, -nano, curl/trixie-backports, git=1:2.47.2-0.1]
        recommends: true
        debconf:
          postfix:
            postfix/main_mailer_type: select Internet Site
            postfix/mailname: string mail.example
          slapd:
            slapd/move_old_database: true
            slapd/password1: password file:secrets/slapd
        repositories:
          - url: https://packages.vendor.example/debian
            suites: [stable, tools]
            components: [main, extra]
            key: vendor.asc
          - name: other
            url: http://other.example/
            key: |
              -----BEGIN PGP PUBLIC KEY BLOCK-----

              mDMEZ
              -----END PGP PUBLIC KEY BLOCK-----
        backports: [golang-go]
        pins:
          - {package: [nginx*, libnginx*], version: 1.26.*, priority: 1001}
          - {package: "*", release: "o=Vendor,a=stable", priority: -1}
        updates: automatic
        groups: [developers, {name: data, gid: 2000, system: true}]
        users:
          - carol
          - name: bob
            full-name: Bob O'Builder
            uid: 1500
            groups: [developers, adm]
            sudo: true
            shell: /bin/sh
            password: env:BOB
            ssh-keys: [file:keys/bob.pub, agent]
          - {name: dave, sudo: true, password: "prompt:"}
        files:
          - {from: site, to: /var/www/site, owner: www-data, group: www-data, mode: "0640"}
          - {content: "on {{hostname}}.{{domain}} {{\"{{\"}}\n", to: /etc/motd, template: true}
          - {from: app.conf, to: /etc/app.conf, template: true}
        units: {enable: [nginx, backup.timer], mask: apt-daily.timer}
        run:
          - a2enmod rewrite
          - |
            echo 'two
            lines'
        first-boot: touch /var/tmp/booted

        """;

    private readonly string _home = Directory.CreateTempSubdirectory("virtigo-target-plan-").FullName;
    private int _asked;

    public TargetPlannerTests()
    {
        Write("secrets/slapd", "slapd hunter2\n");
        Write("vendor.asc", "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmDMEZ\n-----END PGP PUBLIC KEY BLOCK-----\n");
        Write("keys/bob.pub", $"# mine\n{Key}\n\n");
        Write("site/index.html", "<p>hello</p>\n");
        Write("site/img/logo.svg", "<svg/>");
        Write("app.conf", "name = {{ name }}\nzone = {{timezone}}\n");
    }

    public void Dispose() => Directory.Delete(_home, recursive: true);

    private void Write(string path, string text)
    {
        string file = Path.Combine(_home, "spec", path);
        Directory.CreateDirectory(Path.GetDirectoryName(file)!);
        File.WriteAllText(file, text);
    }

    private PlannerEnvironment Host() => new()
    {
        Paths = HostPaths.FromEnvironment(name => name == "VIRTIGO_HOME" ? _home : null),
        ResolveRelease = (_, suite, _) => Task.FromResult(new ResolvedRelease("trixie", "13.1", suite)),
        FindHostMirror = () => new HostMirror(new Uri("http://host.example/debian"), "/etc/apt/sources.list:1"),
        SshDirectory = Path.Combine(_home, "ssh"),
        ZoneInfoDirectory = Path.Combine(_home, "zoneinfo"),
        Variable = name => name == "BOB" ? "bob hunter2" : null,
        Ask = (_, _) => Task.FromResult<string?>($"asked hunter2 {++_asked}"),
        AgentKeys = _ => Task.FromResult<IReadOnlyList<string>>([AgentKey]),
    };

    private ApplianceSpec Spec(string yaml) => ApplianceSpec.Parse(yaml, Path.Combine(_home, "spec", "web.yml"));

    private Task<AppliancePlan> Plan(string yaml, PlannerEnvironment? host = null) =>
        new AppliancePlanner(host ?? Host()).PlanAsync(Spec(yaml), TestContext.Current.CancellationToken);

    private async Task<string> Refused(string yaml, PlannerEnvironment? host = null)
    {
        VirtigoException thrown = await Assert.ThrowsAsync<VirtigoException>(() => Plan(yaml, host));
        Assert.Equal(FailureKind.Usage, thrown.Kind);
        Assert.NotNull(thrown.Hint);
        return thrown.Message.Replace(_home + "/spec/", "", StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_whole_spec_is_explained_without_its_secrets()
    {
        AppliancePlan plan = await Plan(Whole);
        string shown = string.Concat(plan.Explain().Where(line => line.Key == "packages" || plan.Target.Explained.Contains(line))
            .Select(line => $"{line.Key,-14} {line.Shown}  [{line.Origin}]\n")).Replace(_home + "/spec/", "", StringComparison.Ordinal);
        Assert.DoesNotContain("hunter2", shown);
        Assert.DoesNotContain("$6$", shown);
        Golden.Same("target-explained.txt", shown);
    }

    [Fact]
    public async Task A_whole_spec_becomes_choices_for_the_installer()
    {
        AppliancePlan plan = await Plan(Whole);
        TargetChoices target = plan.Target.Choices;
        Assert.Equal("on web.internal {{\n", Text(target, "/etc/motd"));
        Assert.Equal("name = web\nzone = Etc/UTC\n", Text(target, "/etc/app.conf"));
        Assert.Equal(
            ["/var/www/site 750", "/var/www/site/img 750", "/var/www/site/img/logo.svg 640", "/var/www/site/index.html 640"],
            target.Files.Where(file => file.Owner == "www-data").Select(file => $"{file.Path} {Convert.ToString((int)file.Mode, 8)}"));
        TargetUser bob = target.Users.Single(user => user.Name == "bob");
        Assert.Equal(bob.PasswordHash, PasswordHasher.Crypt("bob hunter2", bob.PasswordHash!));
        Assert.Equal([Key, AgentKey], bob.SshKeys);
        Assert.Equal(SudoRight.Password, bob.Sudo);
        Assert.Null(target.Users.Single(user => user.Name == "carol").PasswordHash);
        DebconfSelection secret = target.Debconf.Single(answer => answer.Secret);
        Assert.Equal("slapd hunter2", secret.Value);
        Assert.DoesNotContain("hunter2", secret.Digest);
        Assert.Equal(["golang-go"], target.Pins[0].Packages);
        Assert.Equal("release n=trixie-backports", target.Pins[0].Pin);
        Assert.Equal(["trixie"], target.Repositories[1].Suites);
        Assert.Equal("echo 'two\nlines'\n", target.Run[1].Text);
        Assert.EndsWith("web.yml:46:5", target.Run[1].Origin);
        Assert.Equal(["-nano", "ca-certificates", "curl/trixie-backports", "git=1:2.47.2-0.1", "golang-go", "nginx", "openssh-server", "sudo", "task:ssh-server", "unattended-upgrades"],
            plan.Packages.Value);
        string answers = PreseedWriter.Write(DebianAnswers.Own(plan.ToDebianChoices()), redact: false);
        Assert.Contains("pkgsel/include string nano- ca-certificates curl/trixie-backports git=1:2.47.2-0.1 golang-go nginx openssh-server sudo task-ssh-server unattended-upgrades\n", answers);
        Assert.DoesNotContain("hunter2", answers + ApplianceBuilder.Answers(plan) + plan);
    }

    private static string Text(TargetChoices target, string path) => Encoding.UTF8.GetString(target.Files.Single(file => file.Path == path).Content.Span);

    [Fact]
    public async Task The_same_spec_is_the_same_image_and_another_secret_or_file_another()
    {
        const string Yaml = "debconf: {slapd: {slapd/password1: 'password file:secrets/slapd'}}\nfiles: [{from: site, to: /site}]\nusers: [{name: bob, password: env:BOB}]\n";
        string first = (await Plan(Yaml)).Fingerprint;
        Assert.Equal(first, (await Plan("# moved\n\n" + Yaml)).Fingerprint);
        Assert.NotEqual(first, (await Plan(Yaml, Host() with { Variable = _ => "another" })).Fingerprint);
        Write("site/index.html", "<p>hallo</p>\n");
        string second = (await Plan(Yaml)).Fingerprint;
        Assert.NotEqual(first, second);
        Write("secrets/slapd", "other");
        Assert.NotEqual(second, (await Plan(Yaml)).Fingerprint);
    }

    [Fact]
    public async Task Nobody_is_asked_twice_for_one_spec()
    {
        ApplianceSpec spec = Spec("root: {password: 'prompt:Root'}\nusers: [{name: bob, password: 'prompt:'}]\n");
        var planner = new AppliancePlanner(Host());
        AppliancePlan one = await planner.PlanAsync(spec, TestContext.Current.CancellationToken);
        AppliancePlan two = await planner.PlanAsync(spec, TestContext.Current.CancellationToken);
        Assert.Equal(2, _asked);
        Assert.Equal(one.Fingerprint, two.Fingerprint);
    }

    [Theory]
    [InlineData("files:\n  - {from: ../web.yml, to: /x}", "web.yml:2:12: files[].from: '../web.yml' leads out of the folder of the spec")]
    [InlineData("files: [{from: none, to: /x}]", "web.yml:1:16: 'none' cannot be read in ")]
    [InlineData("files: [{from: app.conf, to: /}]", "is a file, which cannot be /")]
    [InlineData("files:\n- {content: '{{hostnam}}', to: /x, template: true}", "web.yml:2:13 (the text):1:1: 'hostnam' is no value of the plan; did you mean 'hostname'?")]
    [InlineData("files: [{content: '{{ hostname', to: /x, template: true}]", "is not a name in double braces")]
    [InlineData("files: [{from: bad, to: /x, template: true}]", "bad/deep.conf:2:4: 'nonsense' is no value of the plan; expected one of name, distro")]
    [InlineData("users: [bob, bob]", "web.yml:1:14: users: bob, or its number, is there twice")]
    [InlineData("user: {name: bob, password: x}\nusers: [bob]", "users: bob, or its number, is there twice")]
    [InlineData("groups: [a, a]", "groups: a, or its number, is there twice")]
    [InlineData("users: [{name: bob, password: env:NONE}]", "web.yml:1:31: the variable NONE is not set")]
    [InlineData("users: [{name: bob, password: 'file:secrets/none'}]", "web.yml:1:31: 'secrets/none' cannot be read")]
    [InlineData("users: [{name: bob, password: 'file:secrets/two'}]", "the file secrets/two is not usable as a password")]
    [InlineData("users: [{name: bob, ssh-keys: 'file:app.conf'}]", "app.conf:1: the line is not an ssh public key")]
    [InlineData("users: [{name: bob, ssh-keys: 'file:secrets/empty'}]", "holds no key")]
    [InlineData("packages: [-sudo]\nusers: [{name: bob, sudo: true}]", "sudo is to be removed, yet it is needed for what bob may do")]
    [InlineData("repositories: [{url: http://vendor.example/, key: app.conf}]", "web.yml:1:51: 'app.conf' is no OpenPGP public key")]
    [InlineData("repositories: [{url: http://vendor.example/, key: private.asc}]", "'private.asc' is a private key")]
    [InlineData("repositories: [{url: http://vendor.example/a, key: vendor.asc}, {url: http://vendor.example/b, key: vendor.asc}]", "another one is named 'vendor-example' already")]
    public async Task A_mistake_is_told_with_its_place(string yaml, string part)
    {
        Write("bad/deep.conf", "a\nb: {{nonsense}}\n");
        Write("private.asc", "-----BEGIN PGP PRIVATE KEY BLOCK-----\n");
        Write("secrets/two", "hunter2\nhunter2\n");
        Write("secrets/empty", "# none\n");
        string message;
        try
        {
            message = await Refused(yaml);
        }
        catch (VirtigoException early)
        {
            message = early.Message.Replace(_home + "/spec/", "", StringComparison.Ordinal);
        }

        Assert.Contains(part, message);
        Assert.DoesNotContain("hunter2", message);
    }

    [Fact]
    public async Task Without_a_terminal_or_an_agent_the_error_says_what_else_there_is()
    {
        Assert.Contains("there is no terminal to ask on", await Refused("users: [{name: bob, password: 'prompt:'}]", Host() with { Ask = (_, _) => Task.FromResult<string?>(null) }));
        Assert.Contains("your ssh-agent holds no key", await Refused("users: [{name: bob, ssh-keys: agent}]",
            Host() with { AgentKeys = _ => Task.FromResult<IReadOnlyList<string>>([]) }));
    }

    [Fact]
    public async Task The_first_user_takes_references_too()
    {
        AppliancePlan plan = await Plan("user: {name: alice, password: env:BOB, ssh-keys: file:keys/bob.pub}\nroot: {password: 'file:secrets/slapd'}\n");
        Assert.Equal([Key], plan.User.Value!.SshKeys);
        Assert.Equal(plan.User.Value.PasswordHash, PasswordHasher.Crypt("bob hunter2", plan.User.Value.PasswordHash!));
        Assert.Equal(plan.RootPasswordHash.Value, PasswordHasher.Crypt("slapd hunter2", plan.RootPasswordHash.Value!));
    }

    [Fact]
    public async Task A_spec_that_says_none_of_it_has_the_fingerprint_it_always_had()
    {
        AppliancePlan plan = await Plan("packages: [nginx]\n");
        Assert.True(plan.Target.Choices.IsNothing);
        Assert.Equal(plan.Fingerprint, (plan with { Target = TargetPlan.None }).Fingerprint);
        Assert.Empty(plan.Target.Explained);
    }
}

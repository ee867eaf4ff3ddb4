using Virtigo.Appliances;
using Xunit;

namespace Virtigo.Tests.Appliances;

public sealed class ApplianceSpecTests
{
    private const string Key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl alice@desk";

    private static string Problems(string yaml)
    {
        VirtigoException thrown = Assert.Throws<VirtigoException>(() => ApplianceSpec.Parse(yaml, "web.yml"));
        Assert.Equal(FailureKind.Usage, thrown.Kind);
        Assert.NotNull(thrown.Hint);
        return thrown.Message;
    }

    [Theory]
    [InlineData("")]
    [InlineData("# only a comment\n")]
    [InlineData("---\n")]
    [InlineData("{}")]
    [InlineData("null")]
    [InlineData("packages:\n")]
    public void An_empty_file_leaves_everything_to_the_planner(string yaml)
    {
        ApplianceSpec spec = ApplianceSpec.Parse(yaml, "web.yml");
        Assert.Equal("web", spec.Name.Value);
        Assert.Null(spec.Packages);
        Assert.Null(spec.Hostname);
        Assert.Null(spec.User);
    }

    [Fact]
    public void Every_value_is_read_with_its_line()
    {
        ApplianceSpec spec = ApplianceSpec.Parse(
            $$"""
            distro: debian
            release: trixie
            arch: amd64
            mirror: [http://mirror.example/debian, "https://other.example/debian/"]
            security-mirror: http://mirror.example/debian-security
            hostname: front
            packages:
              - nginx
              - libstdc++6
            disk: 20GiB
            memory: 2G
            cpus: 2
            locale: de_DE.UTF-8
            timezone: Europe/Berlin
            keyboard: de
            user:
              name: alice
              password: "correct horse"
              ssh-keys: {{Key}}
            root: locked
            """,
            "web.yml");
        Assert.Equal("trixie", spec.Release?.Value);
        Assert.Equal("web.yml:2", spec.Release?.Origin.Text);
        Assert.Equal(["http://mirror.example/debian/", "https://other.example/debian/"], spec.Mirrors!.Value.Select(uri => uri.AbsoluteUri));
        Assert.Equal("http://mirror.example/debian-security/", spec.SecurityMirror!.Value.AbsoluteUri);
        Assert.Equal("front", spec.Hostname?.Value);
        Assert.Equal(["nginx", "libstdc++6"], spec.Packages!.Value);
        Assert.Equal(20L << 30, spec.DiskBytes?.Value);
        Assert.Equal(2048, spec.MemoryMiB?.Value);
        Assert.Equal(2, spec.Cpus?.Value);
        Assert.Equal("de_DE.UTF-8", spec.Locale?.Value);
        Assert.Equal("Europe/Berlin", spec.TimeZone?.Value);
        Assert.Equal("de", spec.Keyboard?.Value);
        Assert.Equal("alice", spec.User?.Value.Name);
        Assert.Equal("correct horse", spec.User?.Value.Password?.Reveal());
        Assert.Equal([Key], spec.User?.Value.SshKeys);
        Assert.Equal("web.yml:17", spec.User?.Origin.Text);
        Assert.Null(spec.Root?.Value.Password);
    }

    [Fact]
    public void A_lone_word_stands_for_a_list_or_a_name()
    {
        ApplianceSpec spec = ApplianceSpec.Parse("packages: nginx\nuser: alice\n", "web.yml");
        Assert.Equal(["nginx"], spec.Packages!.Value);
        Assert.Equal("alice", spec.User?.Value.Name);
    }

    [Fact]
    public void All_problems_are_told_at_once_each_with_its_place()
    {
        string text = Problems("packges: [nginx]\ndisk: 8\ncpus: many\nhostname: [a]\n");
        Assert.Equal(
            [
                "web.yml:1:1: 'packges' is no key of a spec; did you mean 'packages'?",
                "web.yml:2:7: disk.size: '8' is not a size: expected a number with a unit, such as 512MiB, 8GiB or 8G (powers of 1024)",
                "web.yml:3:7: cpus: 'many' does not fit: expected a whole number from 1 to 64",
                "web.yml:4:11: hostname: expected a host name, as in: hostname: web; found a list",
            ],
            text.Split('\n'));
    }

    [Theory]
    [InlineData("hostname: a\nhostname: b", "2:1: 'hostname' is given twice, first in line 1")]
    [InlineData("packages: &p [a]", "anchors")]
    [InlineData("hostname: *x", "1:11: ")]
    [InlineData("hostname: !!int 3", "tags")]
    [InlineData("- a\n- b", "1:1: expected keys of a spec, one a line, as in: distro: debian")]
    [InlineData("just text", "expected keys of a spec")]
    [InlineData("a: b: c", "this is not YAML")]
    [InlineData("hostname: a\n---\nhostname: b", "2:1: a second document")]
    [InlineData("? [a]\n: b", "expected a key here")]
    [InlineData("distro: debain", "did you mean 'debian'?")]
    [InlineData("release: 13", "for a version number, use its codename")]
    [InlineData("mirror: ftp://mirror.example/debian", "is not the URL of an archive")]
    [InlineData("mirror: http://me:secret@mirror.example/debian", "would stand in every image")]
    [InlineData("hostname: Web", "is not a host name")]
    [InlineData("hostname: web.example.org", "no domain")]
    [InlineData("hostname: -web", "is not a host name")]
    [InlineData("packages: [nginx=v1]", "asks for no version")]
    [InlineData("packages: [nginx/Sid]", "asks for no suite")]
    [InlineData("packages: ['nginx=1.2 evil']", "asks for no version")]
    [InlineData("packages: ['task:']", "is not a task")]
    [InlineData("packages: ['-']", "is not a package name")]
    [InlineData("packages: ['--purge']", "is not a package name")]
    [InlineData("repositories: [{url: http://vendor.example/debian}]", "1:16: repositories: key is missing")]
    [InlineData("repositories: [{url: 'ppa:owner/name', key: a.asc}]", "is a PPA")]
    [InlineData("repositories: [{url: http://vendor.example/debian, suites: ./, key: a.asc}]", "is a flat repository")]
    [InlineData("repositories: [{url: http://vendor.example/debian, key: /etc/a.asc}]", "is not relative")]
    [InlineData("repositories: [{url: http://vendor.example/debian, key: ../a.asc}]", "leads out of the folder")]
    [InlineData("repositories: [{url: http://vendor.example/debian, key: '-----BEGIN PGP PRIVATE KEY BLOCK-----'}]", "is a private key")]
    [InlineData("debconf: {postfix: {postfix/mailname: strng x}}", "did you mean 'string'?")]
    [InlineData("debconf: {postfix: {postfix/mailname: \"string a\\nb\"}}", "debconf cannot read")]
    [InlineData("debconf: {postfix: {postfix/mailname: 'string a\\'}}", "debconf cannot read")]
    [InlineData("debconf: {postfix: {mailname: string a}}", "is not the name of a question")]
    [InlineData("debconf: {postfix: string}", "1:20: debconf: expected questions of postfix")]
    [InlineData("debconf: {slapd: {slapd/pw: 'password env:HOME'}}", "only file: and prompt:")]
    [InlineData("debconf: {a1: {a/b: boolean yes}}", "neither true nor false")]
    [InlineData("pins: [{package: nginx, priority: 1}]", "expected one of version, release and origin")]
    [InlineData("pins: [{package: nginx, version: \"1\\nPin: x\", priority: 1}]", "is not something to pin to")]
    [InlineData("pins: [{package: nginx, version: 1, priority: 99999}]", "from -32768 to 32767")]
    [InlineData("updates: sometimes", "expected manual or automatic")]
    [InlineData("files: [{from: /etc/shadow, to: /x}]", "1:16: files[].from: '/etc/shadow' is not relative")]
    [InlineData("files: [{from: a/../../b, to: /x}]", "leads out of the folder")]
    [InlineData("files: [{from: a, to: x}]", "absolute path")]
    [InlineData("files: [{from: a, to: /a/../etc}]", "without . and ..")]
    [InlineData("files: [{from: a, to: /proc/x}]", "is made anew at every boot")]
    [InlineData("files: [{to: /x}]", "from or content is missing")]
    [InlineData("files: [{from: a, content: b, to: /x}]", "keep one")]
    [InlineData("files: [{content: a, to: /x, mode: 888}]", "octal digits")]
    [InlineData("files: [{content: a, to: /x, owner: 'a:b'}]", "is neither the name nor the number")]
    [InlineData("files: [motd]", "expected an item with from, content")]
    [InlineData("files: {content: a, to: /x}", "files: expected a list of")]
    [InlineData("files: [{content: a, to: /x, templat: true}]", "did you mean 'template'?")]
    [InlineData("units: {enable: ['--now']}", "is not the name of a unit")]
    [InlineData("units: {enable: ['a b']}", "is not the name of a unit")]
    [InlineData("run: [\"a\\u0007b\"]", "is not a command")]
    [InlineData("run: ['']", "is not a command")]
    [InlineData("users: [{groups: adm}]", "users: name is missing")]
    [InlineData("users: [{name: al, full-name: 'a:0:0'}]", "does not fit into the account database")]
    [InlineData("users: [{name: al, shell: bash}]", "is not a shell")]
    [InlineData("users: [{name: al, uid: 0}]", "from 1000 to 60000")]
    [InlineData("users: [{name: al, groups: ['a,sudo']}]", "is not a name of an account or group")]
    [InlineData("users: [{name: al, password: 'env:A B'}]", "names no variable")]
    [InlineData("users: [{name: al, password: 'file:/etc/shadow'}]", "names no file")]
    [InlineData("users: [{name: al, ssh-keys: 'file:/root/.ssh/id'}]", "is not relative")]
    [InlineData("groups: ['-g']", "is not a name of an account or group")]
    [InlineData("packages: ['nginx:i386']", "asks for an architecture; write 'nginx'")]
    [InlineData("packages: [Nginx]", "is not a package name")]
    [InlineData("packages: [nginx-]", "is not a package name")]
    [InlineData("packages: [[nginx]]", "1:12: packages: expected a list of package names")]
    [InlineData("disk: 1GiB", "expected whole MiB from 2 GiB to 16 TiB")]
    [InlineData("disk: 8GB", "is not a size")]
    [InlineData("disk: 2097153KiB", "expected whole MiB")]
    [InlineData("memory: 99999999999999999T", "is not a size")]
    [InlineData("cpus: 0", "from 1 to 64")]
    [InlineData("locale: de_DE", "is not a UTF-8 locale")]
    [InlineData("timezone: ../../etc/passwd", "is not a time zone")]
    [InlineData("keyboard: 'us\\nroot'", "is not a keyboard layout")]
    [InlineData("user: root", "is an account or group of the system itself")]
    [InlineData("user: {}", "user: the name is missing")]
    [InlineData("user: {name: al, passwrd: x}", "'passwrd' is no key of user; did you mean 'password'?")]
    [InlineData("user: {name: al, ssh-keys: ssh-rsa AAAA}", "is not an ssh public key")]
    [InlineData("user: {name: al, ssh-keys: '-----BEGIN OPENSSH PRIVATE KEY-----'}", "give the public one")]
    [InlineData("root: open", "expected the word locked")]
    [InlineData("root: {locked: true, password: x}", "locked, yet a password is given")]
    [InlineData("root: {locked: false}", "there is no password")]
    [InlineData("root: {locked: yes}", "is neither true nor false")]
    public void A_mistake_is_told_with_its_place_and_what_was_expected(string yaml, string part) => Assert.Contains(part, Problems(yaml));

    [Theory]
    [InlineData("user: {name: al, password-hash: hunter2hunter2hunter2}")]
    [InlineData("user: {name: al, password: 'hunter2\u0007'}")]
    [InlineData("root: {password: hunter2, password-hash: hunter2}")]
    [InlineData("debconf: {slapd: {slapd/pw: hunter2}}")]
    [InlineData("debconf: {slapd: {slapd/pw: \"password hunter2\\u0007\"}}")]
    [InlineData("users: [{name: al, password: hunter2, password-hash: hunter2hunter2hunter2}]")]
    public void No_message_repeats_a_password(string yaml) => Assert.DoesNotContain("hunter2", Problems(yaml));

    [Theory]
    [InlineData("user:\n  name: alice # me\n  password: hunter2 # mine\ncpus: 2\n", "user:\n  name: alice # me\n  password: \"***\" # mine\ncpus: 2\n")]
    [InlineData("root: {password: 'hunter2'}\nuser: {password: \"hunter2\", name: al}", "root: {password: \"***\"}\nuser: {password: \"***\", name: al}")]
    [InlineData("root:\n  password: >-\n    hunter2\ncpus: 2\n", "root:\n  password: \"***\"\ncpus: 2\n")]
    [InlineData("# äöü\nhostname: web\n", "# äöü\nhostname: web\n")]
    [InlineData("users:\n- name: al\n  password: hunter2\n- {name: bo, password: 'hunter2'}\n", "users:\n- name: al\n  password: \"***\"\n- {name: bo, password: \"***\"}\n")]
    [InlineData("debconf: {slapd: {slapd/a: string x, slapd/b: password hunter2}}\n", "debconf: {slapd: {slapd/a: string x, slapd/b: \"***\"}}\n")]
    public void The_text_that_is_kept_has_no_password(string yaml, string kept) =>
        Assert.Equal(kept, ApplianceSpec.Parse(yaml, "web.yml").RedactedText);

    [Theory]
    [InlineData("/home/al/My_Web.2.yml", "my-web-2")]
    [InlineData("web.yaml", "web")]
    public void The_name_is_made_from_that_of_the_file(string file, string name) =>
        Assert.Equal(name, ApplianceSpec.Parse("", file).Name.Value);

    [Theory]
    [InlineData("日本.yml")]
    [InlineData("___.yml")]
    public void A_file_name_without_a_host_name_in_it_is_refused(string file)
    {
        VirtigoException thrown = Assert.Throws<VirtigoException>(() => ApplianceSpec.Parse("", file));
        Assert.Contains("--name", thrown.Hint);
        Assert.Equal("ok", ApplianceSpec.Parse("", file, new SpecOptions { Name = "ok" }).Name.Value);
    }

    [Fact]
    public void A_distribution_alone_is_a_spec()
    {
        ApplianceSpec spec = ApplianceSpec.ForDistribution("debian");
        Assert.Equal("debian", spec.Name.Value);
        Assert.Equal("debian", spec.Distribution?.Value);
        Assert.Equal(FailureKind.Usage, Assert.Throws<VirtigoException>(() => ApplianceSpec.ForDistribution("webb.yml")).Kind);
    }

    [Fact]
    public async Task A_huge_or_missing_or_binary_file_is_refused()
    {
        string folder = Directory.CreateTempSubdirectory("virtigo-spec-").FullName;
        try
        {
            string file = Path.Combine(folder, "big.yml");
            await File.WriteAllBytesAsync(file, new byte[ApplianceSpec.MaxFileBytes + 1], TestContext.Current.CancellationToken);
            Assert.Contains("larger than", await MessageAsync(file));
            await File.WriteAllBytesAsync(file, [0x68, 0xff, 0xfe], TestContext.Current.CancellationToken);
            Assert.Contains("not UTF-8", await MessageAsync(file));
            Assert.Contains("cannot be read", await MessageAsync(Path.Combine(folder, "none.yml")));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }

        static async Task<string> MessageAsync(string file) => (await Assert.ThrowsAsync<VirtigoException>(
            () => ApplianceSpec.LoadAsync(file, new SpecOptions(), TestContext.Current.CancellationToken))).Message;
    }
}

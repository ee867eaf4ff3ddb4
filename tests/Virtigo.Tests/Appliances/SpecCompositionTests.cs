using Virtigo.Appliances;
using Virtigo.Host;
using Virtigo.Installers.Debian;
using Xunit;

namespace Virtigo.Tests.Appliances;

/// <summary>Specs of several files: includes, variables, what builds on another, and matrices.</summary>
public sealed class SpecCompositionTests : IDisposable
{
    private readonly string _home = Directory.CreateTempSubdirectory("virtigo-composed-").FullName;

    public void Dispose() => Directory.Delete(_home, recursive: true);

    private string Write(string name, string text)
    {
        string file = Path.Combine(_home, name);
        Directory.CreateDirectory(Path.GetDirectoryName(file)!);
        File.WriteAllText(file, text);
        return file;
    }

    private ApplianceSpec Spec(string yaml, params (string Name, string Value)[] set) =>
        ApplianceSpec.Parse(yaml, Path.Combine(_home, "web.yml"), new SpecOptions { Set = set.ToDictionary(one => one.Name, one => one.Value) });

    private Task<AppliancePlan> Plan(string yaml, params (string Name, string Value)[] set) => new AppliancePlanner(new PlannerEnvironment
    {
        Paths = HostPaths.FromEnvironment(name => name == "VIRTIGO_HOME" ? _home : null),
        ResolveRelease = (_, suite, _) => Task.FromResult(new ResolvedRelease("trixie", "13.1", suite)),
        FindHostMirror = () => new HostMirror(new Uri("http://host.example/debian"), "/etc/apt/sources.list:1"),
        SshDirectory = Path.Combine(_home, "ssh"),
        ZoneInfoDirectory = Path.Combine(_home, "zoneinfo"),
    }).PlanAsync(Spec(yaml, set), TestContext.Current.CancellationToken);

    private string Refused(string yaml, params (string Name, string Value)[] set)
    {
        VirtigoException thrown = Assert.Throws<VirtigoException>(() => Spec(yaml, set));
        Assert.Equal(FailureKind.Usage, thrown.Kind);
        return thrown.Message.Replace(_home + "/", "", StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_is_included_counts_as_if_it_were_written_before()
    {
        Write("users.yml", "users: [carol]\nmemory: 2GiB\nunits: {mask: apt-daily.timer}\n");
        Write("web-server.yml", "packages: [nginx]\nmemory: 3GiB\nrun: echo one\nunits: nginx\ndebconf: {nginx: {nginx/a: boolean true, nginx/b: boolean true}}\n");
        AppliancePlan plan = await Plan("""
            include: [users.yml, web-server.yml]
            packages: curl
            timezone: Europe/Berlin
            users: [bob]
            run: [echo two]
            units: {enable: cron}
            debconf: {nginx: {nginx/b: boolean false}}
            disk: 9GiB
            """);

        Assert.Equal(["curl", "nginx"], plan.Packages.Value);
        Assert.Equal(3072, plan.MemoryMiB.Value);
        Assert.EndsWith("web-server.yml:2", plan.MemoryMiB.Origin.ToString());
        TargetChoices target = plan.Target.Choices;
        Assert.Equal(["carol", "bob"], target.Users.Select(user => user.Name));
        Assert.Equal(["echo one", "echo two"], target.Run.Select(command => command.Text));
        Assert.EndsWith("web-server.yml:3:6", target.Run[0].Origin);
        Assert.Equal(["nginx", "cron"], target.EnabledUnits);
        Assert.Equal(["apt-daily.timer"], target.MaskedUnits);
        Assert.Equal(["nginx/a boolean true", "nginx/b boolean false"], target.Debconf.Select(answer => $"{answer.Question} {answer.Type} {answer.Value}"));
        Assert.Equal(["users.yml", "web-server.yml"], plan.SpecFiles.Select(file => file.Path));
    }

    [Fact]
    public void What_is_wrong_in_an_included_file_is_told_with_its_place()
    {
        Write("common.yml", "packages: [nginx]\nmemroy: 2GiB\ncpus: many\n");
        string message = Refused("include: common.yml\nlocale: x\n");
        Assert.Contains("common.yml:2:1: 'memroy' is no key of a spec", message);
        Assert.Contains("common.yml:3:7: cpus: 'many'", message);
        Assert.Contains("web.yml:2:9: locale: 'x'", message);
    }

    [Theory]
    [InlineData("include: other.yml", "web.yml:1:10: 'other.yml' cannot be read")]
    [InlineData("include: ../other.yml", "web.yml:1:10: '../other.yml' is not in the folder of the spec")]
    [InlineData("include: /etc/passwd", "web.yml:1:10: '/etc/passwd' is not in the folder of the spec")]
    [InlineData("include: loop.yml", "loop.yml:1:10: 'loop.yml' leads back to itself: web.yml → loop.yml → loop.yml")]
    [InlineData("from: web.yml", "web.yml:1:7: 'web.yml' leads back to itself")]
    [InlineData("include: [{a: b}]", "web.yml:1:11: include: expected the name of a file")]
    [InlineData("from: [a, b]", "web.yml:1:7: from: expected the name of a file")]
    [InlineData("include: child.yml", "child.yml:1:7: from: a file that is included cannot build on another")]
    [InlineData("from: varied.yml", "varied.yml:1:9: matrix: only the spec that is built has one")]
    [InlineData("include: list.yml", "list.yml:1:1: expected keys of a spec")]
    public void Files_come_from_the_folder_of_the_spec_and_never_from_themselves(string yaml, string expected)
    {
        Write("loop.yml", "include: loop.yml\n");
        Write("child.yml", "from: base.yml\n");
        Write("base.yml", "");
        Write("list.yml", "- a\n");
        Write("varied.yml", "matrix: {release: [bookworm, trixie]}\n");
        Assert.Contains(expected, Refused(yaml + "\n"));
    }

    [Fact]
    public void Many_files_that_include_each_other_are_too_many()
    {
        for (int level = 0; level < 8; level++)
        {
            Write($"{level}.yml", $"include: [{level + 1}.yml, {level + 1}.yml, {level + 1}.yml]\n");
        }

        Write("8.yml", "");
        Assert.Contains("is one file too many", Refused("include: 0.yml\n"));
    }

    [Fact]
    public async Task Variables_stand_in_texts_of_their_file_and_of_what_it_includes()
    {
        Write("part.yml", "variables: {greeting: hi, mark: \"?\"}\nfiles: [{content: \"{{var.greeting}} {{hostname}}{{ var.mark }}\", to: /etc/motd, template: true}]\n");
        const string yaml = """
            variables: {greeting: hello, size: 10GiB}
            include: part.yml
            disk: "{{var.size}}"
            run: "echo '{{var.greeting}}' {{.Names}} {{other}}"
            files: [{content: "{{\"{{\"}} {{var.greeting}}", to: /etc/issue, template: true}]
            """;

        AppliancePlan plan = await Plan(yaml);
        Assert.Equal(10L << 30, plan.DiskBytes.Value);
        Assert.Equal("echo 'hello' {{.Names}} {{other}}", Assert.Single(plan.Target.Choices.Run).Text);
        Assert.Equal(["hello web?", "{{ hello"], plan.Target.Choices.Files.Select(file => System.Text.Encoding.UTF8.GetString(file.Content.Span)));

        AppliancePlan other = await Plan(yaml, ("size", "20GiB"), ("var.greeting", "bye"));
        Assert.Equal(20L << 30, other.DiskBytes.Value);
        Assert.Equal("echo 'bye' {{.Names}} {{other}}", Assert.Single(other.Target.Choices.Run).Text);
        Assert.NotEqual(plan.Fingerprint, other.Fingerprint);
    }

    [Theory]
    [InlineData("run: \"echo {{var.nmae}}\"\nvariables: {name: x}", "web.yml:1:6: 'nmae' is no variable of this file; did you mean 'name'?")]
    [InlineData("variables: {Name: x}", "web.yml:1:13: variables: 'Name' is no name")]
    [InlineData("variables: {a: \"{{var.b}}\", b: x}", "web.yml:1:16: variables: a: expected a text, and no other variable in it")]
    [InlineData("variables: [a]", "web.yml:1:12: variables: expected names with their values")]
    [InlineData("variables: {p: hunter2}\nuser: {name: bob, password: \"{{var.p}}\"}", "web.yml:2:29: user.password: a variable's value would be shown")]
    [InlineData("variables: {p: hunter2}\ndebconf: {slapd: {slapd/b: \"password {{var.p}}\"}}", "has a variable in it")]
    [InlineData("disk: {{var.size}}", "a text that begins with {{ needs quotes")]
    public void Variables_that_are_wrong_are_told(string yaml, string expected)
    {
        string message = Refused(yaml + "\n");
        Assert.Contains(expected, message);
        Assert.DoesNotContain("hunter2", message);
        Assert.DoesNotContain('\n', message);
    }

    [Fact]
    public void Variables_cannot_grow_without_bound() =>
        Assert.Contains("too much text", Refused($"variables: {{a: {new string('x', 60_000)}}}\nrun:\n" + string.Concat(Enumerable.Repeat("  - \"{{var.a}}\"\n", 100))));

    [Fact]
    public async Task A_value_is_given_only_to_what_is_declared()
    {
        Assert.Contains("the spec has no variable 'sizes'; did you mean 'size'?", Refused("variables: {size: 1}\n", ("sizes", "2")));
        await Assert.ThrowsAsync<VirtigoException>(() => ApplianceSpec.OpenAllAsync("debian", new SpecOptions { Set = new Dictionary<string, string> { ["a"] = "b" } }, CancellationToken.None));
    }

    [Fact]
    public async Task What_builds_on_another_is_that_one_and_then_what_it_adds()
    {
        Write("base.yml", """
            packages: [nginx, sudo]
            memory: 2GiB
            hostname: ground
            user: {name: alice, ssh-keys: [ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl bob@desk]}
            users: [carol]
            pins: [{package: hello, release: trixie, priority: -1}]
            first-boot: echo one
            """);
        AppliancePlan plan = await Plan("from: base.yml\npackages: [curl]\nmemory: 3GiB\nusers: [{name: bob, sudo: true}]\nfirst-boot: echo two\npins: [{package: curl, release: trixie, priority: 900}]\n");
        AppliancePlan below = plan.From!.Value;

        Assert.Equal([below, plan], plan.Parts);
        Assert.Equal(("base", "ground", "web", "web"), (below.Name.Value, below.Hostname.Value, plan.Name.Value, plan.Hostname.Value));
        Assert.Equal(3072, plan.MemoryMiB.Value);
        Assert.Equal(3072, below.MemoryMiB.Value);
        Assert.Equal(["nginx", "openssh-server", "sudo"], below.Packages.Value);
        Assert.Equal(["curl"], plan.Packages.Value);
        Assert.Equal(["bob"], plan.Target.Choices.Users.Select(user => user.Name));
        Assert.Equal([-1, 900], plan.Target.Choices.Pins.Select(pin => pin.Priority));
        Assert.Contains("first-boot.d/002", System.Text.Encoding.UTF8.GetString(TargetSteps.For(plan.Target.Choices).Files.Single(file => file.Path.EndsWith("after.tar", StringComparison.Ordinal)).Content.Span));
        Assert.Contains(plan.Explain(), line => line.Key == "base: packages" && line.Shown == "nginx, openssh-server, sudo");
        Assert.Contains(plan.Explain(), line => line.Key == "base: first-boot");
    }

    [Fact]
    public async Task Those_that_build_on_the_same_share_the_way_to_it_and_what_they_decide_parts_them()
    {
        Write("base.yml", "packages: [nginx]\nrun: echo base\n");
        AppliancePlan one = await Plan("from: base.yml\npackages: [curl]\n");
        AppliancePlan other = await Plan("from: base.yml\nhostname: other\nfiles: [{content: x, to: /etc/x}]\n");
        AppliancePlan zone = await Plan("from: base.yml\ntimezone: Europe/Berlin\n");
        AppliancePlan larger = await Plan("from: base.yml\ndisk: 20GiB\n");

        Assert.Equal(InstallWay.Before(one, 1), InstallWay.Before(other, 1));
        Assert.NotEqual(one.Fingerprint, other.Fingerprint);
        Assert.NotEqual(InstallWay.Before(one, 1), InstallWay.Before(zone, 1));
        Assert.Equal(InstallWay.Before(one, 0), InstallWay.Before(zone, 0));
        Assert.NotEqual(InstallWay.Before(one, 0), InstallWay.Before(larger, 0));
        Assert.Equal(InstallWay.Of(other), InstallWay.Before(one, 1));

        Write("base.yml", "packages: [nginx]\nrun: echo changed\n");
        Assert.NotEqual(InstallWay.Before(one, 1), InstallWay.Before(await Plan("from: base.yml\npackages: [curl]\n"), 1));
    }

    [Theory]
    [InlineData("users: [carol]", "users: carol, or its number, is there twice")]
    [InlineData("groups: [{name: x, gid: 2000}]", "groups: x, or its number, is there twice")]
    public async Task What_is_there_below_is_not_made_again(string yaml, string expected)
    {
        Write("base.yml", "users: [carol]\ngroups: [{name: y, gid: 2000}]\n");
        Assert.Contains(expected, (await Assert.ThrowsAsync<VirtigoException>(() => Plan("from: base.yml\n" + yaml + "\n"))).Message);
    }

    [Theory]
    [InlineData("libvirt")]
    [InlineData("uml")]
    [InlineData("xen")]
    public async Task Where_no_installer_is_saved_nothing_is_built_on_another(string hypervisor)
    {
        Write("base.yml", "packages: [curl]\n");
        VirtigoException refused = await Assert.ThrowsAsync<VirtigoException>(() => Plan($"from: base.yml\nhypervisor: {hypervisor}\n"));

        Assert.EndsWith($"/web.yml:2: hypervisor: {hypervisor} cannot install what builds on another appliance: it saves no installer to go on from.", refused.Message, StringComparison.Ordinal);
        Assert.Equal("qemu", (await Plan("from: base.yml\nhypervisor: qemu\n")).Hypervisor.Value);
    }

    [Fact]
    public void A_value_that_is_wrong_is_told_once()
    {
        Write("base.yml", "packages: [nginx]\n");
        Assert.Equal("web.yml:2:7: cpus: 'many' does not fit: expected a whole number from 1 to 64", Refused("from: base.yml\ncpus: many\n"));
    }

    [Fact]
    public void A_matrix_makes_an_appliance_of_each_combination()
    {
        const string yaml = """
            matrix: {release: [bookworm, trixie], var.size: [8GiB, 9GiB], cpus: [1]}
            variables: {size: 4GiB}
            disk: "{{var.size}}"
            """;
        IReadOnlyList<ApplianceSpec> all = SpecReader.Parse(yaml, "web.yml", new SpecOptions());
        Assert.Equal(["web-bookworm-8gib-1", "web-bookworm-9gib-1", "web-trixie-8gib-1", "web-trixie-9gib-1"], all.Select(spec => spec.Name.Value));
        Assert.Equal(["bookworm", "bookworm", "trixie", "trixie"], all.Select(spec => spec.Release!.Value));
        Assert.Equal([8L << 30, 9L << 30, 8L << 30, 9L << 30], all.Select(spec => spec.DiskBytes!.Value));
        Assert.Contains("describes 4 appliances: web-bookworm-8gib-1, ", Refused(yaml));
        Assert.Equal("web-trixie-9gib-1", Spec(yaml, ("release", "trixie"), ("size", "9GiB")).Name.Value);
        Assert.Equal(Path.Combine("a", "web-trixie-9gib-1.lock"), ApplianceLock.PathFor("a/web.yml", Spec(yaml, ("release", "trixie"), ("size", "9GiB"))));
        Assert.Contains("--set release: 'sid' is none of the matrix's: bookworm, trixie", Refused(yaml, ("release", "sid")));
    }

    [Theory]
    [InlineData("matrix: [a]", "web.yml:1:9: matrix: expected keys with lists of values")]
    [InlineData("matrix: {release: trixie}", "web.yml:1:19: matrix: release: expected a list of values")]
    [InlineData("matrix: {packages: [a, b]}", "web.yml:1:10: matrix: 'packages' is neither a key with a single value nor a variable")]
    [InlineData("matrix: {var.x: [a, b]}", "web.yml:1:10: matrix: 'var.x' is neither a key with a single value nor a variable")]
    [InlineData("matrix: {locale: [C.UTF-8, C-UTF.8]}", "two of its appliances would have the same name")]
    [InlineData("matrix: {cpus: [1,2,3,4,5,6,7,8,9,10,11], memory: [1GiB,2GiB,3GiB,4GiB,5GiB,6GiB,7GiB,8GiB,9GiB,10GiB]}", "matrix: 110 appliances; expected at most 100")]
    public void Matrices_that_are_wrong_are_told(string yaml, string expected) => Assert.Contains(expected, Refused(yaml + "\n"));
}

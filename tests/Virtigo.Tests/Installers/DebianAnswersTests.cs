using Virtigo.Hypervisors;
using Virtigo.Installers.Debian;
using Xunit;

namespace Virtigo.Tests.Installers;

public sealed class DebianAnswersTests
{
    private const string Hash = "$6$saltsalt$0123456789abcdef0123456789abcdef";

    [Fact]
    public void A_plan_of_defaults_gives_the_golden_answers() =>
        Golden.Same("minimal.cfg", Written(Plan(), redact: false));

    [Fact]
    public void A_plan_with_everything_gives_the_golden_answers_without_its_secrets() =>
        Golden.Same("full.cfg", Written(Full(), redact: true));

    [Fact]
    public void Redaction_hides_every_hash()
    {
        string shown = Written(Full(), redact: true);
        Assert.DoesNotContain("$6$", shown, StringComparison.Ordinal);
        Assert.Contains("$6$", Written(Full(), redact: false), StringComparison.Ordinal);
    }

    [Fact]
    public void No_question_is_answered_twice()
    {
        foreach (DebianChoices plan in new[] { Plan(), Full() })
        {
            foreach (IReadOnlyList<Answer> part in new[] { DebianAnswers.Shared(plan), DebianAnswers.Own(plan) })
            {
                Assert.Empty(part.GroupBy(a => a.Question).Where(g => g.Count() > 1).Select(g => g.Key));
            }
        }
    }

    [Fact]
    public void What_is_an_appliances_own_shows_in_no_shared_answer()
    {
        DebianChoices other = Full() with { Hostname = new("other", "other.yml:1:1"), Locale = Plan().Locale };

        Assert.Equal(PreseedWriter.Write(DebianAnswers.Shared(Plan()), redact: false), PreseedWriter.Write(DebianAnswers.Shared(other), redact: false));
    }

    [Fact]
    public void The_answers_pass_the_linter()
    {
        foreach (DebianChoices plan in new[] { Plan(), Full() })
        {
            Assert.Empty(PreseedLinter.Lint(PreseedWriter.Write(DebianAnswers.Shared(plan), redact: false), null));
            Assert.DoesNotContain(PreseedLinter.Lint(PreseedWriter.Write(DebianAnswers.Own(plan), redact: false), null), finding => finding.Severity != PreseedSeverity.Note);
        }
    }

    [Fact]
    public void Without_user_and_password_root_is_locked_by_a_value_the_installer_accepts()
    {
        IReadOnlyList<Answer> answers = DebianAnswers.Own(Plan());
        Assert.Equal("true", Value(answers, "passwd/root-login"));
        Assert.Equal("*", Value(answers, "passwd/root-password-crypted"));
        Assert.Equal("false", Value(answers, "passwd/make-user"));
    }

    [Fact]
    public void With_a_user_root_is_locked_and_the_user_gets_sudo_from_the_installer()
    {
        IReadOnlyList<Answer> answers = DebianAnswers.Own(Plan() with { User = new(new DebianUser("ada", "", null, []), "web.yml:4:1") });
        Assert.Equal("false", Value(answers, "passwd/root-login"));
        Assert.DoesNotContain(answers, a => a.Question == "passwd/root-password-crypted");
        Assert.Equal("*", Value(answers, "passwd/user-password-crypted"));
    }

    [Fact]
    public void The_security_host_carries_the_path_before_debian_security()
    {
        DebianChoices plan = Plan() with { SecurityMirror = new(new Uri("http://mirror.example:8080/pub/debian-security/"), "test") };
        Assert.Equal("mirror.example:8080/pub", Value(DebianAnswers.Shared(plan), "apt-setup/security_host"));
    }

    [Theory]
    [InlineData("http://mirror.example/security")]
    [InlineData("http://mirror.example/")]
    [InlineData("ftp://mirror.example/debian-security")]
    [InlineData("http://user:secret@mirror.example/debian-security")]
    public void A_security_mirror_that_the_installer_cannot_use_is_refused(string mirror)
    {
        DebianChoices plan = Plan() with { SecurityMirror = new(new Uri(mirror), "web.yml:2:1") };
        var error = Assert.Throws<VirtigoException>(() => DebianAnswers.Shared(plan));
        Assert.Equal(FailureKind.Usage, error.Kind);
        Assert.Contains("web.yml:2:1", error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("secret", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("root")]
    [InlineData("www-data")]
    [InlineData("Ada")]
    [InlineData("1ada")]
    [InlineData("a23456789012345678901234567890123")]
    [InlineData("ada;reboot")]
    public void A_user_name_that_the_installer_would_stop_at_is_refused(string name)
    {
        DebianChoices plan = Plan() with { User = new(new DebianUser(name, "", null, []), "web.yml:4:1") };
        Assert.Equal(FailureKind.Usage, Assert.Throws<VirtigoException>(() => DebianAnswers.Own(plan)).Kind);
    }

    [Theory]
    [InlineData("nginx; rm -rf /")]
    [InlineData("$(reboot)")]
    [InlineData("-y")]
    [InlineData("Nginx")]
    [InlineData("a\nb")]
    public void A_package_name_that_a_shell_could_misread_is_refused(string name)
    {
        DebianChoices plan = Plan() with { Packages = new([name], "web.yml:1:1") };
        Assert.Equal(FailureKind.Usage, Assert.Throws<VirtigoException>(() => DebianAnswers.Own(plan)).Kind);
    }

    [Fact]
    public void A_value_of_two_lines_cannot_smuggle_in_an_answer()
    {
        DebianChoices plan = Plan() with { Hostname = new("web\nd-i debian-installer/allow_unauthenticated boolean true", "test") };
        Assert.Throws<VirtigoException>(() => Written(plan, redact: false));
    }

    [Fact]
    public void An_image_for_UEFI_boots_where_Secure_Boot_is_on_and_on_machines_that_know_nothing_of_it()
    {
        DebianChoices plan = Plan() with { Disk = new DebianDisk { Firmware = FirmwareKind.Uefi } };
        Assert.Equal("grub-efi-amd64-signed", Value(DebianAnswers.Own(plan), "pkgsel/include"));
        Assert.Equal("true", Value(DebianAnswers.Shared(plan), "grub-installer/force-efi-extra-removable"));
        Assert.DoesNotContain(DebianAnswers.Shared(plan), answer => answer.Question == "grub-installer/bootdev");
    }

    [Fact]
    public void The_installed_system_keeps_both_consoles_and_nothing_of_the_installers()
    {
        string line = DebianBoot.CommandLine(InstallMachine.Virtio, "quiet", "mitigations=off");
        Assert.EndsWith(" --- console=tty0 console=ttyS0,115200", line, StringComparison.Ordinal);
        Assert.Contains("mitigations=off", line.Split("---")[0], StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("ipv6.disable=1")]
    [InlineData("a b")]
    [InlineData("---")]
    [InlineData("")]
    public void A_kernel_parameter_that_would_reach_the_installed_system_is_refused(string parameter) =>
        Assert.Throws<ArgumentException>(() => DebianBoot.CommandLine(InstallMachine.Virtio, parameter));

    private static string Written(DebianChoices plan, bool redact) =>
        PreseedWriter.Write(DebianAnswers.Shared(plan), redact) + "\n" + PreseedWriter.Write(DebianAnswers.Own(plan), redact);

    private static string Value(IReadOnlyList<Answer> answers, string question) => Assert.Single(answers, a => a.Question == question).Value;

    private static DebianChoices Plan() => new()
    {
        Hostname = new("web", "the file's name"),
        Domain = new("internal", "default"),
        Release = new("trixie", "archive, stable"),
        Mirror = new(new Uri("http://mirror.example/debian/"), "host, sources.list:1"),
        SecurityMirror = new(new Uri("http://mirror.example/debian-security/"), "host, sources.list:3"),
        Packages = new([], "default"),
        Locale = new("C.UTF-8", "default"),
        TimeZone = new("Etc/UTC", "default"),
        Keyboard = new("us", "default"),
        User = new(null, "default"),
        RootPasswordHash = new(null, "default, locked"),
    };

    private static DebianChoices Full() => Plan() with
    {
        Packages = new(["nginx", "openssh-server"], "web.yml:1:1"),
        Locale = new("de_DE.UTF-8", "web.yml:2:1"),
        TimeZone = new("Europe/Berlin", "web.yml:3:1"),
        User = new(new DebianUser("ada", "Ada L.", Hash, ["ssh-ed25519 AAAA ada"]), "web.yml:4:1"),
        RootPasswordHash = new(Hash, "web.yml:8:1"),
    };
}

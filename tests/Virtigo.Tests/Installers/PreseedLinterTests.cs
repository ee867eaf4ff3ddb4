using CsCheck;
using Virtigo.Installers.Debian;
using Xunit;

namespace Virtigo.Tests.Installers;

public sealed class PreseedLinterTests
{
    private const string PowerOff = "\nd-i debian-installer/exit/poweroff boolean true\n";

    private const string Templates = """
        Template: passwd/make-user
        Type: boolean
        Default: true
        Description: Create a normal user account now?

        Template: passwd/root-password-crypted
        Type: password
        Description: for internal use; can be preseeded

        Template: partman/choose_partition
        Type: select
        Choices: ${CHOICES}
        Description: This is an overview:

        Template: apt-setup/services-select
        Type: multiselect
        Choices-C: security, updates, backports
        Choices: security updates (from ${SEC_HOST}), release updates, backported software
        Description: Services to use:

        Template: pkgsel/upgrade
        Type: select
        Choices: none, safe-upgrade, full-upgrade
        Description: for internal use; can be preseeded

        Template: debian-installer/exit/poweroff
        Type: boolean
        Description: for internal use; can be preseeded

        Template: netcfg/get_hostname
        Type: string
        Description: Hostname:
        Description-de.UTF-8: Rechnername:
        """;

    [Theory]
    [InlineData("d-i passwd/make-user boolean false\nd-i passwd/make-user boolean true", 2, "answered in line 1", "Keep one")]
    [InlineData("d-i preseed/late_command string a\nd-i preseed/late_command string b", 2, "answered in line 1", "Join the commands")]
    [InlineData("d-i passwd/make-user", 1, "neither type nor value", "string VALUE")]
    [InlineData("d-i passwd/make-user booleen true", 1, "not a type", "boolean")]
    [InlineData("d-i passwd/make-user true", 1, "not a type", "The types are")]
    [InlineData("passwd/make-user boolean true", 1, "owner is missing", "d-i passwd/make-user")]
    [InlineData("nonsense", 1, "not an answer", "d-i passwd")]
    [InlineData("d-i passwd/make-user boolean yes", 1, "true or false", "Write true")]
    [InlineData("d-i passwd/make-user boolean false ", 1, "ends in blanks", "Remove")]
    [InlineData("d-i passwd/make-user boolean  false", 1, "more than one space", "exactly one")]
    [InlineData("d-i passwd/make-usr boolean false", 1, "No known component asks", "passwd/make-user")]
    [InlineData("d-i partman/make-user boolean false", 1, "No known component asks", "passwd/make-user")]
    [InlineData("d-i passwd/make-user string false", 1, "of type boolean", "boolean false")]
    [InlineData("d-i pkgsel/upgrade select safe", 1, "not among the choices", "safe-upgrade")]
    [InlineData("d-i pkgsel/upgrade select none", 1, "Security updates", "safe-upgrade")]
    [InlineData("d-i apt-setup/services-select multiselect security, updatse", 1, "not among the choices", "updates")]
    [InlineData("d-i apt-setup/services-select multiselect updates", 1, "no security updates", "security, updates")]
    [InlineData("d-i apt-setup/security_host string", 1, "no security updates", "Name the host")]
    [InlineData("d-i debian-installer/allow_unauthenticated boolean true", 1, "without a valid signature", "Remove")]
    [InlineData("d-i preseed/late_command string apt-get --allow-unauthenticated install x", 1, "signature check off", "key")]
    [InlineData("d-i passwd/root-password password secret", 1, "clear text", "passwd/root-password-crypted")]
    [InlineData("d-i passwd/root-password-crypted password !", 1, "asks for root's password", "*")]
    [InlineData("d-i passwd/root-password-crypted password secret", 1, "none", "openssl passwd")]
    [InlineData("d-i passwd/root-login boolean false\nd-i passwd/make-user boolean false", 2, "makes a user", "username")]
    [InlineData("d-i passwd/make-user boolean false\r", 1, "CR LF", "sed")]
    public void A_mistake_is_found_with_its_line_and_a_way_out(string text, int line, string message, string hint)
    {
        PreseedFinding finding = Assert.Single(PreseedLinter.Lint(text + PowerOff, Catalog()), f => f.Message.Contains(message, StringComparison.Ordinal));
        Assert.Equal(line, finding.Line);
        Assert.True(finding.Column >= 1);
        Assert.Contains(hint, finding.Hint ?? "", StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("d-i passwd/make-user boolean false")]
    [InlineData("  d-i   passwd/make-user boolean false")]
    [InlineData("# d-i passwd/make-user\n\n   \nd-i passwd/make-user seen true")]
    [InlineData("d-i partman/choose_partition select finish")]
    [InlineData("d-i apt-setup/services-select multiselect security, updates")]
    [InlineData("d-i apt-setup/local0/repository string http://mirror.example/debian local main")]
    [InlineData("popularity-contest popularity-contest/participate boolean false")]
    [InlineData("d-i netcfg/get_hostname string \\\n  web")]
    [InlineData("d-i passwd/root-password-crypted password *")]
    public void A_good_answer_has_no_finding(string text) => Assert.DoesNotContain(
        PreseedLinter.Lint(text + PowerOff, Catalog()), f => f.Severity != PreseedSeverity.Note);

    [Fact]
    public void A_machine_that_would_reboot_is_noted() =>
        Assert.Contains(PreseedLinter.Lint("d-i passwd/make-user boolean false\n", Catalog()), f => f.Message.Contains("reboots", StringComparison.Ordinal));

    [Fact]
    public void A_column_points_at_the_field() =>
        Assert.Equal("d-i passwd/make-user boolean ".Length + 1,
            Assert.Single(PreseedLinter.Lint("d-i passwd/make-user boolean yes" + PowerOff, Catalog())).Column);

    [Fact]
    public void Any_text_is_linted_without_error()
    {
        Gen<string> piece = Gen.OneOf(
            Gen.String, Golden.Pieces("d-i ", "passwd/make-user", " boolean ", "\n", "\\\n", "\r\n", "\t", "#", " true", "seen", "_command", "apt-setup/local1/key"));
        TemplateCatalog catalog = Catalog();
        piece.Array[0, 60].Sample(pieces =>
        {
            string text = string.Concat(pieces);
            int lines = text.Split('\n').Length;
            IReadOnlyList<PreseedFinding> findings = PreseedLinter.Lint(text, catalog);
            return findings.Count <= PreseedLinter.MaximumFindings && findings.All(f => f.Line >= 1 && f.Line <= lines && f.Column >= 1);
        }, iter: 1000);
    }

    [Fact]
    public void A_huge_file_has_bounded_findings() =>
        Assert.Equal(PreseedLinter.MaximumFindings, PreseedLinter.Lint(string.Concat(Enumerable.Repeat("x\n", 50_000)), Catalog()).Count);

    [Fact]
    public void Templates_are_read_without_their_translations()
    {
        DebconfTemplate template = Assert.IsType<DebconfTemplate>(Catalog().Find("netcfg/get_hostname"));
        Assert.Equal("Hostname:", template.Description);
        Assert.Equal(["security", "updates", "backports"], Catalog().Find("apt-setup/services-select")!.Choices);
    }

    [Fact]
    public void A_question_is_found_by_its_text_with_variables_filled_in()
    {
        var catalog = new TemplateCatalog();
        catalog.Add("grub-installer", new StringReader(
            "Template: grub-installer/grub-install-failed\nType: error\nDescription: Unable to install GRUB in ${BOOTDEV}\n\n"
            + "Template: a/one\nType: string\nDescription: Same text:\n\nTemplate: a/two\nType: string\nDescription: Same text:\n"));
        Assert.Equal("grub-installer/grub-install-failed", Assert.Single(catalog.FindByDescription("Unable to install GRUB in /dev/vda")).Name);
        Assert.Equal(["a/one", "a/two"], catalog.FindByDescription("Same text:").Select(t => t.Name));
        Assert.Empty(catalog.FindByDescription("Unable"));
    }

    [Theory]
    [InlineData("a, b\\, c,d", "a|b, c|d")]
    [InlineData("", "")]
    [InlineData(",,", "")]
    public void Choices_are_split_as_debconf_does(string text, string expected) =>
        Assert.Equal(expected, string.Join('|', DebconfTemplate.SplitChoices(text)));

    private static TemplateCatalog Catalog()
    {
        var catalog = new TemplateCatalog();
        catalog.Add("test", new StringReader(Templates));
        return catalog;
    }
}

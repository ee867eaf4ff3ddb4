using System.Formats.Tar;
using System.Text;
using CsCheck;
using Virtigo.Installers.Debian;
using Xunit;

namespace Virtigo.Tests.Installers;

public sealed class TargetStepsTests
{
    private static readonly UnixFileMode s_plain = (UnixFileMode)0x1A4;

    internal static TargetChoices Everything { get; } = new()
    {
        Files =
        [
            new("/var/www/site", TargetEntryKind.Folder, (UnixFileMode)0x1ED, default, "www-data", "www-data"),
            new("/var/www/site/index.html", TargetEntryKind.File, s_plain, "<p>hello</p>\n"u8.ToArray(), "www-data", "www-data"),
            new("/etc/motd", TargetEntryKind.File, s_plain, "hello\n"u8.ToArray()),
            new("/etc/alternatives/page", TargetEntryKind.Link, default, "/var/www/site/index.html"u8.ToArray()),
        ],
        Groups = [new("developers", null, false), new("data", 2000, true)],
        Users =
        [
            new()
            {
                Name = "bob", FullName = "Bob O'Builder", Uid = 1500, Groups = ["developers", "adm"], Sudo = SudoRight.Password,
                PasswordHash = "$6$salt$hash", SshKeys = ["ssh-ed25519 AAAA bob@desk"],
            },
            new() { Name = "data", Shell = "/usr/sbin/nologin", Sudo = SudoRight.NoPassword },
        ],
        EnabledUnits = ["nginx", "backup@home.timer"],
        DisabledUnits = ["apache2"],
        MaskedUnits = ["apt-daily.timer"],
        Run = [new("a2enmod rewrite", "web.yml:30:5"), new("echo 'two\nlines'", "web.yml:31:5")],
        FirstBoot = [new("touch /var/tmp/booted", "web.yml:33:13")],
        Debconf = [new("postfix", "postfix/main_mailer_type", "select", "Internet Site", "Internet Site"), new("slapd", "slapd/password1", "password", "hunter2", "digest")],
        Repositories = [new("vendor", new Uri("https://packages.vendor.example/debian/"), ["stable", "tools"], ["main", "extra"], "-----BEGIN PGP PUBLIC KEY BLOCK-----\n"u8.ToArray())],
        Pins = [new(["nginx*", "libnginx*"], "version 1.26.*", 1001), new(["*"], "release n=trixie-backports", -1)],
        Backports = (new Uri("http://mirror.example/debian/"), "trixie-backports"),
        Recommends = true,
        AutomaticUpdates = true,
        Profile = "#!/bin/sh\necho profile\n",
    };

    [Fact]
    public void Everything_gives_the_golden_scripts_and_files()
    {
        TargetSteps steps = TargetSteps.For(Everything);
        var text = new StringBuilder();
        text.Append("== before packages\n").Append(steps.BeforePackages).Append("== at the end\n").Append(steps.AtEnd)
            .Append("== when nothing more is installed\n").Append(steps.Leaving);
        foreach (InitrdFile file in steps.Files.Concat(steps.LeavingFiles))
        {
            text.Append($"== {file.Path} {Convert.ToString((int)file.Mode, 8)}\n");
            if (file.Path.EndsWith(".tar", StringComparison.Ordinal))
            {
                foreach (TarEntry entry in Entries(file))
                {
                    text.Append($"-- {entry.Name} {entry.EntryType} {Convert.ToString((int)entry.Mode, 8)} "
                        + $"{((PosixTarEntry)entry).UserName}:{((PosixTarEntry)entry).GroupName} {entry.LinkName}".TrimEnd() + "\n");
                    text.Append(entry.DataStream is null ? "" : new StreamReader(entry.DataStream).ReadToEnd());
                }
            }
            else
            {
                text.Append(Encoding.UTF8.GetString(file.Content.Span));
            }
        }

        Golden.Same("target-steps.txt", text.ToString());
    }

    [Fact]
    public void Nothing_asked_for_is_nothing_done()
    {
        TargetSteps steps = TargetSteps.For(TargetChoices.None);
        Assert.Equal("", steps.BeforePackages + steps.AtEnd + steps.Leaving);
        Assert.Empty(steps.Files.Concat(steps.LeavingFiles));
        Assert.True(TargetChoices.None.IsNothing);
        Assert.False(Everything.IsNothing);
        Assert.DoesNotContain(Own(TargetChoices.None), file => file.Path is "virtigo/before" or "usr/lib/finish-install.d/93virtigo");
    }

    private static IReadOnlyList<InitrdFile> Own(TargetChoices target) => InstallHooks.Own(InstallHooksTests.Choices(null) with { Target = target }, "", "n");

    [Fact]
    public void Equal_choices_give_equal_bytes() =>
        Assert.Equal(
            TargetSteps.For(Everything).Files.Select(file => Convert.ToHexString(file.Content.Span)),
            TargetSteps.For(Everything with { Recommends = true }).Files.Select(file => Convert.ToHexString(file.Content.Span)));

    [Fact]
    public void Secrets_are_in_files_that_only_root_reads_and_in_no_script()
    {
        IReadOnlyList<InitrdFile> files = Own(Everything);
        foreach (InitrdFile file in files.Where(file => Holds(file, "$6$") || Holds(file, "hunter2")))
        {
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, file.Mode);
            Assert.StartsWith("virtigo/steps/", file.Path);
        }

        Assert.Equal(2, files.Count(file => Holds(file, "$6$") || Holds(file, "hunter2")));
        Assert.DoesNotContain("hunter2", string.Join('\n', Everything.Debconf));
        static bool Holds(InitrdFile file, string text) => file.Content.Span.IndexOf(Encoding.UTF8.GetBytes(text)) >= 0;
    }

    [Fact]
    public void The_scripts_do_in_a_target_what_was_asked()
    {
        using var shell = new TargetShell();
        TargetSteps steps = TargetSteps.For(Everything);
        shell.Write("etc/apt/apt.conf.d/00InstallRecommends", "x");
        shell.Write("etc/apt/sources.list.d/x", "");
        shell.Write("usr/share/keyrings/debian-archive-keyring.gpg", "x");
        shell.Hand(steps);
        Assert.Equal(0, shell.Run(steps.BeforePackages));
        Assert.False(File.Exists(shell.Path("etc/apt/apt.conf.d/00InstallRecommends")));
        Assert.Contains("URIs: http://packages.vendor.example/debian/\n", shell.Read("etc/apt/sources.list.d/vendor.sources"));
        Assert.Contains("Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg", shell.Read("etc/apt/sources.list.d/backports.sources"));
        Assert.Contains("Suites: trixie-backports\n", shell.Read("etc/apt/sources.list.d/backports.sources"));
        Assert.Contains("Pin-Priority: -1\n", shell.Read("etc/apt/preferences.d/virtigo"));
        Assert.Equal("unattended-upgrades unattended-upgrades/enable_auto_updates boolean true\n"
            + "postfix postfix/main_mailer_type select Internet Site\nslapd slapd/password1 password hunter2\n", shell.Input("debconf-set-selections"));
        Assert.Equal(["apt-get", "--quiet", "--option", "APT::Update::Error-Mode=any", "update"], shell.Calls()[^1]);

        Assert.Equal(0, shell.Run(steps.AtEnd));
        IReadOnlyList<string[]> calls = shell.Calls();
        Assert.Contains(calls, call => call is ["groupadd", "--gid", "2000", "--system", "data"]);
        Assert.Contains(calls, call => call is ["useradd", "--create-home", "--home-dir", "/home/bob", "--shell", "/bin/bash", "--comment", "Bob O'Builder",
            "--uid", "1500", "--user-group", "--groups", "developers,adm,sudo", "bob"]);
        Assert.Contains(calls, call => call.Contains("data") && call is ["useradd", .., "--gid", "data", "data"]);
        Assert.Equal("bob:$6$salt$hash\n", shell.Input("chpasswd"));
        Assert.Equal("ssh-ed25519 AAAA bob@desk\n", shell.Read("home/bob/.ssh/authorized_keys"));
        Assert.Equal("data ALL=(ALL:ALL) NOPASSWD: ALL\n", shell.Read("etc/sudoers.d/data"));
        Assert.Equal("<p>hello</p>\n", shell.Read("var/www/site/index.html"));
        Assert.Contains("URIs: http://packages.vendor.example/debian/\n", shell.Read("etc/apt/sources.list.d/vendor.sources"));
        Assert.Equal("/var/www/site/index.html", new FileInfo(shell.Path("etc/alternatives/page")).LinkTarget);
        Assert.Contains(calls, call => call is ["systemctl", "enable", "--", "backup@home.timer"]);
        Assert.Contains(calls, call => call is ["systemctl", "mask", "--", "apt-daily.timer"]);
        Assert.Equal(2, calls.Count(call => call[0] == "env"));
        int profile = calls.ToList().FindIndex(call => call is ["sh", "/var/lib/virtigo/run/profile"]);
        Assert.InRange(profile, calls.ToList().FindIndex(call => call[0] == "chpasswd"), calls.ToList().FindIndex(call => call[0] == "tar" && calls.ToList().IndexOf(call) > profile));
        Assert.False(Directory.Exists(shell.Path("var/lib/virtigo")));
        Assert.Equal("touch /var/tmp/booted\n", shell.Read("usr/local/lib/virtigo/first-boot.d/001"));
        Assert.Equal("/etc/systemd/system/virtigo-first-boot.service",
            new FileInfo(shell.Path("etc/systemd/system/multi-user.target.wants/virtigo-first-boot.service")).LinkTarget);

        Assert.Equal(0, shell.Run(steps.Leaving));
        Assert.Contains("URIs: https://packages.vendor.example/debian/\n", shell.Read("etc/apt/sources.list.d/vendor.sources"));
        Assert.False(shell.Failed);
    }

    [Theory]
    [InlineData("useradd", "users: bob cannot be made")]
    [InlineData("systemctl", "units: cannot enable nginx")]
    [InlineData("sh", "profile: a setting cannot be made")]
    [InlineData("env", "run: the command in web.yml:30:5 failed")]
    [InlineData("getent", "files: there is no user www-data")]
    public void A_step_that_fails_ends_the_script_and_says_which(string failing, string said)
    {
        using var shell = new TargetShell();
        TargetSteps steps = TargetSteps.For(Everything);
        shell.Hand(steps);
        Assert.NotEqual(0, shell.Run(steps.AtEnd, failing));
        Assert.True(shell.Failed);
        Assert.Contains($"step failed: {said}", string.Join('\n', shell.Calls().Select(call => string.Join(' ', call))));
        Suspicion suspicion = new LogSuspicions(_ => []).Of("virtigo", $"step failed: {said}")!;
        Assert.True(suspicion.Fatal);
        Assert.Contains(said, suspicion.Message);
    }

    [Fact]
    public void Whatever_a_value_holds_reaches_the_guest_as_data()
    {
        Gen<string> hostile = Golden.Pieces("'", "\"", "`", "$(", ")", "${", "}", "\\", "\n", ";", "|", "&", ">", "<", "*", "?", "~", "#", " ", "-", "--", "touch pwned", "!", "ä", "a", "\t", "%s", "=")
            .Array[1, 8].Select(string.Concat);
        Gen.Select(hostile, hostile, hostile, hostile, hostile).Sample((one, two, three, four, five) =>
        {
            // A spec's owners have at most 32 characters, as names in the archive do.
            string owner = "o" + one[..Math.Min(one.Length, 15)];
            using var shell = new TargetShell();
            TargetSteps steps = TargetSteps.For(new TargetChoices
            {
                Users = [new() { Name = "u" + one, FullName = two, Shell = three, Groups = ["g" + four], PasswordHash = "$6$" + five.Replace('\n', ' ') }],
                Groups = [new("x" + five, 7, false)],
                EnabledUnits = [one, two],
                Run = [new(three, four)],
                Debconf = [new("p", "p/q", "string", four.Replace('\n', ' '), "")],
                Backports = (new Uri("http://mirror.example/debian/"), two),
                Files = [new("/etc/f", TargetEntryKind.File, s_plain, Encoding.UTF8.GetBytes(five), owner, "root")],
            });
            shell.Write("etc/apt/sources.list.d/x", "");
            shell.Hand(steps);
            Assert.Equal(0, shell.Run(steps.BeforePackages));
            Assert.Equal(0, shell.Run(steps.AtEnd));
            IReadOnlyList<string[]> calls = shell.Calls();
            Assert.Contains(calls, call => call.SequenceEqual(["groupadd", "--gid", "7", "x" + five]));
            Assert.Contains(calls, call => call.SequenceEqual(["useradd", "--create-home", "--home-dir", "/home/u" + one, "--shell", three, "--comment", two,
                "--user-group", "--groups", "g" + four, "u" + one]));
            Assert.Contains(calls, call => call.SequenceEqual(["systemctl", "enable", "--", one]));
            Assert.Contains(calls, call => call.SequenceEqual(["getent", "passwd", owner]));
            Assert.Contains(calls, call => call.SequenceEqual(["logger", "-t", "virtigo", $"run: 001 ({four})"]));
            Assert.Equal(three + "\n", shell.Ran);
            Assert.Equal(five, shell.Read("etc/f"));
            Assert.Contains($"Suites: {two}\n", shell.Read("etc/apt/sources.list.d/backports.sources"));
            Assert.Equal($"u{one}:$6${five.Replace('\n', ' ')}\n", shell.Input("chpasswd"));
            Assert.Empty(Directory.GetFiles(shell.Folder, "pwned*", SearchOption.AllDirectories));
        }, iter: 25, threads: 1);
    }

    [Fact]
    public void The_first_boot_runs_each_command_once_stops_at_a_failure_and_takes_itself_away()
    {
        using var shell = new TargetShell();
        string folder = shell.Folder;
        TargetSteps steps = TargetSteps.For(new TargetChoices
        {
            FirstBoot = [new($"echo one >>{folder}/said", "a"), new($"test -e {folder}/ready", "b"), new($"echo three >>{folder}/said; cat", "c")],
        });
        shell.Hand(steps);
        Assert.Equal(0, shell.Run(steps.AtEnd));
        string runner = shell.Read("usr/local/lib/virtigo/first-boot").Replace("/usr/local", shell.Path("usr/local"), StringComparison.Ordinal)
            .Replace("/etc/systemd", shell.Path("etc/systemd"), StringComparison.Ordinal);
        Assert.Equal(1, shell.Run(runner));
        Assert.Equal(1, shell.Run(runner));
        Assert.Equal("one\n", File.ReadAllText(Path.Combine(folder, "said")));
        File.WriteAllText(Path.Combine(folder, "ready"), "");
        Assert.Equal(0, shell.Run(runner));
        Assert.Equal("one\nthree\n", File.ReadAllText(Path.Combine(folder, "said")));
        Assert.False(Directory.Exists(shell.Path("usr/local/lib/virtigo")));
        Assert.Empty(Directory.GetFileSystemEntries(shell.Path("etc/systemd/system/multi-user.target.wants")));
        Assert.False(File.Exists(shell.Path("etc/systemd/system/virtigo-first-boot.service")));
    }

    [Theory]
    [InlineData(100, 0, true)]
    [InlineData(101, 0, false)]
    [InlineData(100, 155, true)]
    [InlineData(100, 156, false)]
    [InlineData(20, 155, true)]
    public void A_path_fits_exactly_when_the_format_can_hold_it(int name, int folder, bool fits)
    {
        string path = "/" + (folder > 0 ? new string('d', folder) + "/" : "") + new string('n', name);
        Assert.Equal(fits, TargetArchive.Fits(path));
        if (fits)
        {
            byte[] tar = TargetArchive.Write([new(path, TargetEntryKind.File, s_plain, "x"u8.ToArray())]);
            Assert.Equal(path[1..], new TarReader(new MemoryStream(tar)).GetNextEntry()!.Name);
        }
    }

    private static IEnumerable<TarEntry> Entries(InitrdFile file)
    {
        var reader = new TarReader(new MemoryStream(file.Content.ToArray()));
        while (reader.GetNextEntry(copyData: true) is { } entry)
        {
            yield return entry;
        }
    }
}

using System.Globalization;
using System.Text;
using Virtigo.Host;

namespace Virtigo.Installers.Debian;

/// <summary>
/// What is done in the installed system beside the installer's own steps, as files to hand over and three scripts for the installer's shell:
/// one for when the base system is installed and upgraded and before packages are, one for the end of the install, and one for when nothing more
/// is installed. Every value reaches the guest as data: as a file, or as one quoted word.
/// </summary>
internal sealed class TargetSteps
{
    /// <summary>Where the files are handed over, in the installer's own file system.</summary>
    public const string Folder = "virtigo/steps";

    /// <summary>What the installer's log says before the reason why a step failed.</summary>
    public const string FailureMark = "step failed: ";

    private const string RunFolder = "/var/lib/virtigo/run";
    private const string ProfileScript = RunFolder + "/profile";
    private const string FirstBootFolder = "/usr/local/lib/virtigo/first-boot.d";
    private const string FirstBootRunner = "/usr/local/lib/virtigo/first-boot";
    private const string FirstBootUnit = "/etc/systemd/system/virtigo-first-boot.service";
    private const string FirstBootWanted = "/etc/systemd/system/multi-user.target.wants/virtigo-first-boot.service";
    private const UnixFileMode Secret = UnixFileMode.UserRead | UnixFileMode.UserWrite;
    private const UnixFileMode Plain = Secret | UnixFileMode.GroupRead | UnixFileMode.OtherRead;
    private const UnixFileMode Program = Plain | UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute;
    private const UnixFileMode OwnersFolder = Secret | UnixFileMode.UserExecute;

    /// <summary>
    /// Begins both scripts. Folders that are there keep their owner and mode, and links to folders stay links: a tree may bring
    /// <c>lib/</c> or <c>etc/</c> without harm.
    /// </summary>
    private const string Header = """
        #!/bin/sh
        target=${VIRTIGO_TARGET:-/target}
        given=${VIRTIGO_GIVEN:-/virtigo/steps}

        fail() {
            logger -t virtigo "step failed: $1"
            mkdir -p "$given"
            : >"$given/failed"
            exit 1
        }

        unpack() {
            chroot "$target" tar --extract --file=- --directory=/ --preserve-permissions --same-owner --keep-directory-symlink \
                --no-overwrite-dir <"$given/$1"
        }


        """;

    /// <summary>
    /// Runs the commands in order, each in a shell of its own, and takes each away when it is done; the last thing it takes away is itself.
    /// After a failure the unit has failed, and the next boot goes on with the command that did.
    /// </summary>
    private const string FirstBootScript = """
        #!/bin/sh
        for step in /usr/local/lib/virtigo/first-boot.d/*; do
            [ -e "$step" ] || continue
            echo "first boot: ${step##*/}"
            /bin/sh -e "$step" </dev/null || exit 1
            rm -f "$step"
        done
        rm -f /etc/systemd/system/multi-user.target.wants/virtigo-first-boot.service /etc/systemd/system/virtigo-first-boot.service
        rm -rf /usr/local/lib/virtigo/first-boot.d /usr/local/lib/virtigo/first-boot
        rmdir --ignore-fail-on-non-empty /usr/local/lib/virtigo
        systemctl daemon-reload || true

        """;

    private const string FirstBootService = """
        [Unit]
        Description=What this machine's appliance does at its first boot
        After=local-fs.target network.target
        ConditionPathExists=/usr/local/lib/virtigo/first-boot

        [Service]
        Type=oneshot
        ExecStart=/bin/sh /usr/local/lib/virtigo/first-boot
        Environment=DEBIAN_FRONTEND=noninteractive

        [Install]
        WantedBy=multi-user.target

        """;

    private TargetSteps(TargetChoices choices, string domain)
    {
        TargetEntry[] before = [.. AptFiles(choices)];
        TargetEntry[] after = [.. FinalFiles(choices)];
        TargetEntry[] sources = [.. Secured(choices).Select(repository => Text(repository.SourcePath, Source(repository, repository.Url.Scheme), Plain))];
        BeforePackages = Before(choices, before);
        AtEnd = End(choices, after);
        Leaving = Leave(choices, sources);
        Files =
        [
            .. Given("before.tar", Archive(before)), .. Given("after.tar", Archive(after)), .. Given("profile", Utf8(choices.Profile)),
            .. Given("debconf", Utf8(string.Concat(Answers(choices).Select(answer => $"{answer.Package} {answer.Question} {answer.Type} {answer.Value}".TrimEnd(' ') + "\n")))),
            .. Given("passwords", Utf8(string.Concat(choices.Users.Where(user => user.PasswordHash is not null).Select(user => $"{user.Name}:{user.PasswordHash}\n")))),
        ];
        LeavingFiles = [.. Given("sources.tar", Archive(sources)), .. Given("network.tar", Archive([.. NetworkSteps.Files(choices.Network, domain)]))];
    }

    /// <summary>The files to hand over, readable by root only: some may hold secrets.</summary>
    public IReadOnlyList<InitrdFile> Files { get; }

    /// <summary>The files that <see cref="Leaving"/> needs beside it, readable by root only.</summary>
    public IReadOnlyList<InitrdFile> LeavingFiles { get; }

    /// <summary>The script to run before packages are installed, at any time after the base system is; empty when there is nothing to do.</summary>
    public string BeforePackages { get; }

    /// <summary>The script to run at the end of the install, before logs are saved and the target is unmounted; empty when there is nothing to do.</summary>
    public string AtEnd { get; }

    /// <summary>
    /// The script to run when nothing more is installed, neither of these choices nor of what builds on them: from there on the system is no longer in
    /// the installer's network. Empty when there is nothing to do.
    /// </summary>
    public string Leaving { get; }

    /// <summary>The steps of some choices.</summary>
    /// <param name="choices">The choices.</param>
    /// <param name="domain">The machine's domain; empty for none.</param>
    public static TargetSteps For(TargetChoices choices, string domain = "") => new(choices, domain);

    private static IEnumerable<DebconfSelection> Answers(TargetChoices choices)
    {
        if (choices.AutomaticUpdates)
        {
            yield return new DebconfSelection("unattended-upgrades", "unattended-upgrades/enable_auto_updates", "boolean", "true", "true");
        }

        foreach (DebconfSelection answer in choices.Debconf)
        {
            yield return answer;
        }
    }

    private static IEnumerable<TargetEntry> AptFiles(TargetChoices choices)
    {
        foreach (TargetRepository repository in choices.Repositories)
        {
            yield return new TargetEntry(repository.KeyPath, TargetEntryKind.File, Plain, repository.Key);
            yield return Text(repository.SourcePath, Source(repository, "http"), Plain);
        }

        if (choices.Pins.Count > 0)
        {
            yield return Text("/etc/apt/preferences.d/virtigo", string.Join('\n', choices.Pins.Select(pin =>
                string.Create(CultureInfo.InvariantCulture, $"Package: {string.Join(' ', pin.Packages)}\nPin: {pin.Pin}\nPin-Priority: {pin.Priority}\n"))), Plain);
        }
    }

    /// <summary>During the install the guest reaches Virtigo's proxy only, which speaks HTTP; what it serves is signed all the same.</summary>
    private static string Source(TargetRepository repository, string scheme) =>
        $"""
        Types: deb
        URIs: {scheme}{repository.Url.AbsoluteUri[repository.Url.Scheme.Length..]}
        Suites: {string.Join(' ', repository.Suites)}
        Components: {string.Join(' ', repository.Components)}
        Signed-By: {repository.KeyPath}

        """;

    private static IEnumerable<TargetRepository> Secured(TargetChoices choices) => choices.Repositories.Where(repository => repository.Url.Scheme != "http");

    private static IEnumerable<TargetEntry> FinalFiles(TargetChoices choices)
    {
        foreach (TargetUser user in choices.Users)
        {
            if (user.SshKeys.Count > 0)
            {
                string folder = $"/home/{user.Name}/.ssh";
                yield return new TargetEntry(folder, TargetEntryKind.Folder, OwnersFolder, default, user.Name, user.Name);
                yield return Text($"{folder}/authorized_keys", string.Concat(user.SshKeys.Select(key => key.Trim() + "\n")), Secret)
                    with { Owner = user.Name, Group = user.Name };
            }

            if (user.Sudo == SudoRight.NoPassword)
            {
                yield return Text($"/etc/sudoers.d/{user.Name}", $"{user.Name} ALL=(ALL:ALL) NOPASSWD: ALL\n", UnixFileMode.UserRead | UnixFileMode.GroupRead);
            }
        }

        foreach (TargetEntry entry in choices.Files)
        {
            yield return entry;
        }

        foreach ((string name, TargetCommand command) in Numbered(choices.Run))
        {
            yield return Text($"{RunFolder}/{name}", command.Text + "\n", Secret);
        }

        foreach ((string name, TargetCommand command) in Numbered(choices.FirstBoot, choices.FirstBootBefore))
        {
            yield return Text($"{FirstBootFolder}/{name}", command.Text + "\n", Secret);
        }

        if (choices.FirstBoot.Count > 0)
        {
            yield return Text(FirstBootRunner, FirstBootScript, Program);
            yield return Text(FirstBootUnit, FirstBootService, Plain);
            yield return new TargetEntry(FirstBootWanted, TargetEntryKind.Link, default, Utf8(FirstBootUnit));
        }
    }

    private static string Before(TargetChoices choices, TargetEntry[] files)
    {
        var script = new StringBuilder();
        if (files.Length > 0)
        {
            script.Append("unpack before.tar || fail 'the settings of apt cannot be written'\n");
        }

        if (choices.Backports is { } backports)
        {
            // The keyring's name is that of the release's own package.
            script.Append(CultureInfo.InvariantCulture, $$"""
                keyring=/usr/share/keyrings/debian-archive-keyring.pgp
                [ -e "$target$keyring" ] || keyring=/usr/share/keyrings/debian-archive-keyring.gpg
                {
                    printf 'Types: deb\nURIs: %s\nSuites: %s\nComponents: main\n' {{Quote(backports.Archive.AbsoluteUri)}} {{Quote(backports.Suite)}}
                    printf 'Signed-By: %s\n' "$keyring"
                } >"$target/etc/apt/sources.list.d/backports.sources" || fail 'backports: the source cannot be written'

                """);
        }

        if (choices.Recommends)
        {
            script.Append("rm -f \"$target/etc/apt/apt.conf.d/00InstallRecommends\"\n");
        }

        if (Answers(choices).Any())
        {
            script.Append("chroot \"$target\" debconf-set-selections <\"$given/debconf\" || fail 'debconf: the answers are not accepted'\n");
        }

        if (choices.Repositories.Count > 0 || choices.Backports is not null)
        {
            script.Append("in-target apt-get --quiet --option APT::Update::Error-Mode=any update || fail 'repositories: a list of packages cannot be fetched'\n");
        }

        return Whole(script);
    }

    private static string End(TargetChoices choices, TargetEntry[] files)
    {
        var script = new StringBuilder();
        void Step(string command, string failure) => script.Append(command).Append(" || fail ").Append(Quote(failure)).Append('\n');

        foreach (TargetGroup group in choices.Groups)
        {
            // One that a package has made already is what was asked for.
            string options = group.Gid is { } gid ? string.Create(CultureInfo.InvariantCulture, $" --gid {gid}") : " --force";
            Step($"in-target groupadd{options}{(group.System ? " --system" : "")} {Quote(group.Name)}", $"groups: {group.Name} cannot be made");
        }

        foreach (TargetUser user in choices.Users)
        {
            Step(UserAdd(user, choices.Groups), $"users: {user.Name} cannot be made");
        }

        if (choices.Users.Any(user => user.PasswordHash is not null))
        {
            Step("chroot \"$target\" chpasswd --encrypted <\"$given/passwords\"", "users: the passwords cannot be set");
        }

        if (choices.Profile.Length > 0)
        {
            Step($"mkdir -p \"$target{RunFolder}\" && cp \"$given/profile\" \"$target{ProfileScript}\"", "profile: it cannot be handed over");
            Step($"in-target sh {ProfileScript}", "profile: a setting cannot be made");
            script.Append(CultureInfo.InvariantCulture, $"rm -rf \"$target{RunFolder}\"\nrmdir \"$target{Path.GetDirectoryName(RunFolder)}\" 2>/dev/null\n");
        }

        foreach ((string database, string what, IEnumerable<string> names) in ((string, string, IEnumerable<string>)[])
            [("passwd", "user", choices.Files.Select(file => file.Owner)), ("group", "group", choices.Files.Select(file => file.Group))])
        {
            foreach (string name in names.Distinct().Where(name => name != "root" && !char.IsAsciiDigit(name[0])))
            {
                Step($"chroot \"$target\" getent {database} {Quote(name)} >/dev/null", $"files: there is no {what} {name}");
            }
        }

        if (files.Length > 0)
        {
            Step("unpack after.tar", "files: they cannot be written");
        }

        foreach ((string verb, IReadOnlyList<string> units) in ((string, IReadOnlyList<string>)[])
            [("enable", choices.EnabledUnits), ("disable", choices.DisabledUnits), ("mask", choices.MaskedUnits)])
        {
            foreach (string unit in units)
            {
                Step($"in-target systemctl {verb} -- {Quote(unit)}", $"units: cannot {verb} {unit}");
            }
        }

        foreach ((string name, TargetCommand command) in Numbered(choices.Run))
        {
            // Nothing to read for a command that asks: the installer's own dialogue is on its input.
            script.Append(CultureInfo.InvariantCulture, $"logger -t virtigo {Quote($"run: {name} ({command.Origin})")}\n");
            Step($"in-target env DEBIAN_FRONTEND=noninteractive sh -c 'cd / && exec sh -e \"$1\" </dev/null' sh {RunFolder}/{name}",
                $"run: the command in {command.Origin} failed");
        }

        if (choices.Run.Count > 0)
        {
            script.Append(CultureInfo.InvariantCulture, $"rm -rf \"$target{RunFolder}\"\nrmdir \"$target{Path.GetDirectoryName(RunFolder)}\" 2>/dev/null\n");
        }

        return Whole(script);
    }

    private static string Leave(TargetChoices choices, TargetEntry[] sources)
    {
        var script = new StringBuilder(sources.Length > 0 ? "unpack sources.tar || fail 'repositories: their addresses cannot be written'\n" : "");
        return Whole(script.Append(NetworkSteps.Script(choices.Network)));
    }

    private static string UserAdd(TargetUser user, IReadOnlyList<TargetGroup> groups)
    {
        var command = new StringBuilder("in-target useradd --create-home --home-dir ").Append(Quote("/home/" + user.Name))
            .Append(" --shell ").Append(Quote(user.Shell)).Append(" --comment ").Append(Quote(user.FullName));
        if (user.Uid is { } uid)
        {
            command.Append(CultureInfo.InvariantCulture, $" --uid {uid}");
        }

        command.Append(groups.Any(group => group.Name == user.Name) ? $" --gid {Quote(user.Name)}" : " --user-group");
        string[] further = [.. user.Sudo == SudoRight.Password ? user.Groups.Append("sudo").Distinct() : user.Groups];
        if (further.Length > 0)
        {
            command.Append(" --groups ").Append(Quote(string.Join(',', further)));
        }

        return command.Append(' ').Append(Quote(user.Name)).ToString();
    }

    private static string Whole(StringBuilder script) => script.Length == 0 ? "" : Header + script.Append("exit 0\n");

    private static IEnumerable<(string Name, TargetCommand Command)> Numbered(IReadOnlyList<TargetCommand> commands, int before = 0) =>
        commands.Select((command, index) => ((before + index + 1).ToString("000", CultureInfo.InvariantCulture), command));

    private static byte[] Archive(TargetEntry[] entries) => entries.Length == 0 ? [] : TargetArchive.Write(entries);

    private static IEnumerable<InitrdFile> Given(string name, byte[] content) => content.Length == 0 ? [] : [new InitrdFile($"{Folder}/{name}", Secret, content) { IsHanded = true }];

    private static TargetEntry Text(string path, string text, UnixFileMode mode) => new(path, TargetEntryKind.File, mode, Utf8(text));

    private static byte[] Utf8(string text) => Encoding.UTF8.GetBytes(text);

    private static string Quote(string word) => ShellQuote.Word(word);
}

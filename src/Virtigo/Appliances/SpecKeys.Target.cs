using Virtigo.Profiles;

namespace Virtigo.Appliances;

/// <summary>The keys of what is done in the installed system: software, people, files and steps.</summary>
internal static partial class SpecKeys
{
    public const int MaxRepositories = 20;
    private const int MaxItems = 1000;
    private const string NameRange = "1 to 32 lower-case letters, digits, `_` and `-`";

    private static SpecKey[] Software() =>
    [
        new("recommends", new FlagType(), "Whether packages bring what they recommend, now and in the installed system.", "false", "`true` or `false`",
            "recommends: true"),
        new("debconf", new DebconfType(),
            "Answers to questions of packages, by package and question: the type and the answer, as `debconf-get-selections` prints them. "
            + "A `password` may be `file:PATH` or `prompt:`.",
            "what the packages decide themselves", "`string`, `boolean`, `select`, `multiselect` or `password` and the answer; `true` and `false` alone are booleans",
            "debconf: {postfix: {postfix/main_mailer_type: select Internet Site}}"),
        new("repositories", new ItemsType(
            [
                new("repositories[].name", new TextType("a name", ValueChecks.RepositoryName), "The name of its files below `/etc/apt`.", "the URL's host",
                    "lower-case letters, digits and hyphens", "name: vendor"),
                new("repositories[].url", new TextType("a URL", ValueChecks.RepositoryUrl, "^https?://"), "Its root, which has `dists/` in it.", "required",
                    "an `http` or `https` URL", "url: https://packages.vendor.example/debian"),
                new("repositories[].suites", new ListType(new TextType("suites", ValueChecks.Suite), 10), "Its suites.", "the release's codename", "names, at most 10",
                    "suites: stable"),
                new("repositories[].components", new ListType(new TextType("components", ValueChecks.Component), 20), "Its components.", "main",
                    "names, at most 20", "components: [main]"),
                new("repositories[].key", new TextType("a key", ValueChecks.KeyOrPath),
                    "The OpenPGP key that signs it, and nothing else: an armoured key, or a file below the spec's folder. Without one a repository is refused.",
                    "required", "a path, or `-----BEGIN PGP PUBLIC KEY BLOCK-----` …", "key: vendor.asc"),
            ], MaxRepositories, ["url", "key"]),
            "Further repositories. Virtigo verifies them by their key before the guest sees a byte.", "none", "at most 20",
            "repositories: [{url: https://packages.vendor.example/debian, suites: stable, key: vendor.asc}]"),
        new("backports", new FlagOrListType(new ListType(new TextType("package names", ValueChecks.Package), MaxItems)),
            "Whether the release's backports may be used: `true` for what asks for them (`nginx/trixie-backports`), or the packages to take from there, which are installed.",
            "false", "`true`, `false` or package names", "backports: [golang-go]"),
        new("pins", new ItemsType(
            [
                new("pins[].package", new ListType(new TextType("package names", ValueChecks.PackagePattern), 100), "The packages; `*` stands for anything.",
                    "required", "package names, at most 100", "package: nginx*"),
                new("pins[].version", new TextType("a version", ValueChecks.PinText), "The versions it is about.", "one of the three", "a version, with `*` for anything",
                    "version: 1.26.*"),
                new("pins[].release", new TextType("a release", ValueChecks.PinText), "The release it is about: a codename, or what apt_preferences(5) writes.",
                    "one of the three", "such as `trixie-backports` or `o=Vendor,a=stable`", "release: trixie-backports"),
                new("pins[].origin", new TextType("a host", ValueChecks.PinText), "The host it is about.", "one of the three", "a host name", "origin: packages.vendor.example"),
                new("pins[].priority", new CountType(-32768, 32767), "The priority; above 1000 it downgrades, below 0 it forbids.", "required", "-32768 to 32767",
                    "priority: 900"),
            ], 200, ["package", "priority"], check: OnePin),
            "Which versions of packages apt prefers, as in apt_preferences(5).", "none", "at most 200",
            "pins: [{package: nginx, version: 1.26.*, priority: 1001}]"),
        new("updates", TextType.OneOf("manual", "automatic"), "Whether the installed system installs security updates by itself.", "manual", "`manual` or `automatic`",
            "updates: automatic"),
    ];

    private static SpecKey[] People() =>
    [
        new("groups", new ItemsType(
            [
                new("groups[].name", new TextType("a group name", ValueChecks.AccountName), "The group's name.", "required", NameRange, "name: staff2"),
                new("groups[].gid", new CountType(1, 60000), "Its number.", "the next free one", "1 to 60000", "gid: 2000"),
                new("groups[].system", new FlagType(), "Whether it is one of the system's own.", "false", "`true` or `false`", "system: true"),
            ], 200, ["name"], "name"),
            "Groups to make. A name alone is enough.", "none", "at most 200", "groups: [developers, {name: data, gid: 2000}]"),
        new("users", new ItemsType(
            [
                new("users[].name", new TextType("a login name", ValueChecks.UserName), "The login name.", "required", NameRange + "; no system account", "name: bob"),
                new("users[].full-name", new TextType("a name", ValueChecks.FullName), "The name in words.", "none", "at most 100 characters without `:`, `,` and `=`",
                    "full-name: Bob Builder"),
                new("users[].uid", new CountType(1000, 60000), "The number; also that of the user's own group, where it is free.", "the next free one", "1000 to 60000", "uid: 1500"),
                new("users[].groups", new ListType(new TextType("group names", ValueChecks.AccountName), 100),
                    "Further groups: of `groups`, or of the system and its packages.", "none", "names, at most 100", "groups: [developers, adm]"),
                new("users[].sudo", TextType.OneOf("true", "false", "nopasswd"),
                    "Whether the user may become root by `sudo`, and whether without a password. A user without a password is never asked for one.", "false",
                    "`true`, `false` or `nopasswd`", "sudo: nopasswd"),
                new("users[].shell", new TextType("a shell", ValueChecks.Shell), "The login shell.", "/bin/bash", "an absolute path", "shell: /usr/bin/zsh"),
                new("users[].password", new TextType("a password", ValueChecks.PasswordOrReference), "The password, or where it is, as for `user`.", "none",
                    "as for `user`", "password: env:BOB_PASSWORD")
                    { Secret = true },
                new("users[].password-hash", new TextType("a password hash", ValueChecks.PasswordHash), "The password as `mkpasswd` prints it.", "none", "as for `user`",
                    "password-hash: \"$6$salt$…\"")
                    { Secret = true },
                new("users[].ssh-keys", s_keys, "Public keys that may log in over ssh, as for `user`.", "none", "as for `user`", "ssh-keys: [file:keys/bob.pub]"),
            ], 200, ["name"], "name", OneUser),
            "Further accounts, made once the packages are installed. A name alone makes an account nobody can log into.", "none", "at most 200",
            "users: [{name: bob, groups: [developers], sudo: true, password: env:BOB_PASSWORD}]"),
    ];

    private static SpecKey[] Steps() =>
    [
        new("files", new ItemsType(
            [
                new("files[].from", new TextType("a path", ValueChecks.InnerPath), "A file or a folder beside the spec. Links in a folder stay links.", "either this or `content`",
                    "a path below the spec's folder", "from: site"),
                new("files[].content", new TextType("text", ValueChecks.Content), "The file's text.", "either this or `from`", "text", "content: \"hello\\n\""),
                new("files[].to", new TextType("a path", ValueChecks.TargetPath), "Where it is in the installed system; folders above it are made.", "required",
                    "an absolute path", "to: /var/www/site"),
                new("files[].owner", new TextType("an account", ValueChecks.Owner), "Whose it is.", "root", "a name or number of the installed system", "owner: www-data"),
                new("files[].group", new TextType("a group", ValueChecks.Owner), "The group it belongs to.", "root", "a name or number of the installed system", "group: www-data"),
                new("files[].mode", new TextType("a mode", ValueChecks.Mode), "The permissions of files; folders may be entered by whoever may read them.",
                    "0644, or 0755 for what is executable", "three or four octal digits", "mode: \"0640\""),
                new("files[].template", new FlagType(), "Whether `{{hostname}}` and the like are replaced by values of the plan.", "false", "`true` or `false`", "template: true"),
            ], MaxItems, ["to"], check: OneFile),
            "Files and trees to copy into the installed system, after packages are installed and users made.", "none", "at most 1000; 128 MiB and 10000 files in all",
            "files: [{content: \"hello\\n\", to: /etc/motd}]"),
        new("units", new GroupType(
            [
                new("units.enable", new ListType(new TextType("unit names", ValueChecks.Unit), 200), "Units to start at boot.", "what packages decide", "names, at most 200",
                    "enable: [nginx, backup.timer]"),
                new("units.disable", new ListType(new TextType("unit names", ValueChecks.Unit), 200), "Units not to start at boot.", "none", "names, at most 200", "disable: apache2"),
                new("units.mask", new ListType(new TextType("unit names", ValueChecks.Unit), 200), "Units that cannot be started at all.", "none", "names, at most 200",
                    "mask: apt-daily.timer"),
            ], "enable"),
            "Which systemd units start. `units: nginx` is short for enabling one.", "what packages decide", "", "units: {enable: [nginx]}"),
        new("profile", new ListType(TextType.OneOf([TargetPlanner.AutoProfile, TargetPlanner.NoProfile, .. GuestKinds.Words]), GuestKinds.Words.Count),
            "What guests need on their hypervisor, built in: the settings of `virtigo profile show` that can be made before a machine runs, before `files`, `units` and `run`. "
            + "`auto` is for the hypervisor of `hypervisor`, or for all when that is `auto`. `virtigo profile revert` takes it back in a machine.", TargetPlanner.NoProfile,
            "`auto` or `none`; or some of " + string.Join(", ", GuestKinds.Words.Select(word => $"`{word}`")), "profile: [qemu, xen]"),
        new("run", new ListType(new TextType("commands", ValueChecks.Command), 200),
            "Commands for `/bin/sh -e` in the installed system at the end of the install, as root, each in a shell of its own. They reach the package archives only. "
            + "One that fails ends the build.", "none", "at most 200, each at most 64 KiB", "run: [\"a2enmod rewrite\"]"),
        new("first-boot", new ListType(new TextType("commands", ValueChecks.Command), 200),
            "Commands like those of `run`, at the first boot of each machine made from the image. What has succeeded is not run again.", "none",
            "at most 200, each at most 64 KiB", "first-boot: [\"dpkg-reconfigure openssh-server\"]"),
    ];

    private static void OneFile(SettingValues values, YamlItem item, SpecProblems problems)
    {
        if (values.Place("files[].from") is null == values.Place("files[].content") is null)
        {
            problems.Add(item, values.Place("files[].from") is null
                ? "files: from or content is missing, as in: {content: \"hello\\n\", to: /etc/motd}"
                : "files: both from and content are given; keep one");
        }
        else if (values.Text("files[].to") == "/" && values.Place("files[].content") is not null)
        {
            problems.Add(values.Place("files[].to")!, "files: a file cannot be /; give its whole path");
        }
    }

    private static void OneUser(SettingValues values, YamlItem item, SpecProblems problems)
    {
        if (values.Place("users[].password") is not null && values.Place("users[].password-hash") is { } hash)
        {
            problems.Add(hash, "users: both password and password-hash are given; keep one");
        }
    }

    private static void OnePin(SettingValues values, YamlItem item, SpecProblems problems)
    {
        if (((string[])["version", "release", "origin"]).Count(key => values.Place($"pins[].{key}") is not null) != 1)
        {
            problems.Add(item, "pins: expected one of version, release and origin, as in: {package: nginx, version: 1.26.*, priority: 1001}");
        }
    }
}

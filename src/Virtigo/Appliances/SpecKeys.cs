using Virtigo.Hypervisors;

namespace Virtigo.Appliances;

/// <summary>Every key of a spec and of the user's configuration, in the order of the reference.</summary>
internal static partial class SpecKeys
{
    public const long MiB = 1L << 20;
    public const long DefaultDiskBytes = 8192 * MiB;
    public const int DefaultMemoryMiB = 1024;
    public const int DefaultCpus = 1;
    public const string DefaultLocale = "C.UTF-8";
    public const string DefaultTimeZone = "Etc/UTC";
    public const string DefaultKeyboard = "us";
    public const string DefaultDomain = "internal";

    private const int MaxPackages = 1000;
    private static readonly TextType s_url = new("a URL", ValueChecks.Mirror, "^https?://");
    private static readonly ListType s_keys = new(new TextType("ssh public keys", ValueChecks.SshKeyOrReference), 64);

    public static IReadOnlyList<SpecKey> All { get; } =
    [
        new("distro", TextType.OneOf("debian", "ubuntu"), "The distribution.", "debian", "`debian` or `ubuntu`", "distro: debian"),
        new("release", new TextType("a release name", ValueChecks.Release, "^[a-z]+$"),
            "The release, as a codename or as a name that moves, such as `stable`.", "the archive's stable",
            "one word of lower-case letters", "release: trixie")
            { InConfig = true },
        new("arch", TextType.OneOf("amd64"), "The architecture, as Debian names it.", "amd64", "`amd64`", "arch: amd64"),
        new("mirror", new ListType(s_url, 16),
            "The archive to install from. More URLs are further places of the same archive, tried in order.",
            "your configuration, else the host's own apt sources", "`http` or `https` URLs, at most 16",
            "mirror: http://mirror.example/debian")
            { InConfig = true },
        new("security-mirror", s_url,
            "The archive of security updates.",
            "your configuration, else the host's own apt sources, else `debian-security` beside the mirror", "an `http` or `https` URL",
            "security-mirror: http://mirror.example/debian-security")
            { InConfig = true },
        new("hostname", new TextType("a host name", ValueChecks.HostLabel, "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"),
            "The host name, without a domain.", "the file's name without extension",
            "1 to 63 lower-case letters, digits and inner hyphens", "hostname: web"),
        new("packages", new ListType(new TextType("package names", PackageWish.Problem, "^(task:|-)?[a-z0-9][a-z0-9+.-]*([/=].+)?$"), MaxPackages),
            "Packages to install on top of the standard system, with what they need. `task:ssh-server` is a task, `-nano` removes a package, "
            + "`nginx/trixie-backports` takes it from a suite, `nginx=1.26.3-3` in a version. Order does not matter.", "none",
            "Debian package names, at most 1000", "packages: [nginx, curl, -nano]"),
        .. Software(),
        .. Disk(),
        .. Network(),
        new("memory", new SizeType(512 * MiB, 1L << 40), "The memory of the machine.", "1GiB", "512MiB to 1TiB, whole MiB",
            "memory: 2GiB")
            { InConfig = true },
        new("cpus", new CountType(1, 64), "The number of virtual CPUs.",
            "1 (without KVM a second one slows the guest down)", "1 to 64", "cpus: 2")
            { InConfig = true },
        new("hypervisor", TextType.OneOf([HypervisorChoice.Auto, .. HypervisorCatalog.Names]),
            "What runs the installer. `auto` takes the fastest that can do all that a build can use; what is installed boots on all of them.", HypervisorChoice.Auto,
            string.Join(", ", HypervisorCatalog.Names.Prepend(HypervisorChoice.Auto).Select(name => $"`{name}`")), "hypervisor: uml")
            { InConfig = true },
        new("locale", new TextType("a locale", ValueChecks.Locale, @"^(C|[a-z]{2,3}_[A-Z]{2})\.UTF-8(@[a-z]+)?$"),
            "The locale. `C.UTF-8` is always there and takes no time to generate.", DefaultLocale,
            "a UTF-8 locale, such as `de_DE.UTF-8`", "locale: en_GB.UTF-8")
            { InConfig = true },
        new("timezone", new TextType("a time zone", ValueChecks.TimeZone, "^[A-Za-z0-9_+/-]+$"),
            "The time zone, as the tz database names it.", DefaultTimeZone, "a name such as `Europe/Berlin`", "timezone: Europe/Berlin")
            { InConfig = true },
        new("keyboard", new TextType("a keyboard layout", ValueChecks.Keyboard, "^[a-z]{2,12}$"),
            "The keyboard layout, as XKB names it.", DefaultKeyboard, "2 to 12 lower-case letters", "keyboard: de")
            { InConfig = true },
        new("user", new GroupType(
            [
                new("user.name", new TextType("a login name", ValueChecks.UserName, "^[a-z_][a-z0-9_-]{0,31}$"),
                    "The login name.", "required", "1 to 32 lower-case letters, digits, `_` and `-`; no system account", "name: alice"),
                new("user.password", new TextType("a password", ValueChecks.PasswordOrReference),
                    "The password, or where it is: `env:NAME`, `file:PATH` below the spec's folder, or `prompt:` to be asked. It is hashed at once and stands nowhere but there.",
                    "none", "1 to 500 characters on one line",
                    "password: \"correct horse\"")
                    { Secret = true },
                new("user.password-hash", new TextType("a password hash", ValueChecks.PasswordHash),
                    "The password as `mkpasswd` prints it, instead of `password`.", "none", "`crypt(3)` text starting with `$6$`, `$y$`, `$5$`, `$2b$` or `$7$`",
                    "password-hash: \"$6$salt$…\"")
                    { Secret = true },
                new("user.ssh-keys", s_keys,
                    "Public keys that may log in over ssh: themselves, `file:PATH` below the spec's folder, or `agent` for those of your ssh-agent. "
                    + "With keys, `openssh-server` is installed too.",
                    "your own public keys, if neither a password nor its hash is given", "lines as in `~/.ssh/id_ed25519.pub`, `file:PATH`, `agent`",
                    "ssh-keys: [ssh-ed25519 AAAA… alice]"),
            ], "name"),
            "An ordinary user, who may use `sudo` unless root has a password. `user: alice` is short for the name alone.", "none", "", "user: {name: alice, password: secret}"),
        new("root", new GroupType(
            [
                new("root.password", new TextType("a password", ValueChecks.PasswordOrReference),
                    "The superuser's password, or where it is, as for the user; hashed at once.", "none", "1 to 500 characters on one line", "password: \"correct horse\"")
                    { Secret = true },
                new("root.password-hash", new TextType("a password hash", ValueChecks.PasswordHash),
                    "The superuser's password as `mkpasswd` prints it.", "none", "as for the user", "password-hash: \"$6$salt$…\"")
                    { Secret = true },
                new("root.locked", new FlagType(),
                    "Whether nobody can log in as root.", "true, unless a password is given", "`true` or `false`", "locked: true"),
            ], "locked", "locked"),
            "The superuser's account. `root: locked` says what is the default anyway.", "locked", "", "root: {password-hash: \"$6$salt$…\"}"),
        .. People(),
        .. Steps(),
        .. Preseed(),
        .. Ubuntu(),
        .. Composition(),
    ];

    /// <summary>The keys of the user's configuration file.</summary>
    public static IReadOnlyList<SpecKey> Config { get; } = [.. All.Where(key => key.InConfig)];
}

namespace Virtigo.Installers.Debian;

/// <summary>An answer that a user gives to the installer in its own words.</summary>
/// <param name="Owner">The package that the question belongs to; <c>d-i</c> for the installer itself.</param>
/// <param name="Question">The question's debconf name.</param>
/// <param name="Type">The question's debconf type, or <c>seen</c>.</param>
/// <param name="Value">The answer; one line.</param>
/// <param name="Digest">Stands for the value where it is compared or kept: the value itself, or a keyed hash of a secret one.</param>
/// <param name="Place">Where it is written, for messages.</param>
internal sealed record FragmentAnswer(string Owner, string Question, string Type, string Value, string Digest, string Place)
{
    /// <summary>Whether the value must not be shown.</summary>
    public bool Secret => IsSecret(Question, Type);

    /// <summary>Whether the installer needs it only at its end, when the appliance's way has parted from others'.</summary>
    public bool IsLate => Question == "preseed/late_command";

    /// <summary>Whether an answer must not be shown.</summary>
    public static bool IsSecret(string question, string type) => type == "password"
        || ((string[])["password", "passphrase", "wpa", "wep", "secret"]).Any(word => question.Contains(word, StringComparison.OrdinalIgnoreCase));

    /// <summary>The answer as the installer is given it.</summary>
    public Answer ToAnswer() => new(Owner, Question, Type, Value, $"In the installer's own words ({Place}).", Secret) { Digest = Digest };

    /// <summary>The answer without a secret value.</summary>
    public override string ToString() => $"{Owner} {Question} {Type} {(Secret ? "***" : Value)}".TrimEnd();
}

/// <summary>What answers in the installer's own words may not be about.</summary>
internal static class FragmentRules
{
    /// <summary>Questions that a key of the spec stands for: those of this name, or those that begin so when it ends in a star.</summary>
    private static readonly (string Question, string Key)[] s_keys =
    [
        ("netcfg/get_hostname", "hostname"), ("netcfg/hostname", "hostname"), ("netcfg/get_domain", "network.domain"),
        ("netcfg/get_ipaddress", "network.interfaces"), ("netcfg/get_netmask", "network.interfaces"), ("netcfg/get_gateway", "network.interfaces"),
        ("netcfg/get_nameservers", "network.dns"), ("netcfg/disable_dhcp", "network.interfaces"), ("netcfg/disable_autoconfig", "network.interfaces"),
        ("debian-installer/locale", "locale"), ("localechooser/*", "locale"),
        ("keyboard-configuration/xkb-keymap", "keyboard"), ("keyboard-configuration/layoutcode", "keyboard"),
        ("time/zone", "timezone"), ("tzdata/*", "timezone"),
        ("mirror/suite", "release"), ("mirror/*", "mirror"), ("apt-setup/security_host", "security-mirror"), ("apt-setup/security_path", "security-mirror"),
        ("apt-setup/local*", "repositories"), ("apt-setup/backports", "backports"),
        ("passwd/root*", "root"), ("passwd/make-user", "user"), ("passwd/user*", "user"),
        ("partman-auto*", "disk"), ("partman-lvm/*", "disk"), ("partman-md/*", "disk"), ("partman-crypto/*", "disk"), ("partman/choose_partition", "disk"),
        ("partman/confirm*", "disk"), ("partman-partitioning/*", "disk"), ("partman-efi/*", "firmware"), ("grub-installer/force-efi-extra-removable", "firmware"),
        ("base-installer/install-recommends", "recommends"), ("base-installer/includes", "packages"),
        ("pkgsel/include", "packages"), ("pkgsel/run_tasksel", "packages"), ("tasksel/*", "packages"), ("pkgsel/update-policy", "updates"),
    ];

    /// <summary>Questions whose answers the build relies on, in the same form, each with what it relies on.</summary>
    private static readonly (string Question, string Reason)[] s_relied =
    [
        ("debian-installer/exit/*", "the machine switches itself off, by which the end of the install is known"),
        ("finish-install/reboot_in_progress", "nobody confirms the end of the install"),
        ("debian-installer/language", "the installer speaks English, which is what Virtigo reads"),
        ("debian-installer/country", "the installer speaks English, which is what Virtigo reads"),
        ("debian-installer/allow_unauthenticated*", "everything that is installed was verified"),
        ("debian-installer/framebuffer", "the installer is read on its serial console"),
        ("debconf/*", "no question is asked, and none passed over"),
        ("netcfg/*", "the install has Virtigo's own network"),
        ("apt-setup/services-select", "the installed system gets its security updates"),
        ("apt-setup/cdrom/*", "packages come from the archive alone"),
        ("grub-installer/bootdev", "the boot loader is on the disk that is kept"),
        ("preseed/include*", "nothing is fetched that was not checked"), ("preseed/run", "nothing is fetched that was not checked"),
        ("preseed/url", "nothing is fetched that was not checked"), ("preseed/file", "all answers are in one place"),
        ("preseed/interactive", "no question is asked"), ("auto-install/*", "no question is asked"),
        ("anna/*", "the installer has the components that the disk needs"), ("network-console/*", "nobody logs in while the system is installed"),
        ("rescue/*", "a system is installed"), ("hw-detect/load_firmware", "there is no medium with firmware"),
    ];

    /// <summary>The key that stands for a question, or null.</summary>
    public static string? KeyOf(string question) => Array.Find(s_keys, one => Matches(question, one.Question)).Key;

    /// <summary>What the build relies on the answer for, or null.</summary>
    public static string? ReliedFor(string question) => Array.Find(s_relied, one => Matches(question, one.Question)).Reason;

    /// <summary>The answers with a user's own among them: those take the places of others to the same questions.</summary>
    public static IReadOnlyList<Answer> Merge(IEnumerable<Answer> answers, IEnumerable<FragmentAnswer> own)
    {
        FragmentAnswer[] given = [.. own];
        return
        [
            .. answers.Where(answer => !given.Any(one => one.Question == answer.Question && one.Type != "seen")),
            .. given.Select(one => one.ToAnswer()),
        ];
    }

    private static bool Matches(string question, string pattern) =>
        pattern.EndsWith('*') ? question.StartsWith(pattern[..^1], StringComparison.Ordinal) : question == pattern;
}

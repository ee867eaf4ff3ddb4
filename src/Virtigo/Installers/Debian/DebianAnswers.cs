using System.Text.RegularExpressions;
using Virtigo.Hypervisors;

namespace Virtigo.Installers.Debian;

/// <summary>
/// The answers that make debian-installer install a plan without asking. Only what differs from the installer's own default, or must be
/// fixed whatever the default becomes, is answered: each answer costs the guest a dozen processes. They come in two parts: the installer
/// starts with those that many appliances share, and is given an appliance's own once its way parts from theirs (<see cref="InstallHooks"/>).
/// </summary>
internal static partial class DebianAnswers
{
    private const string Installer = "d-i";
    private const string SecurityPath = "/debian-security";

    /// <summary>The host name until the appliance's own is known: the installer's own default.</summary>
    public const string FirstHostname = "debian";

    private const string FirstTimeZone = "Etc/UTC";

    /// <summary>The answers that the installer starts with, each with its reason, in the installer's order.</summary>
    /// <param name="plan">What is to be installed.</param>
    /// <exception cref="VirtigoException">A value cannot be told to the installer (<see cref="FailureKind.Usage"/>).</exception>
    public static IReadOnlyList<Answer> Shared(DebianChoices plan) => FragmentRules.Merge(
    [
        .. Language(plan),
        .. Network(plan),
        .. Mirror(plan),
        .. FirstAccounts(),
        .. Clock(),
        .. plan.Machine.Answers,
        .. plan.Disk.Answers(plan.Machine.Disk),
        .. BaseSystem(plan),
        .. Repositories(plan),
        .. Software(),
        .. BootLoader(plan),
        .. Ending(),
    ], plan.Fragment.Where(answer => !answer.IsLate));

    /// <summary>The answers that the installer is given when the base system is complete and up to date, each with its reason.</summary>
    /// <inheritdoc cref="Shared"/>
    public static IReadOnlyList<Answer> Own(DebianChoices plan) => FragmentRules.Merge(
    [
        Text("netcfg/get_hostname", plan.Hostname.Value, $"The host name ({plan.Hostname.Origin})."),
        .. Accounts(plan),
        Select("time/zone", plan.TimeZone.Value, $"The time zone ({plan.TimeZone.Origin})."),
        .. Packages(plan),
    ], plan.Fragment.Where(answer => answer.IsLate));

    private static Answer[] Language(DebianChoices plan) =>
    [
        Text("debian-installer/language", "en",
            "The installer's own messages are read by Virtigo, in English. The locale alone would make it ask for a continent."),
        Text("debian-installer/country", "US", "Goes with the language; mirror and time zone are answered on their own."),
        Select("debian-installer/locale", plan.Locale.Value, $"The installed system's locale ({plan.Locale.Origin})."),
        Select("keyboard-configuration/xkb-keymap", plan.Keyboard.Value, $"The keyboard ({plan.Keyboard.Origin})."),
    ];

    private static Answer[] Network(DebianChoices plan) =>
    [
        Text("hw-detect/firmware-lookup", "never",
            "Virtual devices and CPUs need no firmware; else the processor's microcode is installed, and the initramfs built once more for it."),
        Select("netcfg/choose_interface", "auto", "The guest has one network card."),
        Text("netcfg/get_hostname", FirstHostname, "The appliance's own name comes later."),
        Text("netcfg/hostname", FirstHostname, "The same, so that a name from DHCP or DNS does not take its place."),
        Text("netcfg/get_domain", plan.Domain.Value, $"The domain ({plan.Domain.Origin})."),
    ];

    private static Answer[] Mirror(DebianChoices plan)
    {
        Uri mirror = Web(plan.Mirror, "mirror");
        string directory = mirror.AbsolutePath.TrimEnd('/');
        return
        [
            Text("mirror/country", "manual", "The mirror is given, not chosen from a list."),
            Select("mirror/protocol", "http",
                "During the install the guest reaches Virtigo's proxy only, which speaks HTTP; what it serves is signed by the archive."),
            Text("mirror/http/hostname", mirror.Authority, $"The archive ({plan.Mirror.Origin})."),
            Text("mirror/http/directory", directory.Length == 0 ? "/" : directory, "The archive's path on that host."),
            Text("mirror/http/proxy", "", "No proxy setting is to stay behind in the installed system."),
            Select("mirror/suite", plan.Release.Value, $"The release, by its codename so that it stays itself ({plan.Release.Origin})."),
        ];
    }

    private static Answer[] Clock() =>
    [
        Boolean("clock-setup/utc", true, "The virtual machine's hardware clock is in UTC."),
        Select("time/zone", FirstTimeZone, "The appliance's own comes later."),
        Boolean("clock-setup/ntp", false, "The guest reaches no time server; its clock is the host's."),
    ];

    private static IEnumerable<Answer> BaseSystem(DebianChoices plan)
    {
        if (plan.EarlyPackages.Count > 0)
        {
            yield return Text("base-installer/includes", string.Join(' ', plan.EarlyPackages.Select(PackageName)),
                "What later steps would install one by one comes with the base system, which saves a dozen runs of the package manager "
                + "and another initial file system.");
        }

        yield return Boolean("base-installer/install-recommends", false, "An appliance has the packages asked for and what they need, no more.");
    }

    private static Answer[] Repositories(DebianChoices plan) =>
    [
        Multiselect("apt-setup/services-select", "security, updates", "The installed system gets security and stable updates."),
        Text("apt-setup/security_host", SecurityHost(plan.SecurityMirror), $"Where security updates come from ({plan.SecurityMirror.Origin})."),
        Boolean("apt-setup/enable-source-repositories", false, "An appliance builds nothing from source; it saves the download of source indices."),
    ];

    private static Answer[] Software() =>
    [
        Boolean("pkgsel/run_tasksel", false, "Nothing but the packages asked for: no standard system, no desktop."),
        Select("pkgsel/upgrade", "safe-upgrade",
            "The base system comes from the last point release: this brings in the security updates published since, kernel included, "
            + "and removes nothing."),
        Select("pkgsel/update-policy", "none",
            "No package is added to update the appliance behind its owner's back; a new image brings new packages."),
        new("popularity-contest", "popularity-contest/participate", "boolean", "false",
            "Reports nothing about the packages in use; the installer then removes the reporter."),
    ];

    private static IEnumerable<Answer> Packages(DebianChoices plan)
    {
        const string sudo = "sudo";
        bool needsSudo = plan.User.Value is not null && plan.RootPasswordHash.Value is null && !plan.Packages.Value.Contains(sudo);
        string[] wanted =
        [
            .. plan.Packages.Value.Select(PackageName),
            .. needsSudo ? [sudo] : Array.Empty<string>(),
            .. plan.Disk.Firmware == FirmwareKind.Uefi ? ["grub-efi-amd64-signed"] : Array.Empty<string>(),
        ];
        if (wanted.Length > 0)
        {
            yield return Text("pkgsel/include", string.Join(' ', wanted),
                $"The packages ({plan.Packages.Origin})"
                + (needsSudo ? $"; {sudo}, which the installer would add in a run of its own" : "")
                + (plan.Disk.Firmware == FirmwareKind.Uefi ? "; the boot loader that Secure Boot trusts, which is only recommended" : "") + ".");
        }
    }

    private static Answer[] BootLoader(DebianChoices plan) => !plan.Machine.HasFirmware ? [] :
    [
        Boolean("grub-installer/only_debian", true, "There is no other system on the disk."),
        Boolean("grub-installer/with_other_os", false, "There is no other system on the disk."),
        Boolean("grub-installer/enable_os_prober_otheros_no", false, "The boot menu is not to search for other systems."),
        plan.Disk.Firmware == FirmwareKind.Uefi
            ? Boolean("grub-installer/force-efi-extra-removable", true, "Where firmware looks that knows nothing of this disk: the image boots on any machine.")
            : Text("grub-installer/bootdev", plan.Machine.Disk, "The only disk, its master boot record."),
    ];

    private static Answer[] Ending() =>
    [
        Boolean("finish-install/keep-consoles", true, "The screen stays usable beside the serial console."),
        new(Installer, "finish-install/reboot_in_progress", "note", "", "Does not wait for somebody to remove a disc."),
        Boolean("debian-installer/exit/poweroff", true, "Power-off, not reboot, tells Virtigo that the install is complete."),
    ];

    private static string SecurityHost(Sourced<Uri> source)
    {
        Uri mirror = Web(source, "security mirror");
        string path = mirror.AbsolutePath.TrimEnd('/');
        if (!path.EndsWith(SecurityPath, StringComparison.Ordinal))
        {
            throw new VirtigoException(FailureKind.Usage,
                $"The security mirror {mirror} (from {source.Origin}) does not end in {SecurityPath}, which debian-installer appends itself.",
                $"Give a security mirror such as http://mirror.example{SecurityPath}.");
        }

        return mirror.Authority + path[..^SecurityPath.Length];
    }

    private static Uri Web(Sourced<Uri> source, string what)
    {
        Uri uri = source.Value;
        if (uri.Scheme is not ("http" or "https") || uri.UserInfo.Length > 0 || uri.Query.Length > 0 || uri.Fragment.Length > 0)
        {
            throw new VirtigoException(FailureKind.Usage,
                $"The {what} {uri.Scheme}://{uri.Authority}{uri.AbsolutePath} (from {source.Origin}) is not a plain http or https address.",
                $"Give a {what} such as http://mirror.example/debian, without user name, password or query.");
        }

        return uri;
    }

    private static string PackageName(string name) => PackagePattern().IsMatch(name)
        ? name
        : throw new VirtigoException(FailureKind.Usage, $"\"{name}\" cannot be the name of a Debian package.",
            "A name has lower-case letters, digits, '+', '-' and '.'; '=version', '/suite' or ':architecture' may follow.");

    private static Answer Text(string question, string value, string reason) => new(Installer, question, "string", value, reason);

    private static Answer Select(string question, string value, string reason) => new(Installer, question, "select", value, reason);

    private static Answer Multiselect(string question, string value, string reason) => new(Installer, question, "multiselect", value, reason);

    private static Answer Boolean(string question, bool value, string reason) =>
        new(Installer, question, "boolean", value ? "true" : "false", reason);

    [GeneratedRegex(@"\A[a-z0-9][a-z0-9+.\-]+(:[a-z0-9\-]+)?(=[A-Za-z0-9.+:~\-]+|/[a-z0-9\-]+)?\z", RegexOptions.CultureInvariant)]
    private static partial Regex PackagePattern();
}

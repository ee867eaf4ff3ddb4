using System.Globalization;
using Virtigo.Installers.Debian;

namespace Virtigo.Installers.Ubuntu;

/// <summary>Everything of a plan that Ubuntu's installer has to be told.</summary>
/// <param name="Plan">What every distribution's installer is told.</param>
internal sealed record UbuntuChoices(DebianChoices Plan)
{
    /// <summary>What the spec says to the installer itself; null when it says nothing.</summary>
    public AutoinstallMap? Own { get; init; }

    /// <summary>The layout of the disk, where it comes from.</summary>
    public string DiskOrigin { get; init; } = "";

    /// <summary>Whether the spec says something about the layout of the disk.</summary>
    public bool DiskAsked { get; init; }
}

/// <summary>The answers that make Ubuntu's installer install a plan without asking.</summary>
internal static class UbuntuAnswers
{
    /// <summary>The disk as the installer sees it: the first virtio disk.</summary>
    public const string Disk = "/dev/vda";

    /// <summary>Where the installer's reports go: the gateway of its network, on a port that is no archive's.</summary>
    public const int ReportPort = 8377;

    /// <summary>The address of the gateway that every guest finds.</summary>
    public const string Gateway = "10.0.2.2";

    /// <summary>What runs the last steps: a script of the volume with the answers.</summary>
    public const string LateCommand = "mkdir -p /run/virtigo && mount -o ro LABEL=cidata /run/virtigo && sh /run/virtigo/virtigo/late";

    /// <summary>What tells the end of the installer's log, and that it failed.</summary>
    public const string ErrorCommand = "{ tail -n 60 /var/log/installer/curtin-install.log; tail -n 60 /var/log/installer/subiquity-server-debug.log; "
        + "echo; echo '" + UbuntuSeed.Failed + "'; } >/dev/ttyS1 2>&1";

    // A password that no input matches.
    private const string NoPassword = "*";

    /// <summary>The answers: what follows from the spec, put together with what it says to the installer itself.</summary>
    /// <param name="choices">What is to be installed.</param>
    /// <exception cref="VirtigoException"><see cref="FailureKind.Usage"/>: everything that contradicts, or that the installer would not accept.</exception>
    public static AutoinstallMap Of(UbuntuChoices choices)
    {
        var findings = new List<AutoinstallFinding>();
        AutoinstallMap answers = Generated(choices);
        if (choices.Own is { } own)
        {
            findings.AddRange(AutoinstallSchema.Check(own, whole: false));
            answers = AutoinstallMerge.Merge(answers, own, findings);
        }

        if (findings.Count == 0)
        {
            findings.AddRange(AutoinstallSchema.Check(answers, whole: true));
        }

        return findings.Count == 0 ? answers
            : throw new VirtigoException(FailureKind.Usage, string.Join('\n', findings.Take(20)),
                "The keys are those of Ubuntu's autoinstall reference; what the rest of the spec decides is shown by: virtigo build SPEC --print-answers");
    }

    private static AutoinstallMap Generated(UbuntuChoices choices)
    {
        DebianChoices plan = choices.Plan;
        return new AutoinstallMap(
        [
            new("version", new AutoinstallNumber(1), "The only version there is."),
            .. Language(plan),
            Network(),
            Apt(plan),
            new("storage", UbuntuDisk.Storage(plan.Disk, Disk), "The disk's layout.", choices.DiskOrigin) { GivesWay = !choices.DiskAsked },
            Account(plan),
            Ssh(plan),
            .. Software(plan),
            new("reporting", AutoinstallMap.Of(("virtigo", AutoinstallMap.Of(
                ("type", Text("webhook")), ("endpoint", Text(string.Create(CultureInfo.InvariantCulture, $"http://{Gateway}:{ReportPort}/"))), ("level", Text("DEBUG"))))),
                "Virtigo follows what the installer reports; nothing else is behind this address."),
            new("late-commands", AutoinstallList.Of(LateCommand), "What is done in the installed system beside the installer's own steps."),
            new("error-commands", AutoinstallList.Of(ErrorCommand), "Why it failed, for the report."),
            new("shutdown", Text("poweroff"), "Power-off, not reboot, tells Virtigo that the install is complete."),
        ]);
    }

    private static IEnumerable<AutoinstallEntry> Language(DebianChoices plan) =>
    [
        new("locale", Text(plan.Locale.Value), $"The installed system's locale ({plan.Locale.Origin}).", plan.Locale.Origin),
        new("keyboard", AutoinstallMap.Of(("layout", Text(plan.Keyboard.Value))), $"The keyboard ({plan.Keyboard.Origin}).", plan.Keyboard.Origin),
        new("timezone", Text(plan.TimeZone.Value), $"The time zone ({plan.TimeZone.Origin}).", plan.TimeZone.Origin),
    ];

    // By the beginning of its name, so that the image finds its network card in another machine, too.
    private static AutoinstallEntry Network() => new("network",
        AutoinstallMap.Of(("version", new AutoinstallNumber(2)), ("ethernets", AutoinstallMap.Of(("all", AutoinstallMap.Of(
            ("match", AutoinstallMap.Of(("name", Text("e*")))), ("dhcp4", new AutoinstallFlag(true))))))),
        "Every network card asks for an address, whatever machine the image is started in.") { GivesWay = true };

    private static AutoinstallEntry Apt(DebianChoices plan)
    {
        var entries = new List<AutoinstallEntry>
        {
            new("mirror-selection", AutoinstallMap.Of(("primary", new AutoinstallList([AutoinstallMap.Of(("uri", Text(plan.Mirror.Value.AbsoluteUri)))]))),
                $"The archive ({plan.Mirror.Origin}).", plan.Mirror.Origin),
            new("security", new AutoinstallList([AutoinstallMap.Of(("arches", AutoinstallList.Of("default")), ("uri", Text(plan.SecurityMirror.Value.AbsoluteUri)))]),
                $"Where security updates come from ({plan.SecurityMirror.Origin}).", plan.SecurityMirror.Origin),
            new("fallback", Text("abort"), "An archive that cannot be used is an error, not a reason to leave packages out."),
            new("geoip", new AutoinstallFlag(false), "The archive is given, not guessed from where this is."),
        };
        if (plan.Target.Pins.Count > 0)
        {
            entries.Add(new("preferences", new AutoinstallList([.. plan.Target.Pins.Select(pin => AutoinstallMap.Of(
                ("package", Text(string.Join(' ', pin.Packages))), ("pin", Text(pin.Pin)), ("pin-priority", new AutoinstallNumber(pin.Priority))))]),
                "The versions that apt prefers."));
        }

        return new("apt", new AutoinstallMap(entries));
    }

    private static AutoinstallEntry Account(DebianChoices plan)
    {
        string hostname = plan.Hostname.Value;
        return plan.User.Value is { } user
            ? new("identity", new AutoinstallMap(
            [
                new("hostname", Text(hostname), $"The host name ({plan.Hostname.Origin}).", plan.Hostname.Origin),
                new("realname", Text(user.FullName.Length > 0 ? user.FullName : user.Name)),
                new("username", Text(user.Name)),
                new("password", new AutoinstallText(user.PasswordHash ?? NoPassword, Secret: user.PasswordHash is not null),
                    user.PasswordHash is null ? "The user logs in with a key: no password matches this." : "The hash of the user's password."),
            ]), $"The first user ({plan.User.Origin}).", plan.User.Origin)
            : new("user-data", new AutoinstallMap(
            [
                new("hostname", Text(hostname), $"The host name ({plan.Hostname.Origin}).", plan.Hostname.Origin),
                new("users", new AutoinstallList([])),
            ]), $"No user is asked for ({plan.User.Origin}).", plan.User.Origin);
    }

    private static AutoinstallEntry Ssh(DebianChoices plan)
    {
        IReadOnlyList<string> keys = plan.User.Value?.SshKeys ?? [];
        bool server = plan.Packages.Value.Contains("openssh-server");
        return new("ssh", new AutoinstallMap(
        [
            new("install-server", new AutoinstallFlag(server), server ? $"openssh-server ({plan.Packages.Origin})." : "Nobody asked for it."),
            .. keys.Count == 0 ? Array.Empty<AutoinstallEntry>() : [new("authorized-keys", AutoinstallList.Of(keys.Select(key => key.Trim())), $"The user's keys ({plan.User.Origin}).")],
            .. server ? [new AutoinstallEntry("allow-pw", new AutoinstallFlag(plan.User.Value?.PasswordHash is not null || plan.RootPasswordHash.Value is not null || plan.Target.Users.Any(user => user.PasswordHash is not null)))] : Array.Empty<AutoinstallEntry>(),
        ]), Place: plan.User.Origin);
    }

    private static IEnumerable<AutoinstallEntry> Software(DebianChoices plan)
    {
        if (plan.Target.Debconf.Count > 0)
        {
            yield return new("debconf-selections",
                Text(string.Concat(plan.Target.Debconf.Select(answer => $"{answer.Package} {answer.Question} {answer.Type} {answer.Value}".TrimEnd(' ') + "\n"))),
                "Answers to questions of packages.");
        }

        yield return new("packages", AutoinstallList.Of([.. plan.Packages.Value.Where(package => package != "openssh-server").Append("qemu-guest-agent").Distinct()]),
            $"The packages ({plan.Packages.Origin}); qemu-guest-agent, by which Virtigo talks to the machine.", plan.Packages.Origin);
        yield return new("updates", Text("security"), "Security updates published since the medium was made.") { GivesWay = true };
    }

    private static AutoinstallText Text(string text) => new(text);
}

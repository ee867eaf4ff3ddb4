using Virtigo.Installers.Ubuntu;

namespace Virtigo.Appliances;

/// <summary>Decides what is Ubuntu's own in a plan, and refuses what its installer cannot be told yet: nothing that is written is left out.</summary>
internal static class UbuntuPlanner
{
    /// <summary>The name of the distribution.</summary>
    public const string Distribution = "ubuntu";

    /// <summary>The keys of a spec that its installer is told, or that are Virtigo's own.</summary>
    private static readonly HashSet<string> s_known =
    [
        "distro", "release", "arch", "medium", "autoinstall", "mirror", "security-mirror", "hostname", "packages", "recommends", "debconf", "pins", "updates",
        "disk", "firmware", "memory", "cpus", "hypervisor", "locale", "timezone", "keyboard", "user", "root", "groups", "users", "files", "units", "profile", "run", "first-boot", "include", "variables", "matrix",
    ];

    /// <summary>Refuses a spec of another distribution that says what only Ubuntu's installer understands.</summary>
    public static void RefuseElsewhere(ApplianceSpec spec)
    {
        if ((spec.Medium ?? (object?)spec.Autoinstall) is not null)
        {
            (string key, Origin origin) = spec.Medium is { } medium ? ("medium", medium.Origin) : ("autoinstall", spec.Autoinstall!.Origin);
            throw new VirtigoException(FailureKind.Usage, $"{origin}: {key} is only for Ubuntu, and the distribution is {spec.Distribution?.Value ?? "debian"}.", "Say so: distro: ubuntu");
        }
    }

    /// <summary>Refuses what the installer cannot be told.</summary>
    /// <exception cref="VirtigoException"><see cref="FailureKind.Usage"/>: everything of the spec that it is, each with its place.</exception>
    public static void Refuse(ApplianceSpec spec)
    {
        if (spec.Lock is { } locked)
        {
            throw new VirtigoException(FailureKind.Usage, $"{locked.Origin}: appliances of Ubuntu cannot be locked yet.", "Remove the lock, or build without it: --unlocked.");
        }

        if (spec.Values is not { } values)
        {
            return;
        }

        var problems = new SpecProblems(values.File);
        foreach (SpecKey key in SpecKeys.All.Where(key => values.Place(key.Path) is not null))
        {
            if ((s_known.Contains(key.Path) ? Why(key.Path, values) : "is not translated for Ubuntu's installer yet") is { } why)
            {
                problems.Add(values.Place(key.Path)!, $"{key.Path} {why}");
            }
        }

        if (values.Place("disk.disks") is { } further)
        {
            problems.Add(further, "disk.disks is not translated for Ubuntu's installer yet: keep everything on the first disk");
        }

        foreach (string package in values.Texts("packages").Where(package => package.StartsWith('-') || package.StartsWith("task:", StringComparison.Ordinal)))
        {
            problems.Add(values.Place("packages")!, $"packages: {SpecProblems.Quote(package)} {(package[0] == '-' ? "removes a package, which" : "is a task of Debian's, which")} Ubuntu's installer cannot be told; "
                + (package[0] == '-' ? "do it in a run step" : "name its packages"));
        }

        problems.ThrowIfAny("What Ubuntu's installer can be told, and what it cannot, is in docs/tasks/ubuntu.md.");
    }

    private static string? Why(string key, SettingValues values) => key switch
    {
        "recommends" when !values.Get<bool>("recommends")!.Value => "cannot be false: Ubuntu's installer brings what packages recommend",
        "updates" when values.Text("updates") == "manual" => "cannot be manual: Ubuntu's server installs security updates by itself",
        "debconf" when values.Get<IReadOnlyList<DebconfWish>>("debconf")?.Value.Any(wish => wish.Type == "password") == true =>
            "cannot have passwords: Ubuntu's installer keeps its answers in the installed system's logs",
        _ => null,
    };

    /// <summary>The release: one of those the answers are written for.</summary>
    public static Setting<string> Release(ApplianceSpec spec) =>
        spec.Release is not { } wanted ? new(UbuntuReleases.Default, new Origin(OriginKind.Default, $"Ubuntu {UbuntuReleases.Find(UbuntuReleases.Default)!.Version}"))
            : UbuntuReleases.Find(wanted.Value) is not null ? wanted
            : throw new VirtigoException(FailureKind.Usage,
                $"{wanted.Origin}: release: {SpecProblems.Quote(wanted.Value)} is no release of Ubuntu's that can be installed{SpecProblems.Suggest(wanted.Value, UbuntuReleases.All.Select(release => release.Codename))}.",
                $"They are {string.Join(" and ", UbuntuReleases.All.Select(release => $"{release.Codename} ({release.Version})"))}.");

    /// <summary>The archive, which only the spec can name: your configuration's, and this host's, are of Debian.</summary>
    public static MirrorChoice Mirrors(ApplianceSpec spec)
    {
        Setting<IReadOnlyList<Uri>> mirrors = spec.Mirrors ?? throw new VirtigoException(FailureKind.Usage,
            $"{spec.Distribution!.Origin}: no archive of Ubuntu is known: the spec names none.", "Name one in the spec, as in: mirror: http://mirror.example/ubuntu");
        return new MirrorChoice(mirrors, spec.SecurityMirror ?? new(mirrors.Value[0], new Origin(OriginKind.Derived, "the mirror, which has security updates, too")));
    }

    /// <summary>The medium: a path on this host, or an address.</summary>
    /// <exception cref="VirtigoException"><see cref="FailureKind.Usage"/>: there is none, or the spec names a file that is not in its folder.</exception>
    public static Setting<string> Medium(ApplianceSpec spec, UserConfig config, SpecFolder folder)
    {
        Setting<string> medium = spec.Medium ?? config.Get<string>("medium") ?? throw new VirtigoException(FailureKind.Usage,
            $"{spec.Distribution!.Origin}: Ubuntu is installed from its live-server ISO image, and neither the spec nor your configuration names one.",
            "Give it with --medium PATH-OR-URL, or in the spec, as in: medium: ubuntu-24.04.3-live-server-amd64.iso");
        if (ValueChecks.IsAddress(medium.Value))
        {
            return medium;
        }

        if (medium.Origin.Kind == OriginKind.Spec)
        {
            return medium with { Value = folder.Locate(medium.Value, spec.Values!.At("medium")) };
        }

        string path = Path.GetFullPath(medium.Value);
        return File.Exists(path) ? medium with { Value = path }
            : throw new VirtigoException(FailureKind.Usage, $"{medium.Origin}: the medium {path} does not exist.", "Give the path of the live-server ISO image.");
    }
}

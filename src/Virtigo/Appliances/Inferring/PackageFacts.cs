using Virtigo.Archives;

namespace Virtigo.Appliances;

/// <summary>A file of a package's that is a setting, with the MD5 that the package gives it.</summary>
internal sealed record Conffile(string Path, string Md5);

/// <summary>What dpkg and apt know of a machine's packages.</summary>
internal sealed class PackageFacts
{
    private const int MostBytes = 64 << 20;

    /// <summary>What every install has, whoever asks for it: the kernel, the boot loader, and what the installer adds by itself.</summary>
    private static readonly string[] s_ofTheInstaller =
    [
        "busybox", "cryptsetup-initramfs", "dmsetup", "efibootmgr", "eject", "grub-*", "installation-report", "laptop-detect", "linux-image-*", "linux-headers-*", "lvm2", "mokutil",
        "openssl-provider-legacy", "os-prober", "qemu-guest-agent", "shared-mime-info", "shim-*", "xdg-user-dirs", "zstd", "console-setup*", "keyboard-configuration", "usb.ids",
        "discover*", "task-english", "tasksel*", "util-linux-locales", "dracut-install", "ca-certificates", "intel-microcode", "amd64-microcode", "popularity-contest", "firmware-*",
        "btrfs-progs", "xfsprogs", "gcc-*-base", "whiptail",
    ];

    private readonly Dictionary<string, ControlParagraph> _installed = new(StringComparer.Ordinal);
    private readonly HashSet<string> _automatic = new(StringComparer.Ordinal);
    private readonly SortedSet<string> _removed = new(StringComparer.Ordinal);

    private PackageFacts()
    {
    }

    /// <summary>Files that are settings, of all installed packages.</summary>
    public IEnumerable<Conffile> Conffiles => _installed.Values.SelectMany(package => package.Lines("Conffiles"))
        .Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries))
        .Where(words => words.Length == 2 && words[1].Length == 32)
        .Select(words => new Conffile(words[0], words[1]));

    /// <summary>Reads them.</summary>
    /// <exception cref="VirtigoException">There is no list of dpkg's that can be read (<see cref="FailureKind.Usage"/>).</exception>
    public static PackageFacts Read(IFileTree files)
    {
        byte[] status = files.Read("/var/lib/dpkg/status", MostBytes)
            ?? throw new VirtigoException(FailureKind.Usage, "The machine has no list of packages that can be read: /var/lib/dpkg/status.", "Only Debian machines can be described.");
        var facts = new PackageFacts();
        foreach (ControlParagraph package in ControlFile.Parse(new MemoryStream(status), "/var/lib/dpkg/status"))
        {
            if (package["Package"] is { } name && ValueChecks.Package(name) is null && package["Status"] is { } state && state.EndsWith(" installed", StringComparison.Ordinal))
            {
                facts._installed[name] = package;
            }
            else if (package["Package"] is { } gone && ValueChecks.Package(gone) is null && package["Status"] == "deinstall ok config-files" && IsBase(package))
            {
                facts._removed.Add(gone);
            }
        }

        foreach (ControlParagraph package in ControlFile.Parse(new MemoryStream(files.Read("/var/lib/apt/extended_states", MostBytes) ?? []), "/var/lib/apt/extended_states"))
        {
            if (package["Auto-Installed"] == "1" && package["Package"] is { } name)
            {
                facts._automatic.Add(name);
            }
        }

        return facts;
    }

    /// <summary>Whether a package is installed.</summary>
    public bool Has(string package) => _installed.ContainsKey(package);

    /// <summary>Packages of every install that were removed here, as far as they left their settings behind.</summary>
    public IReadOnlyCollection<string> Removed => _removed;

    /// <summary>The packages that somebody asked for, without those that every install has and those that another one brings, sorted.</summary>
    public IReadOnlyList<string> Wanted()
    {
        var needs = _installed.ToDictionary(one => one.Key, one => Needs(one.Value));
        var needed = new Dictionary<string, List<string>>(StringComparer.Ordinal);
        foreach ((string package, HashSet<string> own) in needs)
        {
            foreach (string other in own)
            {
                if (!needed.TryGetValue(other, out List<string>? by))
                {
                    needed[other] = by = [];
                }

                by.Add(package);
            }
        }

        return
        [
            .. _installed.Where(one => !_automatic.Contains(one.Key) && !IsBase(one.Value) && !s_ofTheInstaller.Any(pattern => Matches(one.Key, pattern)))
                .Select(one => one.Key)
                .Where(name => !(needed.GetValueOrDefault(name) ?? []).Any(by => by != name && !needs[name].Contains(by)))
                .Order(StringComparer.Ordinal),
        ];
    }

    private static bool Matches(string name, string pattern)
    {
        int star = pattern.IndexOf('*', StringComparison.Ordinal);
        return star < 0 ? name == pattern : name.StartsWith(pattern[..star], StringComparison.Ordinal) && name.EndsWith(pattern[(star + 1)..], StringComparison.Ordinal);
    }

    private static bool IsBase(ControlParagraph package) => package["Essential"] == "yes" || package["Priority"] is "required" or "important" or "standard"
        || package["Section"] is { } section && section.Split('/')[^1] is "libs" or "oldlibs";

    private static HashSet<string> Needs(ControlParagraph package) =>
        [.. ((package["Depends"] ?? "") + "," + (package["Pre-Depends"] ?? "")).Split([',', '|'])
            .Select(one => one.Trim().Split(' ')[0].Split(':')[0]).Where(name => name.Length > 0)];
}

using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace Virtigo.Host;

/// <summary>What other rooms know about the host; each delegate answers null when it does not know.</summary>
public sealed record DoctorKnowledge
{
    /// <summary>The archive mirror that a build would use, and where it was found.</summary>
    public Func<CancellationToken, Task<string?>>? Mirror { get; init; }

    /// <summary>What the accelerator probe found out by running a guest.</summary>
    public Func<CancellationToken, Task<HostFinding?>>? Accelerator { get; init; }
}

/// <summary>Looks at everything that a build needs from the host, and says how to mend what is missing.</summary>
public sealed partial class Doctor
{
    private const long MiB = 1024 * 1024;
    private const long CacheNeeds = 1024 * MiB;
    private const long DataNeeds = 4096 * MiB;
    private const long MemoryNeeds = 1536 * MiB;
    private const int LongestSocketPath = 107;
    private static readonly Version OldestQemu = new(7, 2);
    private static readonly string LongestSocketName = new('x', 32);
    private readonly HostPaths _paths;
    private readonly DoctorKnowledge _knowledge;
    private readonly IHostView _host;
    private readonly HostPackages _packages;

    /// <summary>Prepares to look at this host.</summary>
    /// <param name="paths">Where Virtigo keeps its things.</param>
    /// <param name="knowledge">What is known of the host elsewhere; nothing when null.</param>
    public Doctor(HostPaths paths, DoctorKnowledge? knowledge = null)
        : this(paths, knowledge ?? new DoctorKnowledge(), new HostView())
    {
    }

    internal Doctor(HostPaths paths, DoctorKnowledge knowledge, IHostView host)
    {
        (_paths, _knowledge, _host) = (paths, knowledge, host);
        _packages = HostPackages.For(host.ReadText("/etc/os-release"), host.IsRoot);
    }

    /// <summary>Looks at everything. Nothing is changed but that Virtigo's own folders are made.</summary>
    /// <param name="cancellationToken">Ends the look.</param>
    /// <returns>One finding per thing looked at, tools first.</returns>
    public async Task<IReadOnlyList<HostFinding>> RunAsync(CancellationToken cancellationToken = default) =>
    [
        await QemuAsync(cancellationToken),
        Tool("qemu-img", "makes and converts disks"),
        Tool("gpgv", "checks the signatures of archives"),
        Keyring(),
        Tool("setpriv", "ends guests when Virtigo is killed"),
        await MirrorAsync(cancellationToken),
        await AcceleratorAsync(cancellationToken),
        Processors(),
        Memory(),
        Space("space for the cache", _paths.Cache, CacheNeeds, "a build keeps the packages it fetches there"),
        Space("space for images", _paths.Data, DataNeeds, "an install and its image take that much"),
        SocketFolder(),
        User(),
    ];

    private HostFinding Tool(string name, string purpose) => _host.FindTool(name) is { } path
        ? new HostFinding(name, HostVerdict.Ok, path)
        : new HostFinding(name, HostVerdict.Missing, $"not installed; it {purpose}", _packages.Install(name));

    private async Task<HostFinding> QemuAsync(CancellationToken cancellationToken)
    {
        const string name = "qemu-system-x86_64";
        if (_host.FindTool(name) is not { } path)
        {
            return new HostFinding(name, HostVerdict.Missing, "not installed; it runs the guests", _packages.Install(name));
        }

        ToolResult told = await _host.RunToolAsync(name, ["--version"], cancellationToken);
        if (!Version.TryParse(QemuVersion().Match(told.Output).Groups[1].Value, out Version? version))
        {
            return new HostFinding(name, HostVerdict.Missing, $"{path} does not run: {FirstLine(told.Error)}", _packages.Install(name));
        }

        if (version < OldestQemu)
        {
            return new HostFinding(name, HostVerdict.Missing, $"{path} is version {version}; {OldestQemu} or newer is needed",
                "Upgrade the host, or install a newer QEMU.");
        }

        ToolResult able = await _host.RunToolAsync(name, ["-nodefaults", "-display", "none", "-sandbox", "on", "-netdev", "help"], cancellationToken);
        return able.ExitCode != 0
                ? new HostFinding(name, HostVerdict.Missing, $"{path} has no seccomp sandbox: {FirstLine(able.Error)}",
                    "Use your distribution's QEMU, or build QEMU with --enable-seccomp.")
            : !able.Output.Split('\n').Any(line => line.Trim() == "stream")
                ? new HostFinding(name, HostVerdict.Missing, $"{path} lacks the network back-end \"stream\"", "Install QEMU 7.2 or newer.")
            : new HostFinding(name, HostVerdict.Ok, $"{path}, version {version}, with sandbox and stream networks");
    }

    private HostFinding Keyring()
    {
        const string folder = "/usr/share/keyrings/";
        const string name = "debian-archive-keyring";
        string? found = new[] { folder + name + ".pgp", folder + name + ".gpg" }.FirstOrDefault(_host.Exists);
        return found is not null
            ? new HostFinding(name, HostVerdict.Ok, found)
            : new HostFinding(name, HostVerdict.Missing, $"no {folder}{name}.gpg; it holds the keys that Debian's archives are signed with",
                _packages.Install(name));
    }

    private async Task<HostFinding> MirrorAsync(CancellationToken cancellationToken)
    {
        string? mirror = _knowledge.Mirror is { } ask ? await ask(cancellationToken) : null;
        return mirror is not null
            ? new HostFinding("archive mirror", HostVerdict.Ok, mirror)
            : new HostFinding("archive mirror", HostVerdict.Missing, "none in the user's configuration, none in this host's apt sources",
                $"Write a line such as \"mirror: http://mirror.example/debian\" into {_paths.ConfigFile}, or into the description.");
    }

    private async Task<HostFinding> AcceleratorAsync(CancellationToken cancellationToken)
    {
        const string name = "accelerator";
        const string device = "/dev/kvm";
        const string slow = "guests are emulated (TCG), which makes an install several times slower";
        if (_knowledge.Accelerator is { } ask && await ask(cancellationToken) is { } probed)
        {
            return probed;
        }

        if (!_host.Exists(device))
        {
            return new HostFinding(name, HostVerdict.Warning, $"no {device}; {slow}",
                "Enable virtualisation in the firmware, or nested virtualisation if this is itself a virtual machine.");
        }

        return _host.CanWrite(device)
            ? new HostFinding(name, HostVerdict.Ok, $"{device} is there; the first build finds out whether it works")
            : new HostFinding(name, HostVerdict.Warning, $"{device} is there but not for this user; {slow}",
                "sudo usermod -aG kvm \"$USER\"   # then log in again");
    }

    private HostFinding Processors() => _host.Processors >= 2
        ? new HostFinding("processors", HostVerdict.Ok, string.Create(CultureInfo.InvariantCulture, $"{_host.Processors}"))
        : new HostFinding("processors", HostVerdict.Warning, "only one; a guest shares it with everything else");

    private HostFinding Memory()
    {
        Match match = AvailableMemory().Match(_host.ReadText("/proc/meminfo") ?? "");
        if (!match.Success || !long.TryParse(match.Groups[1].Value, CultureInfo.InvariantCulture, out long kibibytes))
        {
            return new HostFinding("memory", HostVerdict.Warning, "cannot tell how much is free: /proc/meminfo is unreadable");
        }

        long available = kibibytes * 1024;
        return available >= MemoryNeeds
            ? new HostFinding("memory", HostVerdict.Ok, $"{Size(available)} available")
            : new HostFinding("memory", HostVerdict.Warning, $"only {Size(available)} available; an install takes about {Size(MemoryNeeds)}",
                "Close something, or give the appliance less: memory: 512M");
    }

    private HostFinding Space(string name, string folder, long needs, string why)
    {
        if (!_host.CanMakeFolder(folder))
        {
            return new HostFinding(name, HostVerdict.Missing, $"{folder} cannot be written to",
                "Make it writable for this user, or set VIRTIGO_HOME to a folder that is.");
        }

        long free = _host.FreeBytes(folder);
        return free >= needs
            ? new HostFinding(name, HostVerdict.Ok, $"{Size(free)} free in {folder}")
            : new HostFinding(name, HostVerdict.Warning, $"only {Size(free)} free in {folder}; {why} ({Size(needs)})",
                "Make room (virtigo images prune --keep 1), or set VIRTIGO_HOME to a folder on a larger file system.");
    }

    private HostFinding SocketFolder()
    {
        const string name = "socket folder";
        int length = Encoding.UTF8.GetByteCount(Path.Combine(Path.GetFullPath(_paths.Runtime), LongestSocketName));
        return length <= LongestSocketPath
            ? new HostFinding(name, HostVerdict.Ok, _paths.Runtime)
            : new HostFinding(name, HostVerdict.Missing,
                string.Create(CultureInfo.InvariantCulture,
                    $"{_paths.Runtime} is too long: sockets in it would have {length} bytes, {LongestSocketPath} are allowed"),
                "Set XDG_RUNTIME_DIR or TMPDIR to a shorter folder: export TMPDIR=/tmp");
    }

    private HostFinding User() => new("user", HostVerdict.Ok, _host.IsRoot ? "root; not needed, an ordinary user is enough" : "an ordinary user, as it should be");

    private static string FirstLine(string text) => text.Trim().Split('\n')[0];

    private static string Size(long bytes) => bytes >= 10 * 1024 * MiB
        ? string.Create(CultureInfo.InvariantCulture, $"{bytes / (1024 * MiB)} GiB")
        : string.Create(CultureInfo.InvariantCulture, $"{bytes / MiB} MiB");

    [GeneratedRegex(@"version (\d{1,4}\.\d{1,4}(?:\.\d{1,4})?)", RegexOptions.CultureInvariant)]
    private static partial Regex QemuVersion();

    [GeneratedRegex(@"^MemAvailable:\s+(\d{1,15}) kB", RegexOptions.CultureInvariant | RegexOptions.Multiline)]
    private static partial Regex AvailableMemory();
}

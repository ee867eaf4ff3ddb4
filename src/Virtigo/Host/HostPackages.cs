namespace Virtigo.Host;

/// <summary>How the packages that Virtigo needs are called and installed on the host's distribution.</summary>
internal sealed class HostPackages
{
    private static readonly Dictionary<string, string[]> Names = new(StringComparer.Ordinal)
    {
        // tool: Debian and Ubuntu, Fedora, Arch
        ["qemu-system-x86_64"] = ["qemu-system-x86", "qemu-system-x86-core", "qemu-system-x86"],
        ["qemu-img"] = ["qemu-utils", "qemu-img", "qemu-img"],
        ["gpgv"] = ["gpgv", "gnupg2", "gnupg"],
        ["debian-archive-keyring"] = ["debian-archive-keyring", "debian-keyring", "debian-archive-keyring"],
        ["setpriv"] = ["util-linux", "util-linux", "util-linux"],
    };

    private static readonly string[] Commands = ["apt-get install -y", "dnf install -y", "pacman -S --needed"];
    private readonly int _family;
    private readonly string _prefix;

    private HostPackages(int family, bool isRoot) => (_family, _prefix) = (family, isRoot ? "" : "sudo ");

    /// <summary>Tells the family of distributions by the text of <c>/etc/os-release</c>.</summary>
    public static HostPackages For(string? osRelease, bool isRoot)
    {
        string[] words =
        [
            .. (osRelease ?? "").Split('\n')
                .Where(line => line.StartsWith("ID=", StringComparison.Ordinal) || line.StartsWith("ID_LIKE=", StringComparison.Ordinal))
                .SelectMany(line => line[(line.IndexOf('=', StringComparison.Ordinal) + 1)..].Trim().Trim('"', '\'').Split(' ')),
        ];
        int family = words.Any(word => word is "debian" or "ubuntu") ? 0
            : words.Any(word => word is "fedora" or "rhel" or "centos") ? 1
            : words.Contains("arch") ? 2
            : -1;
        return new HostPackages(family, isRoot);
    }

    /// <summary>The command that installs what gives a tool.</summary>
    public string Install(string tool) => _family < 0
        ? $"Install {tool} with your distribution's package manager (on Debian it is in the package {Names[tool][0]})."
        : $"{_prefix}{Commands[_family]} {Names[tool][_family]}";
}

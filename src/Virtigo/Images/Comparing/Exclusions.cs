using System.Text.RegularExpressions;

namespace Virtigo.Images;

/// <summary>What is left out when the files of two images are compared: what differs between any two installs, and says nothing. In docs/images.md.</summary>
internal static partial class Exclusions
{
    /// <summary>Whole folders.</summary>
    public static IReadOnlyList<string> Folders { get; } =
    [
        "/lost+found", "/proc", "/run", "/sys", "/dev", "/tmp", "/var/tmp", "/var/log", "/var/cache", "/var/lib/apt/lists", "/var/lib/systemd/timers",
        "/var/lib/systemd/coredump", "/var/backups",
    ];

    /// <summary>Single files.</summary>
    public static IReadOnlyList<string> Files { get; } =
    [
        "/etc/machine-id", "/var/lib/dbus/machine-id", "/var/lib/systemd/random-seed", "/etc/ld.so.cache", "/etc/shadow", "/etc/gshadow", "/etc/passwd-", "/etc/group-",
        "/etc/shadow-", "/etc/gshadow-", "/etc/subuid-", "/etc/subgid-", "/var/lib/dpkg/status-old", "/var/lib/dpkg/lock", "/boot/grub/grubenv",
        "/etc/.pwd.lock", "/swapfile",
    ];

    /// <summary>Files in which the random identifiers of file systems do not count.</summary>
    private static readonly string[] s_identified = ["/etc/fstab", "/boot/grub/grub.cfg", "/boot/grub/load.cfg", "/etc/initramfs-tools/conf.d/resume", "/etc/crypttab"];

    /// <summary>Whether a path, or what is below a folder, does not count.</summary>
    public static bool Covers(string path) =>
        Folders.Contains(path) || Files.Contains(path) || path.EndsWith("/__pycache__", StringComparison.Ordinal)
        || path.EndsWith("/lost+found", StringComparison.Ordinal)
        || path.StartsWith("/boot/initrd.img-", StringComparison.Ordinal) || path.StartsWith("/etc/ssh/ssh_host_", StringComparison.Ordinal);

    /// <summary>Whether the identifiers in a file do not count.</summary>
    public static bool HasIdentifiers(string path) => s_identified.Contains(path);

    /// <summary>The text with every UUID written alike.</summary>
    public static string WithoutIdentifiers(string text) => Identifier().Replace(text, "UUID");

    [GeneratedRegex("[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}", RegexOptions.CultureInvariant)]
    private static partial Regex Identifier();
}

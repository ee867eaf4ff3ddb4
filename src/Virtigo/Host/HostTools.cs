namespace Virtigo.Host;

/// <summary>Finds the programs that Virtigo needs, and names the Debian package of one that is missing.</summary>
internal static class HostTools
{
    private static readonly Dictionary<string, string> Packages = new(StringComparer.Ordinal)
    {
        ["qemu-system-x86_64"] = "qemu-system-x86",
        ["qemu-img"] = "qemu-utils",
        ["qemu-io"] = "qemu-utils",
        ["qemu-nbd"] = "qemu-utils",
        ["gpgv"] = "gpgv",
        ["setpriv"] = "util-linux",
        ["setsid"] = "util-linux",
        ["grub-mkimage"] = "grub-common",
        ["mcopy"] = "mtools",
        ["mmd"] = "mtools",
        ["sfdisk"] = "fdisk",
        ["mkfs.ext4"] = "e2fsprogs",
        ["linux.uml"] = "user-mode-linux",
        ["virsh"] = "libvirt-clients",
        ["zstd"] = "zstd",
        ["xz"] = "xz-utils",
    };

    /// <summary>The path of a program, or null when it is not installed.</summary>
    /// <param name="program">A name, or a path that is taken as it is.</param>
    public static string? Find(string program) => Find(program, Environment.GetEnvironmentVariable("PATH") ?? "");

    /// <summary>The path of a program.</summary>
    /// <exception cref="VirtigoException"><see cref="FailureKind.Host"/> when it is not installed.</exception>
    public static string Require(string program) => Find(program) ?? throw Missing(program);

    internal static string? Find(string program, string path)
    {
        if (program.Contains('/', StringComparison.Ordinal))
        {
            return IsProgram(program) ? program : null;
        }

        return path.Split(':', StringSplitOptions.RemoveEmptyEntries)
            .Concat(["/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/bin", "/bin"])
            .Select(folder => Path.Combine(folder, program))
            .FirstOrDefault(IsProgram);
    }

    private static VirtigoException Missing(string program) =>
        program.Contains('/', StringComparison.Ordinal)
            ? new(FailureKind.Host, $"{program} is not a program that can be run.")
            : new(FailureKind.Host, $"{program} is not installed.",
                Packages.TryGetValue(program, out string? package) ? $"apt install {package}" : null);

    private static bool IsProgram(string path) =>
        File.Exists(path) && (File.GetUnixFileMode(path) & (UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute)) != 0;
}

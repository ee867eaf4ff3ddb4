using System.Globalization;
using Virtigo.Host;

namespace Virtigo.Hypervisors.Uml;

/// <summary>
/// Writes the command line of User-Mode Linux. It runs in the guest's work folder and knows every file by a short name there, a link: its own
/// syntax takes commas, colons and blanks in a path for its own.
/// </summary>
internal static class UmlCommandLine
{
    /// <summary>The program of Debian's package, for guests without a kernel of their own choice.</summary>
    public const string Program = "linux.uml";

    /// <summary>The most serial ports, beside the agent's.</summary>
    public const int MaxSerials = 8;

    /// <summary>The most disks that the driver takes by number, and the most network cards.</summary>
    public const int MaxDevices = 8;

    /// <summary>The longest command line of a kernel that leaves room for what is ours, in bytes.</summary>
    public const int LongestArguments = 2048;

    private const string Umid = "uml";

    /// <summary>
    /// The link to the kernel that is run. User-Mode Linux reboots by running itself again under this name: without the link, a reboot is an end
    /// that it tells.
    /// </summary>
    public static string KernelLink(GuestConfig config) => Path.Combine(config.WorkDirectory, "kernel");

    /// <summary>The link to the initrd.</summary>
    public static string InitrdLink(GuestConfig config) => Path.Combine(config.WorkDirectory, "initrd");

    /// <summary>The link to a disk.</summary>
    public static string DiskLink(GuestConfig config, int disk) => Path.Combine(config.WorkDirectory, Invariant($"disk{disk}"));

    /// <summary>The folder of the running kernel's own files.</summary>
    public static string Folder(GuestConfig config) => Path.Combine(config.WorkDirectory, Umid);

    /// <summary>The file that is there as soon as the kernel runs.</summary>
    public static string PidFile(GuestConfig config) => Path.Combine(Folder(config), "pid");

    /// <summary>The socket of the management console.</summary>
    public static string ConsoleSocket(GuestConfig config) => Path.Combine(Folder(config), "mconsole");

    /// <summary>The socket on which we take its answers.</summary>
    public static string AnswerSocket(GuestConfig config) => Path.Combine(config.WorkDirectory, "answers");

    /// <summary>
    /// The socket to which a network card connects each time it is taken up. A descriptor would do for the first time only: the kernel closes it when the
    /// card is taken down.
    /// </summary>
    public static string NicSocket(GuestConfig config, int nic) => Path.Combine(config.WorkDirectory, Invariant($"net{nic}"));

    /// <summary>The links for a guest's files.</summary>
    public static IEnumerable<(string Link, string Target)> Links(GuestConfig config)
    {
        yield return (KernelLink(config), config.Kernel!.KernelPath);
        if (config.Kernel.InitrdPath is { } initrd)
        {
            yield return (InitrdLink(config), initrd);
        }

        for (int disk = 0; disk < config.Disks.Count; disk++)
        {
            yield return (DiskLink(config, disk), config.Disks[disk].Path);
        }
    }

    /// <summary>The arguments for a guest.</summary>
    /// <param name="config">The guest, already checked.</param>
    /// <param name="serials">The descriptors of its serial ports, the agent's last.</param>
    public static IReadOnlyList<string> Build(GuestConfig config, IReadOnlyList<int> serials) =>
    [
        Invariant($"mem={config.MemoryMiB}M"),
        "umid=" + Umid, "uml_dir=.",
        .. config.Kernel!.InitrdPath is null ? Array.Empty<string>() : ["initrd=initrd"],
        .. config.Disks.Select(Disk),
        "con=null", "ssl=null",
        .. serials.Select((descriptor, i) => Invariant($"ssl{i}=fd:{descriptor}")),
        .. config.Nics.Select((nic, i) => Invariant($"vec{i}:transport=bess,dst={Path.GetFileName(NicSocket(config, i))},mac={nic.Mac},mtu={nic.Mtu}")),
        .. config.Kernel.CommandLine.Length == 0 ? Array.Empty<string>() : [config.Kernel.CommandLine],
    ];

    /// <summary>Refuses sockets whose names would be too long.</summary>
    /// <exception cref="VirtigoException"><see cref="FailureKind.Host"/> with the longest that can be.</exception>
    public static void CheckSockets(GuestConfig config)
    {
        UnixListener.CheckLength(ConsoleSocket(config));
        UnixListener.CheckLength(AnswerSocket(config));
        for (int nic = 0; nic < config.Nics.Count; nic++)
        {
            UnixListener.CheckLength(NicSocket(config, nic));
        }
    }

    // 'd': the file is the disk. Without it a guest that writes the header of a copy-on-write file into its disk is given any file of the host's when
    // it boots again.
    private static string Disk(GuestDisk disk, int index) => Invariant($"ubd{index}{(disk.ReadOnly ? "r" : "")}d=disk{index}");

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}

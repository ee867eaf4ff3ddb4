using System.Collections.Frozen;
using System.Text.RegularExpressions;

namespace Virtigo.Profiles;

/// <summary>Everything in a guest that a profile may change, and nothing else: what the guest keeps is checked against it.</summary>
internal static partial class ProfileTargets
{
    public const string Wallclock = "/proc/sys/xen/independent_wallclock";
    public const string ClockSource = "/sys/devices/system/clocksource/clocksource0/current_clocksource";
    public const string WallclockFile = "/etc/sysctl.d/70-virtigo-wallclock.conf";
    public const string ClockSourceFile = "/etc/tmpfiles.d/virtigo-clocksource.conf";
    public const string RngFile = "/etc/modules-load.d/virtigo-rng.conf";
    public const string BalloonFile = "/etc/modules-load.d/virtigo-balloon.conf";
    public const string KernelFile = "/etc/default/grub.d/70-virtigo-profile.cfg";
    public const string ConsoleFile = "/etc/default/grub.d/71-virtigo-console.cfg";
    public const string SerialFile = "/etc/default/grub.d/72-virtigo-serial.cfg";
    public const string GuestAgent = "qemu-guest-agent.service";
    public const string Trim = "fstrim.timer";
    public const string Rng = "virtio_rng";
    public const string Balloon = "virtio_balloon";

    /// <summary>The programs that keep a clock right, by their units.</summary>
    public static readonly IReadOnlyList<string> TimeUnits = ["chrony.service", "systemd-timesyncd.service", "ntpsec.service", "openntpd.service"];

    /// <summary>The units.</summary>
    public static readonly IReadOnlyList<string> Units = [.. TimeUnits, Trim, GuestAgent];

    /// <summary>The offloads of network cards.</summary>
    public static readonly IReadOnlyList<string> Offloads = ["tx", "rx", "tso", "gso", "gro"];

    private static readonly FrozenSet<string> s_files =
        FrozenSet.Create(StringComparer.Ordinal, WallclockFile, ClockSourceFile, RngFile, BalloonFile, KernelFile, ConsoleFile, SerialFile);

    /// <summary>The file that sets offloads of cards at boot: an addition to the file that applies to them.</summary>
    /// <param name="linkFile">The name of the file that applies.</param>
    public static string LinkAddition(string linkFile) => $"/etc/systemd/network/{linkFile}.d/virtigo-profile.conf";

    /// <summary>Whether a profile may change it.</summary>
    public static bool IsKnown(ChangeKind kind, string target) => kind switch
    {
        ChangeKind.File => s_files.Contains(target) || Addition().IsMatch(target),
        ChangeKind.Knob => target is Wallclock or ClockSource,
        ChangeKind.Unit => Units.Contains(target),
        ChangeKind.Module => target is Rng or Balloon,
        ChangeKind.Offload => target.Split(' ') is [string card, string offload] && IsCard(card) && Offloads.Contains(offload),
        _ => false,
    };

    /// <summary>Whether it is a name that a network card can have.</summary>
    public static bool IsCard(string name) => name is not ("." or "..") && Card().IsMatch(name);

    /// <summary>Whether it is the name of a <c>.link</c> file.</summary>
    public static bool IsLinkFile(string name) => LinkFile().IsMatch(name);

    [GeneratedRegex(@"\A[A-Za-z0-9_.-]{1,15}\z", RegexOptions.CultureInvariant | RegexOptions.NonBacktracking)]
    private static partial Regex Card();

    [GeneratedRegex(@"\A[A-Za-z0-9_-][A-Za-z0-9_.-]{0,99}\.link\z", RegexOptions.CultureInvariant | RegexOptions.NonBacktracking)]
    private static partial Regex LinkFile();

    [GeneratedRegex(@"\A/etc/systemd/network/[A-Za-z0-9_-][A-Za-z0-9_.-]{0,99}\.link\.d/virtigo-profile\.conf\z", RegexOptions.CultureInvariant | RegexOptions.NonBacktracking)]
    private static partial Regex Addition();
}

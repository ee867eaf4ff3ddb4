using System.Globalization;

namespace Virtigo.Appliances;

/// <summary>Logs the serial console of a machine in as root.</summary>
internal static class RootConsole
{
    /// <summary>The shell that runs the script.</summary>
    public const string Shell = "/bin/sh";

    /// <summary>What a guest with systemd is told by its firmware so that it logs its serial console in as root at every boot.</summary>
    public static IReadOnlyDictionary<string, string> Credentials { get; } = new Dictionary<string, string>
    {
        ["agetty.autologin"] = "root",
        ["login.noauth"] = "yes",
    };

    /// <summary>
    /// The script. The console is a serial port, or Xen's. Everything it writes is below /run, so that the disk stays as it was. The terminal's size is given, since systemd
    /// would else ask the terminal for it and a slow machine would take the late answer for typed text; what came before is drained.
    /// </summary>
    /// <param name="size">The rows and columns of the terminal; null for 24 and 80.</param>
    public static string Script((int Rows, int Columns)? size) => string.Create(CultureInfo.InvariantCulture, $$"""
        set -e
        tty=ttyS0
        grep -qw hvc0 /sys/class/tty/console/active && tty=hvc0
        unit=serial-getty@$tty.service
        mkdir -p "/run/systemd/system/$unit.d"
        cat > "/run/systemd/system/$unit.d/virtigo-root.conf" <<'END'
        [Service]
        ExecStart=
        ExecStart=-/sbin/agetty --autologin root --noclear --keep-baud 115200,57600,38400,9600 - ${TERM}
        TTYRows={{Bounded(size?.Rows ?? 24)}}
        TTYColumns={{Bounded(size?.Columns ?? 80)}}
        END
        systemctl daemon-reload
        systemctl stop "$unit"
        timeout 1 cat "/dev/$tty" > /dev/null || true
        systemctl start "$unit"
        """);

    private static int Bounded(int size) => Math.Clamp(size, 1, 9999);
}

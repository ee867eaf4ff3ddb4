namespace Virtigo.Appliances;

/// <summary>Logs the serial console of a running machine in as root, until its next boot.</summary>
internal static class RootConsole
{
    /// <summary>The shell that runs <see cref="Script"/>.</summary>
    public const string Shell = "/bin/sh";

    /// <summary>Everything it writes is below /run, so that the disk stays as it was.</summary>
    public const string Script = """
        set -e
        unit=serial-getty@ttyS0.service
        mkdir -p "/run/systemd/system/$unit.d"
        cat > "/run/systemd/system/$unit.d/virtigo-root.conf" <<'END'
        [Service]
        ExecStart=
        ExecStart=-/sbin/agetty --autologin root --noclear --keep-baud 115200,57600,38400,9600 - ${TERM}
        END
        systemctl daemon-reload
        systemctl restart "$unit"
        """;
}

using System.Collections.Frozen;

namespace Virtigo.Installers.Debian;

/// <summary>The user names that debian-installer (user-setup) refuses, as an error question that stops an unattended install.</summary>
internal static class ReservedUserNames
{
    private static readonly FrozenSet<string> s_names = new[]
    {
        "root", "daemon", "bin", "sys", "sync", "games", "man", "lp", "mail", "news", "uucp", "proxy", "www-data", "backup", "list",
        "irc", "gnats", "nobody", "adm", "tty", "disk", "kmem", "dialout", "fax", "voice", "cdrom", "floppy", "tape", "sudo", "audio",
        "dip", "operator", "src", "shadow", "utmp", "video", "sasl", "plugdev", "staff", "users", "nogroup", "netplan", "ftn", "mysql",
        "tac-plus", "alias", "qmail", "qmaild", "qmails", "qmailr", "qmailq", "qmaill", "qmailp", "asterisk", "vpopmail", "vchkpw",
        "slurm", "hacluster", "haclient", "grsec-tpe", "grsec-sock-all", "grsec-sock-clt", "grsec-sock-srv", "grsec-proc", "ceph",
        "opensrf", "libvirt-qemu", "admin", "Debian-exim", "bind", "crontab", "cupsys", "dcc", "dhcp", "dictd", "dnsmasq", "dovecot",
        "fetchmail", "firebird", "ftp", "fuse", "gdm", "haldaemon", "hplilp", "identd", "input", "jwhois", "klog", "kvm", "lpadmin",
        "messagebus", "mythtv", "netdev", "powerdev", "radvd", "render", "saned", "sbuild", "scanner", "slocate", "ssh", "sshd",
        "ssl-cert", "sslwrap", "statd", "syslog", "telnetd", "tftpd",
    }.ToFrozenSet(StringComparer.Ordinal);

    /// <summary>Whether the installer refuses this name.</summary>
    public static bool Contains(string name) => s_names.Contains(name);
}

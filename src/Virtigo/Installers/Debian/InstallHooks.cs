using System.Text;

namespace Virtigo.Installers.Debian;

/// <summary>
/// The scripts that Virtigo adds to an install, all in directories that debian-installer offers for that purpose:
/// they report, prepare the environment of the installer's own steps, and give the installed system its fresh identity.
/// </summary>
internal static class InstallHooks
{
    /// <summary>The line on the log port that says the installer came to its end, with this install's own nonce.</summary>
    public static string Marker(string nonce) => $"virtigo: installed {nonce}";

    /// <summary>The files to add to the installer's initial file system.</summary>
    /// <param name="preseed">The answers.</param>
    /// <param name="nonce">Letters and digits that nothing in the guest can know otherwise.</param>
    /// <param name="user">The user whose keys are installed, or null.</param>
    /// <param name="steps">What else is done in the target, or null for nothing.</param>
    public static IReadOnlyList<InitrdFile> For(string preseed, string nonce, DebianUser? user, TargetSteps? steps = null) =>
    [
        Secret("preseed.cfg", preseed),
        Secret("virtigo/authorized_keys", user is null ? "" : string.Concat(user.SshKeys.Select(key => key.Trim() + "\n"))),
        // A user without a password could not answer sudo's question for it.
        Secret("virtigo/sudoers", user is { PasswordHash: null } ? $"{user.Name} ALL=(ALL:ALL) NOPASSWD: ALL\n" : ""),
        Script("usr/lib/debian-installer-startup.d/S02virtigo", Log),
        Script("usr/lib/partman/finish.d/90virtigo", Prepare),
        Script("usr/lib/finish-install.d/94virtigo", Clean.Replace("@USER@", user?.Name ?? "", StringComparison.Ordinal)),
        Script("usr/lib/finish-install.d/98virtigo", Finish.Replace("@MARKER@", Marker(nonce), StringComparison.Ordinal)),
        .. steps?.Files ?? [],
        .. OptionalScript("usr/lib/pre-pkgsel.d/30virtigo", steps?.BeforePackages),
        .. OptionalScript("usr/lib/finish-install.d/93virtigo", steps?.AtEnd),
    ];

    private static IEnumerable<InitrdFile> OptionalScript(string path, string? text) => text is { Length: > 0 } ? [Script(path, text)] : [];

    /// <summary>The installer's whole log on the second serial port, from the first second. It must not hold the startup's pipes open.</summary>
    private const string Log = """
        #!/bin/sh
        (tail -n +1 -F /var/log/syslog >/dev/ttyS1 2>/dev/null </dev/null &)

        """;

    /// <summary>
    /// Runs when the target is mounted and before the base system is unpacked into it. An install that fails is thrown away,
    /// so nothing has to survive a power cut while it runs: dpkg need not wait for the disk. Translations of package descriptions
    /// are for people who search; the installed system fetches them with its first own update.
    /// </summary>
    private const string Prepare = """
        #!/bin/sh
        mkdir -p /target/etc/apt/apt.conf.d /target/etc/dpkg/dpkg.cfg.d
        echo force-unsafe-io >/target/etc/dpkg/dpkg.cfg.d/force-unsafe-io
        cat >/target/etc/apt/apt.conf.d/00virtigo-install <<EOF
        Acquire::Languages "none";
        Dpkg::Use-Pty "0";
        EOF
        exit 0

        """;

    /// <summary>
    /// What must differ between two machines made from one image is removed, so that the first boot makes it: the machine id
    /// (an empty file, see machine-id(5)), the SSH host keys, the random seed. Debian's own unit makes host keys only on what systemd
    /// takes for a first boot, which would also reset every unit to its preset: it is told to look at the keys instead.
    /// The installer's answers, which it saves with its logs, may hold password hashes. What was freed while installing goes back to the host.
    /// </summary>
    private const string Clean = """
        #!/bin/sh
        rm -f /target/etc/apt/apt.conf.d/00virtigo-install
        rm -f /target/var/log/installer/cdebconf/questions.dat /target/var/log/installer/cdebconf/templates.dat
        : >/target/etc/machine-id
        rm -f /target/var/lib/dbus/machine-id
        if [ -d /target/var/lib/dbus ]; then ln -s /etc/machine-id /target/var/lib/dbus/machine-id; fi
        rm -f /target/var/lib/systemd/random-seed /target/var/lib/urandom/random-seed
        rm -f /target/etc/ssh/ssh_host_*_key /target/etc/ssh/ssh_host_*_key.pub
        if [ -e /target/usr/lib/systemd/system/sshd-keygen.service ]; then
            mkdir -p /target/etc/systemd/system/sshd-keygen.service.d
            cat >/target/etc/systemd/system/sshd-keygen.service.d/virtigo.conf <<EOF
        [Unit]
        ConditionFirstBoot=
        ConditionPathExists=!/etc/ssh/ssh_host_ed25519_key
        EOF
        elif [ -e /target/usr/lib/systemd/system/ssh.service ]; then
            mkdir -p /target/etc/systemd/system/ssh.service.d
            cat >/target/etc/systemd/system/ssh.service.d/virtigo.conf <<EOF
        [Service]
        ExecStartPre=
        ExecStartPre=/usr/bin/ssh-keygen -A
        ExecStartPre=/usr/sbin/sshd -t
        EOF
        fi
        if [ -s /virtigo/authorized_keys ]; then
            home=$(chroot /target getent passwd '@USER@' | cut -d: -f6)
            mkdir -p "/target$home/.ssh"
            cp /virtigo/authorized_keys "/target$home/.ssh/authorized_keys"
            chmod 700 "/target$home/.ssh"
            chmod 600 "/target$home/.ssh/authorized_keys"
            chroot /target chown -R '@USER@:' "$home/.ssh"
        fi
        if [ -s /virtigo/sudoers ] && [ -d /target/etc/sudoers.d ]; then
            cp /virtigo/sudoers /target/etc/sudoers.d/virtigo
            chmod 440 /target/etc/sudoers.d/virtigo
        fi
        sync
        chroot /target fstrim / || logger -t virtigo "the free space of the image stays allocated"
        exit 0

        """;

    /// <summary>The last word, after the target was unmounted; with a clean power-off it proves that the installer came to its end.</summary>
    private const string Finish = """
        #!/bin/sh
        if grep -q ' /target ' /proc/mounts; then
            logger -t virtigo "the target is still mounted"
            exit 0
        fi
        if [ -e /virtigo/steps/failed ]; then
            exit 0
        fi
        sync
        echo '@MARKER@' >/dev/ttyS1
        exit 0

        """;

    private static InitrdFile Script(string path, string text) => new(path,
        UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute
        | UnixFileMode.GroupRead | UnixFileMode.GroupExecute | UnixFileMode.OtherRead | UnixFileMode.OtherExecute,
        Encoding.UTF8.GetBytes(text));

    private static InitrdFile Secret(string path, string text) =>
        new(path, UnixFileMode.UserRead | UnixFileMode.UserWrite, Encoding.UTF8.GetBytes(text));
}

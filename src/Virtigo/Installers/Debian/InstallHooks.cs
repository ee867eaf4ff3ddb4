using System.Formats.Tar;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Virtigo.Host;

namespace Virtigo.Installers.Debian;

/// <summary>
/// The scripts that Virtigo adds to an install, all in directories that debian-installer offers for that purpose:
/// they report, prepare the environment of the installer's own steps, wait for what is the appliance's own, and give the installed system
/// its fresh identity.
/// </summary>
internal static class InstallHooks
{
    /// <summary>The line on the log port that says the installer waits for the appliance's own part.</summary>
    public const string Waiting = "virtigo: waiting for the appliance's own part";

    /// <summary>The line that the guest waits for on its log port.</summary>
    public const string GoOn = "go on\n";

    /// <summary>Where the guest fetches that part, on the host of its archive.</summary>
    public const string OwnPath = "virtigo/own";

    private const string LeavingFolder = "virtigo/leaving";

    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    private const UnixFileMode Executable = OwnerOnly | UnixFileMode.UserExecute
        | UnixFileMode.GroupRead | UnixFileMode.GroupExecute | UnixFileMode.OtherRead | UnixFileMode.OtherExecute;

    /// <summary>The line on the log port that says the installer came to its end, with this install's own nonce.</summary>
    public static string Marker(string nonce) => $"virtigo: installed {nonce}";

    /// <summary>The files to add to the installer's initial file system: those that many appliances share.</summary>
    /// <param name="preseed">The answers that the installer starts with.</param>
    /// <param name="archive">The host, and port, of the archive as the guest says it.</param>
    /// <param name="disk">How the disk is laid out.</param>
    /// <param name="machine">What the installer runs in.</param>
    public static IReadOnlyList<InitrdFile> Shared(string preseed, string archive, DebianDisk disk, InstallMachine machine) =>
    [
        Secret("preseed.cfg", preseed),
        Script("usr/lib/debian-installer-startup.d/S02virtigo", Log.Replace("@LOG@", machine.Log, StringComparison.Ordinal)),
        Script("usr/lib/partman/finish.d/90virtigo", Prepare),
        Script("usr/lib/pre-pkgsel.d/99virtigo", Wait.Replace("@WAITING@", Waiting, StringComparison.Ordinal).Replace("@LOG@", machine.Log, StringComparison.Ordinal)
            .Replace("@SOURCE@", $"http://{archive}/{OwnPath}", StringComparison.Ordinal)),
        Script("usr/lib/finish-install.d/93virtigo-more", More),
        .. OptionalScript("usr/lib/partman/finish.d/92virtigo", disk.Passphrase is null ? "" : Opened),
        .. OptionalScript("usr/lib/partman/finish.d/91virtigo", FurtherDiskSteps.Script(disk.Further)),
        .. disk.Grow ? DiskGrowth.Files : [],
    ];

    /// <summary>The files that are the appliance's own; the script <c>virtigo/own</c> among them puts them to use.</summary>
    /// <param name="choices">What is installed.</param>
    /// <param name="preseed">The appliance's own answers.</param>
    /// <param name="nonce">Letters and digits that nothing in the guest can know otherwise.</param>
    /// <param name="more">Whether an appliance that builds on this one follows: then the installer waits for it, instead of ending.</param>
    public static IReadOnlyList<InitrdFile> Own(DebianChoices choices, string preseed, string nonce, bool more = false)
    {
        DebianUser? user = choices.User.Value;
        TargetSteps steps = Steps(choices, more);
        return
        [
            Secret("virtigo/own.cfg", preseed),
            Secret("virtigo/authorized_keys", user is null ? "" : string.Concat(user.SshKeys.Select(key => key.Trim() + "\n"))),
            // A user without a password could not answer sudo's question for it.
            Secret("virtigo/sudoers", user is { PasswordHash: null } ? $"{user.Name} ALL=(ALL:ALL) NOPASSWD: ALL\n" : ""),
            Script("virtigo/own", Wake(choices) + Take),
            Script("usr/lib/finish-install.d/94virtigo", Clean.Replace("@USER@", user?.Name ?? "", StringComparison.Ordinal)
                .Replace("@MOUNTS@", string.Join(' ', choices.Disk.MountedPaths), StringComparison.Ordinal)),
            .. steps.Files,
            .. OptionalScript("virtigo/before", steps.BeforePackages),
            .. OptionalScript("usr/lib/finish-install.d/93virtigo", steps.AtEnd),
            .. Leaving(steps, 0),
            Script("usr/lib/finish-install.d/93virtigo-network", Leave),
            .. OptionalScript("usr/lib/finish-install.d/92virtigo", choices.Machine.AtEnd),
            .. Ending(choices.Machine, nonce, more),
        ];
    }

    /// <summary>The files of an appliance that builds on the one installed so far, beside those that are there.</summary>
    /// <param name="choices">What is added.</param>
    /// <param name="part">How many appliances are below it.</param>
    /// <param name="nonce">Letters and digits that nothing in the guest can know otherwise.</param>
    /// <param name="more">Whether an appliance that builds on this one follows.</param>
    public static IReadOnlyList<InitrdFile> Layer(DebianChoices choices, int part, string nonce, bool more)
    {
        TargetSteps steps = Steps(choices, more);
        string packages = string.Join(' ', choices.Packages.Value.Select(ShellQuote.Word));
        return
        [
            Script("virtigo/own", Wake(choices) + (packages.Length == 0 ? LayerWithoutPackages : AddPackages.Replace("@PACKAGES@", packages, StringComparison.Ordinal))),
            .. steps.Files,
            .. OptionalScript("virtigo/before", steps.BeforePackages),
            .. OptionalScript("virtigo/after", steps.AtEnd),
            .. Leaving(steps, part),
            .. Ending(choices.Machine, nonce, more),
        ];
    }

    // What builds on an appliance has its network too.
    private static TargetSteps Steps(DebianChoices choices, bool more) =>
        TargetSteps.For(more ? choices.Target with { Network = TargetNetwork.None } : choices.Target, choices.Domain.Value);

    private static IEnumerable<InitrdFile> Leaving(TargetSteps steps, int part)
    {
        string folder = string.Create(CultureInfo.InvariantCulture, $"{LeavingFolder}/{part:000}");
        return OptionalScript(folder + "/leave", steps.Leaving).Concat(steps.LeavingFiles.Select(file => file with { Path = $"{folder}/{Path.GetFileName(file.Path)}" }));
    }

    private static string Wake(DebianChoices choices)
    {
        string domain = choices.Domain.Value.Length == 0 ? "" : $"{choices.Hostname.Value}.{choices.Domain.Value}\\t";
        return TakeOver.Replace("@HOSTNAME@", choices.Hostname.Value, StringComparison.Ordinal)
            .Replace("@NAMES@", domain + choices.Hostname.Value, StringComparison.Ordinal);
    }

    private static IEnumerable<InitrdFile> Ending(InstallMachine machine, string nonce, bool more) =>
    [
        .. more ? [Secret("virtigo/more", "")] : Array.Empty<InitrdFile>(),
        Script("usr/lib/finish-install.d/98virtigo", Finish.Replace("@MARKER@", Marker(nonce), StringComparison.Ordinal).Replace("@LOG@", machine.Log, StringComparison.Ordinal)),
    ];

    /// <summary>The files as the guest fetches them: a tar archive, with the time and some entropy, since the guest may have been saved long ago.</summary>
    public static async Task<byte[]> PackAsync(IReadOnlyList<InitrdFile> own, DateTimeOffset now, CancellationToken cancellationToken)
    {
        const int entropy = 64;
        using var tar = new MemoryStream();
        await using (var writer = new TarWriter(tar, TarEntryFormat.Ustar, leaveOpen: true))
        {
            IReadOnlyList<InitrdFile> all =
            [
                .. own,
                Secret("virtigo/now", now.ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture)),
                new("virtigo/entropy", OwnerOnly, RandomNumberGenerator.GetBytes(entropy)),
            ];
            foreach (InitrdFile file in all)
            {
                await writer.WriteEntryAsync(
                    new UstarTarEntry(TarEntryType.RegularFile, file.Path)
                    {
                        Mode = file.Mode,
                        ModificationTime = now,
                        DataStream = new MemoryStream(file.Content.ToArray(), writable: false),
                    },
                    cancellationToken);
            }
        }

        return tar.ToArray();
    }

    /// <summary>
    /// Runs when the target is on its encrypted disk. The passphrase is not needed any more, so it goes: partman's file with it, and the
    /// answers. The installer lets no discard through the encryption it made, so what is freed while installing stays allocated.
    /// </summary>
    private const string Opened = """
        #!/bin/sh
        for path in /var/lib/partman/devices/*/*/keyfile; do
            if [ -e "$path" ]; then rm -f "$(cat "$path")"; fi
        done
        rm -f /preseed.cfg
        exit 0

        """;

    private static IEnumerable<InitrdFile> OptionalScript(string path, string text) => text.Length > 0 ? [Script(path, text)] : [];

    /// <summary>The installer's whole log on the second serial port, from the first second. It must not hold the startup's pipes open.</summary>
    private const string Log = """
        #!/bin/sh
        (tail -n +1 -F /var/log/syslog >@LOG@ 2>/dev/null </dev/null &)

        """;

    /// <summary>
    /// Runs when the target is mounted and before the base system is unpacked into it. An install that fails is thrown away,
    /// so nothing has to survive a power cut while it runs: dpkg need not wait for the disk. Translations of package descriptions
    /// are for people who search; the installed system fetches them with its first own update. Whether a Release is too old was decided on the host,
    /// where it may be pinned; the guest is given no other.
    /// </summary>
    private const string Prepare = """
        #!/bin/sh
        mkdir -p /target/etc/apt/apt.conf.d /target/etc/dpkg/dpkg.cfg.d
        echo force-unsafe-io >/target/etc/dpkg/dpkg.cfg.d/force-unsafe-io
        cat >/target/etc/apt/apt.conf.d/00virtigo-install <<EOF
        Acquire::Languages "none";
        Acquire::Check-Valid-Until "false";
        Dpkg::Use-Pty "0";
        EOF
        exit 0

        """;

    /// <summary>
    /// Runs when the system is complete and up to date and nothing in it is the appliance's own: from here on plans go different ways. A
    /// guest that cannot take the rest has nothing more to do.
    /// </summary>
    private const string Wait = """
        #!/bin/sh
        sync
        echo "@WAITING@" >@LOG@
        read -r go <@LOG@
        wget -q -O - '@SOURCE@' </dev/null | tar -x -C / && sh /virtigo/own && exit 0
        logger -t virtigo "the appliance's own part cannot be taken"
        sleep 2
        poweroff -f

        """;

    /// <summary>
    /// Runs when an appliance is complete but for what makes its copies differ: waits once more for each that builds on it. What was handed
    /// over before is taken away first, so that nothing of it runs twice.
    /// </summary>
    private const string More = """
        #!/bin/sh
        while [ -e /virtigo/more ] && [ ! -e /virtigo/steps/failed ]; do
            rm -rf /virtigo/more /virtigo/own /virtigo/before /virtigo/after /virtigo/steps
            sh /usr/lib/pre-pkgsel.d/99virtigo
        done
        exit 0

        """;

    /// <summary>Has the system leave the installer's network: the appliance and each that builds on it, in their order, and after the last was installed.</summary>
    private const string Leave = """
        #!/bin/sh
        if [ -e /virtigo/steps/failed ]; then exit 0; fi
        for part in /virtigo/leaving/*; do
            if [ -e "$part/leave" ] && ! VIRTIGO_GIVEN=$part sh "$part/leave"; then
                mkdir -p /virtigo/steps
                : >/virtigo/steps/failed
                exit 1
            fi
        done
        exit 0

        """;

    /// <summary>The guest may be a copy of one that was saved: its clock, its entropy and its name are its own.</summary>
    private const string TakeOver = """
        #!/bin/sh
        set -e
        date -u -s "@$(cat /virtigo/now)" >/dev/null
        cat /virtigo/entropy >/dev/urandom
        rm /virtigo/entropy
        for root in '' /target; do
            echo '@HOSTNAME@' >"$root/etc/hostname"
            sed -i 's/^\(127\.0\.1\.1[[:space:]]*\).*/\1@NAMES@/' "$root/etc/hosts"
        done
        hostname '@HOSTNAME@'

        """;

    /// <summary>
    /// Gives the installer the appliance's own answers, and what it would have made of them earlier: the time zone, and the
    /// user's name for packages that ask for it.
    /// </summary>
    private const string Take = """
        debconf-set-selections /virtigo/own.cfg
        rm /virtigo/own.cfg
        debconf-copydb -p '^passwd/username$' configdb target_configdb
        /usr/lib/post-base-installer.d/05tzsetup
        if [ -e /virtigo/before ]; then sh /virtigo/before; fi
        exit 0

        """;

    /// <summary>What the installer does with packages and at its end, done once more for what an appliance adds to the one below it.</summary>
    private const string AddPackages = """
        if [ -e /virtigo/before ]; then sh /virtigo/before; fi
        in-target env DEBIAN_FRONTEND=noninteractive sh -c 'apt-get --quiet --assume-yes install -- "$@" </dev/null' sh @PACKAGES@ || {
            logger -t virtigo 'step failed: packages: they cannot be installed'
            exit 1
        }
        if [ -e /virtigo/after ]; then sh /virtigo/after; fi
        exit 0

        """;

    private const string LayerWithoutPackages = """
        if [ -e /virtigo/before ]; then sh /virtigo/before; fi
        if [ -e /virtigo/after ]; then sh /virtigo/after; fi
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
        for place in / @MOUNTS@; do
            chroot /target fstrim "$place" || logger -t virtigo "the free space of $place stays allocated"
        done
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
        echo '@MARKER@' >@LOG@
        exit 0

        """;

    private static InitrdFile Script(string path, string text) => new(path, Executable, Encoding.UTF8.GetBytes(text));

    private static InitrdFile Secret(string path, string text) => new(path, OwnerOnly, Encoding.UTF8.GetBytes(text));
}

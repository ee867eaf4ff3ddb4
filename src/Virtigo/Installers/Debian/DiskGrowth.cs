using System.Text;

namespace Virtigo.Installers.Debian;

/// <summary>
/// What makes a system's root grow with its disk. The partition grows in the initial file system, before anything is on it: an encrypted one
/// is opened in its new size then, which nobody without the passphrase could give it later. What is on it, volume and file system, grows in
/// the running system. Both only ever add, look first whether there is anything to add, and leave a partition alone that is not the last.
/// </summary>
internal static class DiskGrowth
{
    private const string Given = "virtigo/grow";
    private const UnixFileMode Plain = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.OtherRead;
    private const UnixFileMode Program = Plain | UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute;

    /// <summary>The files for the installer's own file system.</summary>
    public static IReadOnlyList<InitrdFile> Files { get; } =
    [
        new($"{Given}/hook", Program, Encoding.UTF8.GetBytes(Hook)),
        new($"{Given}/boot", Program, Encoding.UTF8.GetBytes(AtBoot)),
        new($"{Given}/grow", Program, Encoding.UTF8.GetBytes(Running)),
        new($"{Given}/virtigo-grow.service", Plain, Encoding.UTF8.GetBytes(Unit)),
        new("usr/lib/partman/finish.d/91virtigo", Program, Encoding.UTF8.GetBytes(Prepare.Replace("@DISK@", Path.GetFileName(InstallMachine.Virtio.Disk), StringComparison.Ordinal))),
        new("usr/lib/finish-install.d/92virtigo", Program, Encoding.UTF8.GetBytes(Finish)),
    ];

    /// <summary>
    /// Runs before the kernel is installed, so that its initial file system has it. Every layout has the root, or what holds its volumes, in
    /// the last partition; it is remembered by an identity that no other disk's partition has.
    /// </summary>
    private const string Prepare = """
        #!/bin/sh
        last=$(for path in /sys/class/block/@DISK@/@DISK@*; do echo "$(cat "$path/start") ${path##*/}"; done | sort -n | tail -n 1)
        identity=$(blkid -p -s PART_ENTRY_UUID -o value "/dev/${last##* }")
        if [ -z "$identity" ]; then
            logger -t virtigo "the last partition has no identity: the disk will not grow"
            exit 0
        fi
        mkdir -p /target/etc/virtigo /target/etc/initramfs-tools/hooks /target/etc/initramfs-tools/scripts/init-premount
        echo "$identity" >/target/etc/virtigo/grow
        cp /virtigo/grow/hook /target/etc/initramfs-tools/hooks/virtigo-grow
        cp /virtigo/grow/boot /target/etc/initramfs-tools/scripts/init-premount/virtigo-grow
        chmod 755 /target/etc/initramfs-tools/hooks/virtigo-grow /target/etc/initramfs-tools/scripts/init-premount/virtigo-grow
        exit 0

        """;

    private const string Finish = """
        #!/bin/sh
        mkdir -p /target/usr/local/lib/virtigo /target/etc/systemd/system/multi-user.target.wants
        cp /virtigo/grow/grow /target/usr/local/lib/virtigo/grow
        cp /virtigo/grow/virtigo-grow.service /target/etc/systemd/system/virtigo-grow.service
        chmod 755 /target/usr/local/lib/virtigo/grow
        ln -sf /etc/systemd/system/virtigo-grow.service /target/etc/systemd/system/multi-user.target.wants/virtigo-grow.service
        exit 0

        """;

    private const string Hook = """
        #!/bin/sh
        if [ "$1" = prereqs ]; then exit 0; fi
        . /usr/share/initramfs-tools/hook-functions
        mkdir -p "$DESTDIR/etc"
        cp /etc/virtigo/grow "$DESTDIR/etc/virtigo-grow"
        copy_exec /usr/sbin/sfdisk
        copy_exec /usr/bin/partx

        """;

    /// <summary>Less than 131072 sectors of 512 bytes, 64 MiB, are not worth a new partition table.</summary>
    private const string AtBoot = """
        #!/bin/sh
        if [ "$1" = prereqs ]; then exit 0; fi
        link=/dev/disk/by-partuuid/$(cat /etc/virtigo-grow)
        for _ in 1 2 3 4 5 6 7 8 9 10; do
            udevadm settle --timeout=10
            if [ -e "$link" ]; then break; fi
            sleep 1
        done
        [ -e "$link" ] || exit 0
        partition=$(readlink -f "$link")
        path=$(readlink -f "/sys/class/block/${partition##*/}")
        whole=${path%/*}
        disk=/dev/${whole##*/}
        number=$(cat "$path/partition")
        start=$(cat "$path/start")
        end=$((start + $(cat "$path/size")))
        total=$(cat "$whole/size")
        [ $((total - end)) -ge 131072 ] || exit 0
        for other in "$whole"/*/start; do
            if [ "$(cat "$other")" -gt "$start" ]; then
                echo "virtigo: $partition does not grow: another partition follows it"
                exit 0
            fi
        done
        if sfdisk --dump "$disk" | grep -q '^label: gpt'; then
            sfdisk --quiet --relocate gpt-bak-std "$disk"
        fi
        echo ', +' | sfdisk --quiet --no-reread --no-tell-kernel --partno "$number" "$disk" && partx --update --nr "$number" "$disk"
        udevadm settle --timeout=10
        echo "virtigo: $partition grew from $((end - start)) to $(cat "$path/size") sectors"
        exit 0

        """;

    /// <summary>What is free in the volume group is the root's, so that a boot that was cut off between two steps is made good by the next.</summary>
    private const string Running = """
        #!/bin/sh
        set -e
        root=$(findmnt --noheadings --raw --output SOURCE / | sed 's/\[.*//')
        if [ "$(lsblk --nodeps --noheadings --raw --output TYPE "$root")" = lvm ]; then
            below=$(lsblk --inverse --noheadings --raw --paths --output NAME "$root" | sed -n 2p)
            used=$(pvs --noheadings --nosuffix --units b --options pv_size "$below" | tr -d ' ')
            if [ $(($(blockdev --getsize64 "$below") - used)) -ge 67108864 ]; then pvresize "$below"; fi
            if [ "$(lvs --noheadings --options vg_free_count "$root" | tr -d ' ')" -gt 0 ]; then lvextend --extents +100%FREE "$root"; fi
        fi
        case $(findmnt --noheadings --raw --output FSTYPE /) in
        ext4) resize2fs "$root" ;;
        xfs) xfs_growfs / ;;
        btrfs) btrfs filesystem resize max / ;;
        esac

        """;

    private const string Unit = """
        [Unit]
        Description=Let the root file system grow with the machine's disk
        After=local-fs.target
        Before=virtigo-first-boot.service

        [Service]
        Type=oneshot
        ExecStart=/bin/sh /usr/local/lib/virtigo/grow

        [Install]
        WantedBy=multi-user.target

        """;
}

using System.Globalization;
using System.Text;

namespace Virtigo.Installers.Debian;

/// <summary>
/// What the installer does with further disks, once the first is mounted and before the base system is unpacked: file systems, mounts, and
/// their lines in <c>fstab</c>. Their partitions, and swap space, are on them already.
/// </summary>
internal static class FurtherDiskSteps
{
    /// <summary>The script; empty when there is nothing to do.</summary>
    /// <param name="disks">The disks.</param>
    public static string Script(IReadOnlyList<FurtherDisk> disks)
    {
        var made = new StringBuilder();
        var mounted = new List<(string Path, string Lines)>();
        foreach (FurtherDisk disk in disks)
        {
            foreach ((int index, FurtherPartition partition) in disk.Partitions.Index().Where(one => one.Item.FileSystem.Length > 0))
            {
                int number = index + 1;
                string id = disk.FileSystemId(number).ToString();
                if (partition.FileSystem != FurtherPartition.Swap)
                {
                    made.Append(CultureInfo.InvariantCulture, $"made '{disk.Name}' {number} {Make(partition.FileSystem, id)}\n");
                }

                if (partition.IsMounted || partition.FileSystem == FurtherPartition.Swap)
                {
                    mounted.Add((partition.Path, Mount(disk, number, partition, id)));
                }
            }
        }

        // What is mounted below another comes after it.
        return made.Length + mounted.Count == 0 ? "" : Begin + made + string.Concat(mounted.OrderBy(one => one.Path, StringComparer.Ordinal).Select(one => one.Lines)) + "exit 0\n";
    }

    private static string Make(string fileSystem, string id) => fileSystem switch
    {
        "xfs" => $"mkfs.xfs -q -f -m uuid={id}",
        "btrfs" => $"mkfs.btrfs -q -f -U {id}",
        _ => $"mkfs.ext4 -q -F -U {id}",
    };

    private static string Mount(FurtherDisk disk, int number, FurtherPartition partition, string id)
    {
        string place = string.Create(CultureInfo.InvariantCulture, $"'{disk.Name}' {number}");
        string options = partition.Options.Length > 0 ? partition.Options : "defaults";
        return partition.FileSystem == FurtherPartition.Swap
            ? $"listed {place} 'UUID={id} none swap sw 0 0'\n"
            : $"mounted {place} {partition.FileSystem} {partition.Path} {options}\n"
                + $"listed {place} 'UUID={id} {partition.Path} {partition.FileSystem} {options} 0 {(partition.FileSystem == "ext4" ? 2 : 0)}'\n";
    }

    private const string Begin = """
        #!/bin/sh
        failed() {
            logger -t virtigo "step failed: disk.disks: $1"
            sleep 2
            poweroff -f
        }
        partition() {
            for block in /sys/block/vd*; do
                if [ "$(cat "$block/serial")" = "$1" ]; then
                    echo "/dev/${block##*/}$2"
                    return
                fi
            done
        }
        made() {
            disk=$1 number=$2
            shift 2
            modprobe -q "${1#mkfs.}" || true
            "$@" "$(partition "$disk" "$number")" >/tmp/virtigo-made 2>&1 </dev/null || {
                logger -t virtigo "$(tail -n 3 /tmp/virtigo-made)"
                failed "no file system can be made on partition $number of $disk"
            }
        }
        mounted() {
            mkdir -p "/target$4"
            mount -t "$3" -o "$5" "$(partition "$1" "$2")" "/target$4" || failed "partition $2 of $1 cannot be mounted on $4"
        }
        listed() {
            echo "# disk $1, partition $2" >>/target/etc/fstab
            echo "$3" >>/target/etc/fstab
        }
        udevadm settle --timeout=30
        mkdir -p /target/etc

        """;
}

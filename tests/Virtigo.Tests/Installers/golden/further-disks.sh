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
made 'deep' 1 mkfs.btrfs -q -f -U 44a9581a-6b44-8670-a9c6-6b4505a4bf1d
made 'data' 1 mkfs.xfs -q -f -m uuid=03be4fc2-1b80-8b62-8aa1-d52e3ddc14f7
listed 'data' 2 'UUID=f88213cc-7477-818d-9228-051e1523eed4 none swap sw 0 0'
mounted 'data' 1 xfs /srv noatime
listed 'data' 1 'UUID=03be4fc2-1b80-8b62-8aa1-d52e3ddc14f7 /srv xfs noatime 0 0'
mounted 'deep' 1 btrfs /srv/more/deep noatime,nodev
listed 'deep' 1 'UUID=44a9581a-6b44-8670-a9c6-6b4505a4bf1d /srv/more/deep btrfs noatime,nodev 0 0'
exit 0

#!/bin/sh
# web, debian trixie amd64: run as root on a Proxmox VE host of version 7.2 or newer that has the disk.
# Its network card has another name here than where it was installed: see docs/images.md.
set -eu
id=${1:?usage: $0 VMID [STORAGE] [BRIDGE]}
storage=${2:-local-lvm}
bridge=${3:-vmbr0}
disk='/srv/disks/it'\''s web.qcow2'
qm create "$id" --name web --ostype l26 --cpu host --cores 2 --memory 1536 \
    --virtio0 "$storage:0,import-from=$disk,discard=on" --boot order=virtio0 \
    --net0 "virtio,bridge=$bridge" --serial0 socket --vga serial0 --rng0 source=/dev/urandom --agent enabled=1
echo "start it: qm start $id"

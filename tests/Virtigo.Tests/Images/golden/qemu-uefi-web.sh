#!/bin/sh
# web, debian trixie amd64: runs on this terminal, Ctrl-A X ends it. What it writes stays on the disk.
# Its ssh is on this host's loopback, port ${SSH_PORT:-2222}. More options for QEMU may be given as arguments.
set -eu
exec qemu-system-x86_64 \
    -name web \
    -machine pc,accel=kvm:tcg -cpu max -smp 2 -m 1536 \
    -bios "${OVMF:-/usr/share/ovmf/OVMF.fd}" \
    -drive 'if=none,id=disk,file=/srv/disks/it'\''s,, web.qcow2,format=qcow2,discard=unmap' \
    -device virtio-blk-pci,drive=disk,addr=0x2 \
    -netdev "user,id=net,hostfwd=tcp:127.0.0.1:${SSH_PORT:-2222}-:22" \
    -device virtio-net-pci,netdev=net,addr=0x3 \
    -device virtio-rng-pci \
    -vga none -nographic "$@"

# shellcheck shell=bash
# Shared by ./virtigo and ./test: finds what is missing on this host and installs it, or says how. Sourced by bash.

# The Debian package of each thing that is looked for.
declare -A package_of=(
    [qemu-system-x86_64]=qemu-system-x86 [qemu-img]=qemu-utils [gpgv]=gpgv [setpriv]=util-linux
    [keyring]=debian-archive-keyring [gcc]=gcc [libc-headers]=libc6-dev [gpg]=gnupg [dpkg-deb]=dpkg
    [flock]=util-linux [xz]=xz-utils [cpio]=cpio [dotnet]=dotnet-sdk-10.0 [vde_switch]=vde2 [autopkgtest-virt-qemu]=autopkgtest [uefi-firmware]=ovmf
    [zstd]=zstd [mke2fs]=e2fsprogs [grub-mkimage]=grub-common [grub-bios]=grub-pc-bin [grub-uefi]=grub-efi-amd64-bin [mcopy]=mtools
    [sfdisk]=fdisk [mkfs.vfat]=dosfstools [mkfs.xfs]=xfsprogs [mkfs.btrfs]=btrfs-progs [linux.uml]=user-mode-linux
    [mmdebstrap]=mmdebstrap [fakechroot]=fakechroot [fakeroot]=fakeroot
    [virsh]=libvirt-clients [libvirt-daemon]=libvirt-daemon [libvirt-qemu]=libvirt-daemon-driver-qemu
)

say() { printf 'virtigo: %s\n' "$*" >&2; }

have() {
    case $1 in
        keyring) [[ -r /usr/share/keyrings/debian-archive-keyring.gpg || -r /usr/share/keyrings/debian-archive-keyring.pgp ]] ;;
        uefi-firmware) compgen -G '/usr/share/qemu/firmware/*.json' >/dev/null ;;
        grub-bios) [[ -e /usr/lib/grub/i386-pc/normal.mod ]] ;;
        grub-uefi) [[ -e /usr/lib/grub/x86_64-efi/normal.mod ]] ;;
        libvirt-daemon) have libvirtd || have virtqemud ;;
        libvirt-qemu) compgen -G '/usr/lib/*/libvirt/connection-driver/libvirt_driver_qemu.so' >/dev/null ;;
        libc-headers) [[ -e /usr/include/stdio.h ]] ;;
        dotnet) command -v dotnet >/dev/null && [[ $(dotnet --list-sdks 2>/dev/null) == *10.* ]] ;;
        *) command -v "$1" >/dev/null || [[ -x /usr/sbin/$1 || -x /sbin/$1 ]] ;;
    esac
}

# need THING...: returns when all are there; otherwise installs them (as root, or through sudo after asking) or prints the line to run.
need() {
    local thing packages=()
    for thing; do
        have "$thing" || packages+=("${package_of[$thing]}")
    done
    ((${#packages[@]})) || return 0

    local line="apt-get install --yes --no-install-recommends ${packages[*]}"
    if ! command -v apt-get >/dev/null; then
        say "this host lacks: ${packages[*]} (names of Debian's packages)"
        say "install them with this system's package manager, then run the command again"
        exit 3
    fi
    if ((EUID == 0)); then
        say "installing ${packages[*]}"
    elif command -v sudo >/dev/null && agreed "install ${packages[*]} with sudo?"; then
        line="sudo $line"
    else
        say "this host lacks: ${packages[*]}. Run this, then the command again:"
        printf '  sudo apt-get update && sudo %s\n' "$line" >&2
        exit 3
    fi
    if ! { ${line%%apt-get*} apt-get update -qq && DEBIAN_FRONTEND=noninteractive $line -qq; } >&2; then
        say "that did not work; mend what apt-get says above, or install these by hand: ${packages[*]}"
        [[ " ${packages[*]} " == *dotnet* ]] && say "the .NET 10 SDK is not in every distribution: see https://learn.microsoft.com/dotnet/core/install/linux"
        exit 3
    fi
}

agreed() {
    [[ ${VIRTIGO_YES:-} ]] && return 0
    [[ -t 0 && -t 2 ]] || return 1
    local answer
    read -r -p "virtigo: $1 [y/N] " answer >&2
    [[ $answer == [yY]* ]]
}

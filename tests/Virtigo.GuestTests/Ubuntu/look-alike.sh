#!/bin/busybox sh
# Stands for Ubuntu's live installer: it checks what it was given, reports as the installer does, runs the commands it is told to, and
# writes a disk that says it was written. Whatever is wrong it reports as the failure of a step, as the installer would.
/bin/busybox mkdir -p /proc /sys /dev /run /tmp /cd /seed /target /var/log/installer
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
exec >/dev/ttyS0 2>&1 </dev/null
echo "look-alike: started"
for module in /modules/*; do insmod "$module" || echo "look-alike: $module is not taken"; done

# report TYPE NAME DESCRIPTION [RESULT]
report() {
    wget -q -O /dev/null --post-data "{\"name\": \"$2\", \"description\": \"$3\", \"event_type\": \"$1\", \"origin\": \"curtin\", \"timestamp\": 1.5, \"level\": \"INFO\"${4:+, \"result\": \"$4\"}}" \
        http://10.0.2.2:8377/ || echo "look-alike: the report of $2 is not taken"
}

# commands KEY: the commands of a list of the answers, one a line
commands() {
    sed -n "/^  $1:/,/^  [a-z]/s/^    - \"\\(.*\\)\"\$/\\1/p" /seed/user-data
}

fails() {
    echo "look-alike: $1"
    echo "look-alike: $1" >>/var/log/installer/subiquity-server-debug.log
    report finish "${2:-subiquity/LookAlike}" "$1" FAIL
    report finish subiquity/Install/install "" FAIL
    commands error-commands | while read -r command; do sh -c "$command"; done
    sleep 1000
}

for tries in $(seq 600); do
    [ -b /dev/sr0 ] && [ -b /dev/vdb ] && [ -e /sys/class/net/eth0 ] && break
    sleep 0.1
done
ip link set lo up
ip link set eth0 up
udhcpc -i eth0 -q -n -s /udhcpc.sh || echo "look-alike: no address"

mount -t iso9660 -o ro /dev/vdb /seed || fails "the volume with the answers cannot be mounted"
label=$(dd if=/dev/vdb bs=1 skip=32808 count=32 2>/dev/null)
[ "$(echo $label)" = cidata ] || fails "that volume is called $label"
mount -t iso9660 -o ro /dev/sr0 /cd || fails "there is no medium in the drive"
grep -q '^Ubuntu-Server 24.04' /cd/.disk/info || fails "the medium in the drive is another one"
for word in autoinstall ds=nocloud; do
    grep -qw "$word" /proc/cmdline || fails "the kernel was not told $word"
done
grep -q -- ' --- .*console=ttyS0' /proc/cmdline || fails "the installed system would have no serial console"
[ "$(ls /seed | tr '\n' ' ')" = "meta-data user-data virtigo " ] || fails "the volume has $(ls /seed | tr '\n' ' ')"
while IFS= read -r line; do
    grep -qxF -- "$line" /seed/user-data || fails "the answers lack: $line"
done </expected
grep -q '^instance-id: "virtigo-' /seed/meta-data || fails "there is no instance id"
[ "$(cat /sys/block/vda/size)" = 16777216 ] || fails "the disk has $(cat /sys/block/vda/size) sectors"
[ "$(cat /sys/block/vdb/ro)" = 1 ] || fails "the volume with the answers can be written"

mirror=$(sed -n 's|^ *- {uri: "http://\(.*\)/"}$|\1|p' /seed/user-data)
report start subiquity/Install/install/configure_apt "configuring apt"
host=${mirror%%/*}
gateway=http://10.0.2.2:${host#*:}
http_proxy=$gateway wget -q -O /tmp/InRelease "http://${host%%:*}/${mirror#*/}/dists/noble/InRelease" || fails "the archive at $mirror cannot be reached"
grep -q '^Codename: noble' /tmp/InRelease || fails "the archive at $mirror is another one"
if http_proxy=$gateway wget -q -O /dev/null http://elsewhere.example/; then fails "another archive can be reached"; fi
report finish subiquity/Install/install/configure_apt "configuring apt" SUCCESS

step=subiquity/Install/install/curtin_install/cmd-install
report start $step/stage-partitioning/builtin/cmd-block-meta "curtin command block-meta"
dd if=/cd/casper/disk.img of=/dev/vda bs=64k 2>/dev/null || fails "the disk cannot be written"
report start $step/stage-extract/builtin/cmd-extract "acquiring and extracting image"
if [ -e /cd/casper/fails ]; then fails "curtin command extract" $step/stage-extract/builtin/cmd-extract; fi
mkdir -p /target/bin /target/etc/sudoers.d /target/etc/tmpfiles.d /target/etc/ssh /target/tmp /target/var/log /target/dev
cp /bin/busybox /target/bin/busybox
chroot /target /bin/busybox --install -s /bin
mknod /target/dev/null c 1 3
echo "root:x:0:0:root:/root:/bin/sh" >/target/etc/passwd
echo "root:*:19000:0:99999:7:::" >/target/etc/shadow
touch /target/etc/ssh/ssh_host_ed25519_key
rm /target/bin/tar
printf '#!/bin/busybox sh\nexec /bin/busybox tar -x -p -f - -C /\n' >/target/bin/tar
cat >/target/bin/chpasswd <<'END'
#!/bin/busybox sh
[ "$1" = --encrypted ] || exit 9
while IFS=: read -r name hash; do sed -i "s|^$name:[^:]*:|$name:$hash:|" /etc/shadow; done
END
chmod 755 /target/bin/tar /target/bin/chpasswd
report start $step/stage-curthooks/builtin/cmd-curthooks "curtin command curthooks"
report start subiquity/Install/install/postinstall/install_nginx "installing nginx"

report start subiquity/Late/run "executing late commands"
commands late-commands >/tmp/late
[ -s /tmp/late ] || fails "there is no last command"
while read -r command; do
    # Busybox looks up no labels, and its shell takes its own mount before any other. That the volume has this label was checked above.
    sh -c "$(echo "$command" | sed 's|LABEL=cidata|/dev/vdb|')" || fails "the last command failed" subiquity/Late/run
done </tmp/late
[ "$(cat /target/ran)" = "ran in the target" ] || fails "the spec's own command did not run"
[ "$(cat /target/etc/look-alike)" = hello ] || fails "the spec's own file is not there"
grep -q '^root:\$6\$' /target/etc/shadow || fails "root has no password"
grep -q autoinstall-user-data /target/etc/tmpfiles.d/virtigo.conf || fails "the answers would stay in the installed system"
[ ! -e /target/etc/ssh/ssh_host_ed25519_key ] || fails "the machine kept its identity"
[ ! -e /run/virtigo-own ] || fails "the steps left something behind"
report start subiquity/Shutdown/shutdown "shutting down"
sync
poweroff -f
sleep 1000

#!/bin/sh
# Runs the system tests under cgroup v2 in a virtual machine: Debian's own cloud kernel, an
# initramfs with the test program, and a disk for swap files and throttling. Needs no KVM.
#   tests/system/v2_in_qemu.sh [BUILD_DIRECTORY [FILTER]]
# Exit codes: 0 passed, 1 failed, 77 skipped (the reason is printed).
set -eu

build=${1:-build}
# Without those that an emulated machine is too slow for, and that hold under v1 as well.
filter=${2:-'!(system_digests/*|system_references/*|system_tune/*|system_limits/@(least_limits_hold_*|row_bands_run_*|read_ahead_does_not_kill)|system_profile/the_trace_is_valid_*)'}
seconds=3600

skip() {
    echo "skipped: $1"
    exit 77
}

[ "$(uname -m)" = x86_64 ] || skip "this test boots an x86-64 kernel"
for tool in qemu-system-x86_64 busybox cpio mkfs.ext4 dpkg-deb setpriv; do
    command -v "$tool" >/dev/null ||
        skip "$tool is missing; apt-get install qemu-system-x86 busybox-static cpio e2fsprogs"
done
[ -x "$build/system_tests" ] || skip "$build/system_tests is not built; make build/system_tests"

work=$build/v2
root=$work/root
mkdir -p "$work/kernel"

# The kernel package is only unpacked, never installed.
if ! ls "$work"/kernel/boot/vmlinuz-* >/dev/null 2>&1; then
    package=$(apt-cache depends linux-image-cloud-amd64 2>/dev/null |
        sed -n 's/.*Depends: \(linux-image-[0-9].*\)/\1/p' | head -n 1)
    [ -n "$package" ] || skip "apt knows no linux-image-cloud-amd64; apt-get update"
    (cd "$work" && apt-get download "$package" >/dev/null 2>&1) ||
        skip "$package could not be downloaded"
    dpkg-deb -x "$work"/linux-image-*.deb "$work/kernel"
fi
kernel=$(find "$work/kernel/boot" -name "vmlinuz-*" | head -n 1)

rm -rf "$root"
mkdir -p "$root/bin" "$root/dev" "$root/proc" "$root/sys" "$root/tmp" "$root/var/tmp" \
    "$root/etc" "$root/modules" "$root/test/tests"
cp "$(command -v busybox)" "$root/bin/busybox"
for applet in sh cat echo sleep head mount mkdir grep setsid insmod chown chmod sync reboot rm; do
    ln -s busybox "$root/bin/$applet"
done
echo "root:x:0:0:root:/:/bin/sh" >"$root/etc/passwd"
for module in virtio virtio_ring virtio_pci_legacy_dev virtio_pci_modern_dev virtio_pci virtio_blk \
    lzo lzo-rle lzo_compress lzo_decompress zsmalloc zram; do
    find "$work/kernel/lib/modules" -name "$module.ko" -exec cp {} "$root/modules" \;
done

copy_with_libraries() {
    cp "$1" "$2"
    ldd "$1" | grep -o '/[^ )]*' | while read -r library; do
        mkdir -p "$root$(dirname "$library")"
        cp -n "$library" "$root$library"
    done
}
copy_with_libraries "$build/system_tests" "$root/test/system_tests"
copy_with_libraries "$build/sluice" "$root/test/sluice"
# Libraries that it opens when they are needed; without OpenBLAS, which is large.
names=$(grep -aoE 'lib[a-z0-9_+-]+\.so\.[0-9]+' "$build/sluice" | grep -v openblas | sort -u)
for name in $names; do
    library=$(/sbin/ldconfig -p | sed -n "s/.*$name .*x86-64.* => //p" | head -n 1)
    mkdir -p "$root$(dirname "$library")"
    copy_with_libraries "$library" "$root$library"
done
copy_with_libraries "$build/tests/memory_hog" "$root/test/tests/memory_hog"
copy_with_libraries "$(command -v setpriv)" "$root/bin/setpriv"

cat >"$root/init" <<END
#!/bin/sh
export PATH=/bin TERM=dumb
mount -t proc none /proc
mount -t sysfs none /sys
mount -t devtmpfs none /dev
mkdir -p /dev/shm
mount -t tmpfs none /dev/shm
mount -t cgroup2 none /sys/fs/cgroup
# They depend on each other: those that come too early succeed in a later round.
for round in 1 2 3 4; do
    for module in /modules/*.ko; do insmod \$module 2>/dev/null; done
done
mount -t ext4 /dev/vda /var/tmp
chmod 1777 /var/tmp /tmp
echo "controllers: \$(cat /sys/fs/cgroup/cgroup.controllers)"

echo "--- root"
/test/system_tests -j1 --filter '$filter' --timeout 300 && echo "root: passed"

# As systemd delegates to a user: an inner group that is the user's, with the session in a leaf.
echo "--- user 1000 in a delegated group"
user=/sys/fs/cgroup/user
echo "+memory +cpu +io +cpuset" >/sys/fs/cgroup/cgroup.subtree_control
mkdir \$user
echo "+memory +cpu +cpuset" >\$user/cgroup.subtree_control
mkdir \$user/session
chown 1000 \$user \$user/cgroup.procs \$user/cgroup.subtree_control \$user/session \
    \$user/session/cgroup.procs
sh -c "echo \\\$\\\$ >\$user/session/cgroup.procs; exec /bin/setpriv --reuid=1000 --regid=1000 \
    --clear-groups /test/system_tests -j1 --filter '$filter' --timeout 300" && echo "user: passed"
sync
echo b >/proc/sysrq-trigger
sleep 60
END
chmod 755 "$root/init"
(cd "$root" && find . | cpio -o -H newc --quiet) | gzip -1 >"$work/initramfs.gz"

disk=$work/disk.img
rm -f "$disk"
truncate -s 3G "$disk"
mkfs.ext4 -q -F "$disk"

log=$work/console.log
timeout "$seconds" qemu-system-x86_64 -accel tcg -cpu max -smp 2 -m 1536 \
    -kernel "$kernel" -initrd "$work/initramfs.gz" \
    -append "console=ttyS0 panic=-1 quiet init=/init" \
    -drive "file=$disk,if=virtio,format=raw,cache=none" \
    -display none -no-reboot -serial stdio -monitor none </dev/null | tee "$log" || true
rm -rf "$root" "$disk" "$work/initramfs.gz"

grep -q '^root: passed' "$log" && grep -q '^user: passed' "$log"

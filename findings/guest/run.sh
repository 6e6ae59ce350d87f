#!/usr/bin/env bash
# run.sh PROGRAM.bpf.c USER.c: builds both, boots Debian's kernel in QEMU (software emulation) with them, runs USER
# as root in the guest and prints what it prints. Nothing is loaded into the kernel of the machine that runs this.
# BPF_CC is the compiler for PROGRAM with its options, if it is not to be clang. GUEST_MODULES are modules of the kernel
# that are loaded before, in that order.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
kernel=linux-image-6.1.0-56-amd64
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

missing=()
for package in busybox-static clang-19 cpio gcc libbpf-dev libc6-dev libelf-dev qemu-system-x86 zlib1g-dev; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
    { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "${missing[@]}"; } >&2
fi
(cd "$work" && { apt-get download -q "$kernel" || { apt-get update -q && apt-get download -q "$kernel"; }; } >/dev/null 2>&1)
dpkg -x "$work/$kernel"_*.deb "$work/kernel"

mkdir -p "$work/root/proc" "$work/root/sys" "$work/root/dev"
cp /bin/busybox "$work/root/busybox"
${BPF_CC:-clang-19 -O2 -g -target bpf -mcpu=v3} -I"$here" -I"/usr/include/$(gcc -print-multiarch)" -c "$1" -o "$work/root/program.o"
gcc -O2 -Wall -Wno-unused-function -static -I"$here" "$2" -o "$work/root/user" -lbpf -lelf -lz
for module in ${GUEST_MODULES:-}; do
    find "$work/kernel" -name "$module.ko" -exec cp {} "$work/root" ';'
    echo "/busybox insmod /$module.ko" >>"$work/root/modules"
done
cat >"$work/root/init" <<'END'
#!/busybox sh
/busybox mount -t proc proc /proc
/busybox mount -t sysfs sys /sys
/busybox ip link set lo up
[ ! -e /modules ] || . /modules
echo
/busybox uname -r
/user
echo "end of output, status $?"
/busybox poweroff -f
END
chmod +x "$work/root/init"
(cd "$work/root" && find . | cpio -o -H newc --quiet) >"$work/initramfs"
timeout 180 qemu-system-x86_64 -accel tcg -m 512 -nographic -no-reboot -kernel "$work"/kernel/boot/vmlinuz-* \
    -initrd "$work/initramfs" -append 'console=ttyS0 quiet panic=-1' </dev/null 2>"$work/qemu.err" |
    tr -d '\r' | sed -n '/^[0-9][^ ]*-amd64$/,/^end of output/p'

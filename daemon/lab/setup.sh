#!/bin/bash
# Makes everything that run.sh boots: a Debian kernel with its modules, the modules that Debian leaves out, our encoder module,
# and virtme-ng. Safe to call again; what is there already is kept, keyed by what it was made of. Prints the folder's path.
#
#     setup.sh            as root it installs the Debian packages it needs; otherwise it names them and stops
#
# Nothing is installed but packages; no module ever gets near the running kernel. Everything lies below ~/.cache/perch/lab.
set -euo pipefail
export LC_ALL=C
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/perch/lab
virtme_ng=1.42
mkdir -p "$cache"
say() { echo "lab setup: $*" >&2; }
die() { say "$*"; exit 1; }

# Two runs at once must not build into the same folder.
exec 9>"$cache/lock"
flock 9

[ "$(dpkg --print-architecture)" = amd64 ] || die "the virtual machine is made of Debian's amd64 kernel: run this on an amd64 machine"

# A fresh machine's package lists may be missing or old.
missing() { for p in "$@"; do dpkg-query -W -f '${db:Status-Status}\n' "$p" 2>/dev/null | grep -qx installed || echo "$p"; done; }
update_lists() { [ -n "${updated:-}" ] || { [ "$(id -u)" = 0 ] && apt-get -qq update >&2; updated=yes; }; }
apt-cache show linux-image-amd64 >/dev/null 2>&1 || update_lists

# The kernel is the one that Debian's metapackage names today; a kernel that was set up before stays good for a week, so that
# a security update does not cost everybody a rebuild on the same day.
kernel_of_today() { apt-cache depends linux-image-amd64 | sed -n 's/^ *Depends: linux-image-\([0-9].*\)$/\1/p' | head -n 1; }
version=$(find "$cache" -maxdepth 1 -name kernel-version -mtime -7 -exec cat {} + 2>/dev/null || true)
[ -n "$version" ] && [ -z "$(missing "linux-headers-$version")" ] || version=$(kernel_of_today)
[ -n "$version" ] || die "linux-image-amd64 names no kernel: check the sources of apt"
series=$(echo "$version" | cut -d. -f1,2)

packages=(qemu-system-x86 busybox-static systemd udev kmod procps util-linux python3-venv ffmpeg v4l-utils
    wpasupplicant dnsmasq-base iw iproute2 dmsetup e2fsprogs f2fs-tools dosfstools exfatprogs nginx libnginx-mod-rtmp
    gcc make flex bison bc libelf-dev libc6-dev xz-utils "linux-headers-$version")
read -ra wanted < <(missing "${packages[@]}" | tr '\n' ' ') || true
if [ ${#wanted[@]} -gt 0 ]; then
    [ "$(id -u)" = 0 ] || die "these packages are missing: apt-get install --no-install-recommends ${wanted[*]}"
    update_lists
    say "installing ${wanted[*]}"
    if systemctl -q is-active nginx 2>/dev/null; then had_nginx=yes; fi
    DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "${wanted[@]}" >"$cache/apt.log" 2>&1 \
        || { tail -n 20 "$cache/apt.log" >&2; die "apt-get failed (see $cache/apt.log)"; }
    # Debian starts installed services; the lab needs the program, not a site on port 80.
    if [ -z "${had_nginx:-}" ] && systemctl -q is-active nginx 2>/dev/null; then systemctl -q disable --now nginx; fi
fi
headers=/usr/src/linux-headers-$version

# Fetches one Debian package by its exact name (a glob would fetch every kernel there is) into the current folder, as a.deb.
fetch() {
    apt-get -qq download "$1" >"$cache/apt.log" 2>&1 || { update_lists; apt-get -qq download "$1" >"$cache/apt.log" 2>&1; } \
        || { tail -n 5 "$cache/apt.log" >&2; die "cannot download the package $1"; }
    mv -- "$1"_*.deb a.deb
}

# What the result depends on.
key=$({ echo "$version"; dpkg-query -W "linux-headers-$version"; apt-cache policy v4l2loopback-dkms | grep Candidate
        cat "$here/setup.sh" "$here"/h264-m2m/*.[ch] "$here/h264-m2m/Makefile"; } | sha256sum | cut -c1-16)
# Of the kernel's source: what Debian builds for no PC, or not at all.
sources=('*/drivers/media/test-drivers/vicodec/*' '*/drivers/media/v4l2-core/v4l2-mem2mem.c'
    '*/drivers/gpio/gpio-sim.c' '*/drivers/gpio/gpiolib.h' '*/kernel/irq/irq_sim.c')
base=$cache/kernel-$version-$(echo "${sources[@]}" | sha256sum | cut -c1-8)
result=$cache/lab-$key

if [ ! -e "$base/complete" ]; then
    say "fetching kernel $version"
    rm -rf "$base" && mkdir -p "$base/source" && cd "$base"
    fetch "linux-image-$version"
    dpkg -x a.deb root
    # Debian 13 keeps modules below /usr/lib.
    [ -d root/lib/modules ] || ln -s usr/lib root/lib
    say "fetching the source of Linux $series"
    fetch "linux-source-$series"
    dpkg-deb --fsys-tarfile a.deb | tar -xO --wildcards '*/linux-source-*.tar.xz' | tar -xJ -C source --strip-components=1 \
        --wildcards "${sources[@]}"
    fetch v4l2loopback-dkms
    dpkg -x a.deb loopback
    rm a.deb
    touch complete
fi

if [ ! -e "$result/complete" ]; then
    say "building modules for $version"
    rm -rf "$result" && mkdir -p "$result/build/media"
    cp -a "$base/root" "$result/root"
    build() { # build FOLDER [SYMBOLS]
        # Type information for BPF is of no use here, and its tool (pahole) may be missing.
        make -s -C "$headers" M="$1" KBUILD_EXTRA_SYMBOLS="${2:-}" CONFIG_DEBUG_INFO_BTF_MODULES= modules >"$result/build.log" 2>&1 \
            || { tail -n 30 "$result/build.log" >&2; die "the modules in $1 do not build against $version"; }
    }
    media=$result/build/media
    cp "$base"/source/drivers/media/test-drivers/vicodec/*.[ch] "$base"/loopback/usr/src/v4l2loopback-*/*.[ch] "$media"
    objects="vicodec.o v4l2loopback.o"
    # Debian builds no memory-to-memory driver for PCs, and so not their common part either.
    if ! find "$result/root/lib/modules/" -name 'v4l2-mem2mem.ko*' | grep -q .; then
        cp "$base/source/drivers/media/v4l2-core/v4l2-mem2mem.c" "$media"
        objects="v4l2-mem2mem.o $objects"
    fi
    cat >"$media/Makefile" <<EOF
obj-m := $objects
vicodec-objs := vicodec-core.o codec-fwht.o codec-v4l2-fwht.o
EOF
    build "$media"
    cp -r "$here/h264-m2m" "$result/build/h264-m2m"
    build "$result/build/h264-m2m" "$media/Module.symvers"
    # GPIO lines whose other end is a file. Its simulated interrupts are no module of their own, and one call in them is none that
    # modules may make.
    gpio=$result/build/gpio
    mkdir -p "$gpio"
    cp "$base/source/drivers/gpio/gpiolib.h" "$base/source/kernel/irq/irq_sim.c" "$gpio"
    cp "$base/source/drivers/gpio/gpio-sim.c" "$gpio/lines.c"
    sed -i 's/handle_simple_irq(irq_to_desc(irqnum))/generic_handle_irq_safe(irqnum)/' "$gpio/irq_sim.c"
    printf 'obj-m := gpio-sim.o\ngpio-sim-objs := lines.o irq_sim.o\n' >"$gpio/Makefile"
    build "$gpio"
    extra=$result/root/lib/modules/$version/extra
    mkdir -p "$extra"
    cp "$media"/*.ko "$result"/build/h264-m2m/*.ko "$gpio"/*.ko "$extra"
    depmod -b "$result/root" "$version"
    # Older results go, but not one that another run may have booted just now.
    find "$cache" -maxdepth 1 -name 'lab-*' -mmin +180 ! -path "$result" -exec rm -rf {} +
    touch "$result/complete"
fi

if [ ! -x "$cache/venv-$virtme_ng/bin/vng" ]; then
    say "installing virtme-ng $virtme_ng"
    rm -rf "$cache/venv-$virtme_ng"
    /usr/bin/python3 -m venv "$cache/venv-$virtme_ng"
    "$cache/venv-$virtme_ng/bin/pip" -q --disable-pip-version-check install "virtme-ng==$virtme_ng" >&2
fi
[ "$(cat "$cache/kernel-version" 2>/dev/null)" = "$version" ] || echo "$version" >"$cache/kernel-version"
ln -sfn "$result/root/boot/vmlinuz-$version" "$cache/vmlinuz"
ln -sfn "$cache/venv-$virtme_ng" "$cache/venv"
ln -sfn "$result/root" "$cache/root"
echo "$result"

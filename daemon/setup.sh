#!/usr/bin/env bash
# Installs what the Makefile's targets need. As root on Debian or Raspberry Pi OS it installs packages; otherwise it lists
# what is missing and exits with 1. Prints nothing and takes no time when everything is there.
#
#     setup.sh build           to build perchd: Rust, a C and C++ compiler, libclang
#     setup.sh build cross     also to build for other boards: chroots, emulators of other machines
#     setup.sh build deb       also for the Debian package: cargo-deb, lintian
#     setup.sh image           for the image of a card and its boot test: mmdebstrap, mkfs.*, QEMU
#     setup.sh build test      also for `make test`: ffmpeg, GStreamer, Chromium, VLC, mediainfo, nginx, Caddy, Apache, Node.js and the page's tools, schemathesis, strace
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

rust_needed=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)

packages=()
need() { command -v "$1" >/dev/null || packages+=("$2"); }

at_least() { [ "$(printf '%s\n' "$1" "$2" | sort -V | head -n 1)" = "$1" ]; }

has_rust() {
    command -v cargo >/dev/null && at_least "$rust_needed" "$(rustc --version | cut -d' ' -f2)"
}

need_build() {
    # Debian's rustc-web is updated for browsers, long after Debian's own rustc is frozen.
    has_rust || packages+=(cargo-web rustc-web)
    need c++ g++
    need make make
    # bindgen loads libclang to read the kernel's headers, and needs clang's own ones beside it.
    compgen -G "/usr/lib/llvm-*/lib/libclang[.-][s0-9]*" >/dev/null || [ -n "${LIBCLANG_PATH:-}" ] || packages+=(libclang-dev)
    [ -e /usr/include/linux/videodev2.h ] || packages+=(linux-libc-dev)
    # libasound's headers, and what finds them.
    need pkg-config pkg-config
    pkg-config --exists alsa 2>/dev/null || packages+=(libasound2-dev)
}

need_test() {
    need ffmpeg ffmpeg
    need chromium chromium
    need vlc vlc-bin
    # VLC's demuxers and packetizers.
    compgen -G "/usr/lib/*/vlc/plugins/demux/libadaptive_plugin.so" >/dev/null || packages+=(vlc-plugin-base)
    need mediainfo mediainfo
    # The servers that relays are tried with.
    need nginx nginx
    for module in rtmp stream; do
        [ -e "/usr/lib/nginx/modules/ngx_${module}_module.so" ] || packages+=("libnginx-mod-$module")
    done
    # Reverse proxies in front of perchd, beside nginx.
    need caddy caddy
    need apache2 apache2
    need curl curl
    # What reads the feed and the codes.
    need xmllint libxml2-utils
    need zbarimg zbar-tools
    # Programs that send streams by RTMP: GStreamer's own, and librtmp in its plugins.
    need gst-launch-1.0 gstreamer1.0-tools
    compgen -G "/usr/lib/*/gstreamer-1.0/libgstflv.so" >/dev/null || packages+=(gstreamer1.0-plugins-good)
    compgen -G "/usr/lib/*/gstreamer-1.0/libgstrtmp2.so" >/dev/null || packages+=(gstreamer1.0-plugins-bad)
    # TLS and HTTP/2, asked by others: certificates for Chromium, and many clients at a time.
    need openssl openssl
    need curl curl
    need certutil libnss3-tools
    need h2load nghttp2-client
    need node nodejs
    need npm npm
    need ssh-keygen openssh-client
    # How often the store syncs.
    need strace strace
    need python3 python3
    python3 -c 'import ensurepip, venv' 2>/dev/null || packages+=(python3-venv)
}

need_cross() {
    need mmdebstrap mmdebstrap
    # mmdebstrap uses it to check whether another machine's programs can run here.
    need arch-test arch-test
    need qemu-aarch64-static qemu-user-static
    need readelf binutils
    need curl curl
    need ffprobe ffmpeg
}

need_deb() {
    need lintian lintian
    need systemd-analyze systemd
    need man man-db
}

need_image() {
    need mmdebstrap mmdebstrap
    need arch-test arch-test
    need qemu-aarch64-static qemu-user-static
    need mkfs.erofs erofs-utils
    need mkfs.ext4 e2fsprogs
    need mkfs.vfat dosfstools
    need mcopy mtools
    need sfdisk fdisk
    need depmod kmod
    need xz xz-utils
    need python3 python3
    need curl curl
    need gpg gpg
    # For its boot test.
    need qemu-system-aarch64 qemu-system-arm
    need qemu-img qemu-utils
    need ffprobe ffmpeg
    need ssh openssh-client
    need ip iproute2
    need unshare util-linux
}

install_packages() {
    [ ${#packages[@]} -gt 0 ] || return 0
    local install="apt-get install --no-install-recommends ${packages[*]}"
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        echo "missing here; on Debian or Raspberry Pi OS: sudo $install" >&2
        case " ${packages[*]} " in *" cargo-web "*) echo "Rust $rust_needed or later from https://rustup.rs does, too" >&2 ;; esac
        exit 1
    fi
    echo "installing ${packages[*]}" >&2
    export DEBIAN_FRONTEND=noninteractive
    local servers=(nginx caddy apache2) server had=" "
    for server in "${servers[@]}"; do
        if systemctl -q is-active "$server" 2>/dev/null; then had+="$server "; fi
    done
    if apt-get -qq update && apt-get -qq install --yes --no-install-recommends "${packages[@]}" >/dev/null; then
        # Debian starts installed services; tests need the programs, not a site on port 80.
        for server in "${servers[@]}"; do
            if [[ $had != *" $server "* ]] && systemctl -q is-active "$server" 2>/dev/null; then systemctl -q disable --now "$server"; fi
        done
        return 0
    fi
    echo "could not install: $install" >&2
    exit 1
}

install_page_tools() {
    [ node_modules/.package-lock.json -nt package-lock.json ] || npm ci --silent --no-audit --no-fund
}

# Tests the HTTP interface; in a virtual environment, because Debian protects the system's Python.
install_api_tools() {
    local wanted=daemon/app/tests/schemathesis/requirements.txt
    [ .venv/installed -nt "$wanted" ] && return 0
    python3 -m venv .venv
    .venv/bin/pip install --quiet --disable-pip-version-check --requirement "$wanted"
    touch .venv/installed
}

# cargo-deb is available only from crates.io.
install_cargo_deb() {
    local version=3.8.0
    local root=${XDG_CACHE_HOME:-$HOME/.cache}/perch/cargo-deb-$version
    [ -x "$root/bin/cargo-deb" ] || cargo install --quiet --locked --version "$version" --no-default-features --root "$root" cargo-deb
}

for purpose in "$@"; do
    case $purpose in
        build) need_build ;;
        test) need_test ;;
        cross) need_cross ;;
        deb) need_deb ;;
        image) need_image ;;
        *) echo "setup.sh: build, cross, deb, image or test, not $purpose" >&2; exit 64 ;;
    esac
done
install_packages
case " $* " in *" deb "*) install_cargo_deb ;; esac
case " $* " in *" test "*) install_page_tools; install_api_tools ;; esac

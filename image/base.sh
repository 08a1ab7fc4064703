#!/usr/bin/env bash
# Makes the base of the image, a Debian 13 for arm64 with packages.txt in it, as a tar file, and prints that file's name. It takes a quarter of an
# hour under QEMU, so it is kept under ~/.cache/perch, by its inputs.
#
#     image/base.sh
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
suite=trixie
export SOURCE_DATE_EPOCH=1767225600  # 2026-01-01: every build has the same times

key=$(cat base.sh packages.txt | sha256sum | cut -c1-16)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/perch/image
base=$cache/base-$key.tar
if [ ! -e "$base" ]; then
    mkdir -p "$cache"
    ../cross/binfmt.sh arm64 >&2
    packages=$(sed 's/#.*//' packages.txt | paste --serial --delimiters=, | tr --delete ' ' | sed 's/,,*/,/g; s/^,//; s/,$//')
    # The initial RAM disk is build.sh's to make, once: each takes minutes under QEMU.
    # Documentation, translations and what is only there to be read is left out as it is unpacked.
    # The initial RAM disk is made by build.sh, from all that belongs into it.
    INITRD=No mmdebstrap --mode=root --format=tar --architectures=arm64 --variant=minbase --components=main,non-free-firmware \
        --aptopt='Apt::Install-Recommends "false"' \
        --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' \
        --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/info/*' \
        --dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-exclude=/usr/share/bash-completion/*' \
        --essential-hook='chroot "$1" dpkg-divert --quiet --local --rename --add /usr/sbin/update-initramfs' \
        --essential-hook='ln -s /bin/true "$1/usr/sbin/update-initramfs"' \
        --include="$packages" "$suite" "$base.part" "$(../cross/debian-mirror.sh)" >&2
    mv "$base.part" "$base"
fi
echo "$base"

#!/usr/bin/env bash
# Makes the base of the image, a Debian 13 for arm64 with packages.txt and the flavour's packages in it, as a tar file, and prints that file's name.
# It takes a quarter of an hour under QEMU, so it is kept under ~/.cache/perch, by its inputs. A release wants one of its own day, with the security fixes
# of that day.
#
#     image/base.sh debian|raspberrypi
#     image/base.sh --is-made debian|raspberrypi        only says by its exit code whether it is there
#     image/base.sh --anew debian|raspberrypi           makes it also where one is there
#
# Raspberry Pi OS for 64 bits is Debian with packages of its own over it: that is what the flavour raspberrypi is, too.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
case ${1:-} in --is-made | --anew) wish=$1; shift ;; *) wish= ;; esac
flavour=${1:?debian or raspberrypi}
suite=trixie components='main non-free-firmware'
export SOURCE_DATE_EPOCH=1767225600  # 2026-01-01: every build has the same times

key=$(cat base.sh packages.txt "flavours/$flavour/packages.txt" | sha256sum | cut -c1-16)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/perch/image
base=$cache/base-$flavour-$key.tar
case $wish in
    --is-made) test -e "$base"; exit ;;
    --anew) rm -f "$base" ;;
esac

# Gives the archive's line for apt. Its key comes over the network, so it is held against its fingerprint, which Raspberry Pi's documentation tells.
raspberrypi_archive() {
    local archive=${PERCH_RASPBERRYPI_ARCHIVE:-http://archive.raspberrypi.com/debian}
    local fingerprint=CF8A1AF502A2AA2D763BAE7E82B129927FA3303E
    local keyring=$cache/raspberrypi-archive-keyring.gpg
    curl --fail --silent --show-error --location --connect-timeout 20 --max-time 60 "$archive/raspberrypi.gpg.key" | gpg --dearmor --yes --output "$keyring" \
        || { echo "image: the flavour raspberrypi takes packages from $archive, which cannot be reached" >&2; return 1; }
    gpg --show-keys --with-colons "$keyring" | awk -F: -v wanted=$fingerprint '$1 == "pub" { keys++ } $1 == "fpr" && $10 == wanted { found = 1 } END { exit !(keys == 1 && found) }' \
        || { echo "image: the key of $archive is not the one of the Raspberry Pi archive" >&2; rm "$keyring"; return 1; }
    echo "deb [signed-by=$keyring] $archive $suite main"
}

if [ ! -e "$base" ]; then
    mkdir -p "$cache"
    ../cross/binfmt.sh arm64 >&2
    # With what has been mended since the last point release.
    sources=("deb $(../cross/debian-mirror.sh) $suite $components" "deb $(../cross/debian-mirror.sh) $suite-updates $components"
        "deb $(../cross/debian-mirror.sh security) $suite-security $components")
    if [ "$flavour" = raspberrypi ]; then
        raspberrypi=$(raspberrypi_archive)
        sources+=("$raspberrypi")
    fi
    packages=$(cat packages.txt "flavours/$flavour/packages.txt" | sed 's/#.*//' | paste --serial --delimiters=, | tr --delete ' ' | sed 's/,,*/,/g; s/^,//; s/,$//')
    # The initial RAM disk is build.sh's to make, once: each takes minutes under QEMU.
    # Documentation, translations and what is only there to be read is left out as it is unpacked.
    # The initial RAM disk is made by build.sh, from all that belongs into it.
    INITRD=No mmdebstrap --mode=root --format=tar --architectures=arm64 --variant=minbase \
        --aptopt='Apt::Install-Recommends "false"' \
        --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' \
        --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/info/*' \
        --dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-exclude=/usr/share/bash-completion/*' \
        --essential-hook='chroot "$1" dpkg-divert --quiet --local --rename --add /usr/sbin/update-initramfs' \
        --essential-hook='ln -s /bin/true "$1/usr/sbin/update-initramfs"' \
        --include="$packages" "$suite" "$base.part" "${sources[@]}" >&2
    mv "$base.part" "$base"
fi
echo "image: its Debian is of $(date --reference="$base" +%F)" >&2
echo "$base"

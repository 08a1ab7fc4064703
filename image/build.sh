#!/usr/bin/env bash
# Builds the image of a card: image/out/perch-VERSION-FLAVOUR.img.xz, the update for existing cards (.update), the list of its content
# (.cdx.json, CycloneDX) and their checksums.
#
#     sudo image/build.sh debian|raspberrypi PERCH.deb [--as-it-is [FOLDER]]
#
# Debian 13 (base.sh), perchd's package, the files of image/root, then those of the flavour. Four partitions: the boot files (FAT, readable on any
# computer), the system (erofs, read-only), space for a second system, and the state. The same inputs give the same bytes.
# `--as-it-is` skips the compression, which booting the image here does not need; FOLDER replaces image/out.
set -euo pipefail
flavour=${1:?debian or raspberrypi}
# Resolved before changing the folder: they are relative to the caller's.
package=$(realpath --canonicalize-existing "${2:?the package of perchd for arm64}")
out=${4:+$(realpath --canonicalize-missing "$4")}
cd "$(dirname "${BASH_SOURCE[0]}")"
out=${out:-$PWD/out}
[ -d "flavours/$flavour" ] || { echo "image: there is no flavour $flavour, only: $(ls flavours | paste --serial --delimiters=' ')" >&2; exit 64; }
[ "$(id -u)" = 0 ] || { echo "image: needs root: a foreign system is made, with files of many owners" >&2; exit 1; }

export SOURCE_DATE_EPOCH=1767225600  # as base.sh's
# Nothing may depend on who builds it and where: FAT has local times.
export TZ=UTC LC_ALL=C.UTF-8
umask 022
# Partitions are found by these ids. They are the same in every image, because a computer has only one such card.
disk_id=50455243
mebibyte=$((1024 * 1024))
boot_mebibytes=192 system_mebibytes=512 state_mebibytes=64

base=$(./base.sh "$flavour")
key=$(./update-key.sh)
work=$(mktemp --directory --tmpdir="${PERCH_IMAGE_TMPDIR:-/var/tmp}" perch-image.XXXXXX)
trap 'umount --quiet "$work/tree/proc" || true; rm -rf "$work"' EXIT
tree=$work/tree
mkdir "$tree"
tar --extract --file "$base" --directory "$tree" --numeric-owner --xattrs

# perchd, installed from its package.
cp "$package" "$tree/tmp/perch.deb"
mount -t proc proc "$tree/proc"
chroot "$tree" env DEBIAN_FRONTEND=noninteractive dpkg --install /tmp/perch.deb >&2
rm "$tree/tmp/perch.deb"

# Our files over Debian's.
for ours in root "flavours/$flavour/root"; do
    if [ -d "$ours" ]; then cp --recursive --no-dereference --no-preserve=ownership,timestamps "$ours/." "$tree/"; fi
done
echo perch >"$tree/etc/hostname"
# The key of the updates it accepts (usr/lib/perch/update), and the version below which it takes none: perchd's and the day of its Debian, which has that
# day's fixes.
echo "$flavour" >"$tree/usr/lib/perch/flavour"
echo "$(dpkg-deb --field "$package" Version)+base$(date --utc --reference="$base" +%Y%m%d)" >"$tree/usr/lib/perch/version"
printf 'perch namespaces="perch-update" %s\n' "$(ssh-keygen -y -f "$key" | cut --delimiter=' ' --fields=1,2)" >"$tree/usr/lib/perch/update-signers"
printf '127.0.0.1 localhost\n127.0.1.1 perch\n::1 localhost ip6-localhost ip6-loopback\n' >"$tree/etc/hosts"
ln --symbolic --force ../run/systemd/resolve/stub-resolv.conf "$tree/etc/resolv.conf"
# No key or id that two boards would share.
rm --force "$tree"/etc/ssh/ssh_host_* "$tree/var/lib/dbus/machine-id" "$tree/var/lib/systemd/random-seed"
: >"$tree/etc/machine-id"
mkdir --parents "$tree/state" "$tree/boot/firmware" "$tree/var/lib/perch"
systemctl --root="$tree" preset-all --preset-mode=full --quiet 2>/dev/null
# It is installed with networkd, but nothing here waits for a network.
systemctl --root="$tree" --quiet disable systemd-networkd-wait-online.service 2>/dev/null
systemctl --root="$tree" --quiet set-default multi-user.target
# No account has a password, so nobody can log in with one.
grep --quiet '^root:\*:' "$tree/etc/shadow" || { echo "image: root has a password" >&2; exit 1; }

kernel=$(basename "$(echo "$tree"/boot/vmlinuz-*)")
version=${kernel#vmlinuz-}
./slim.sh "$tree" "$version"
depmod --basedir "$tree" "$version"
chroot "$tree" env SOURCE_DATE_EPOCH=$SOURCE_DATE_EPOCH mkinitramfs -o /boot/initrd.img "$version" >&2
umount "$tree/proc"

# The boot partition.
boot=$work/boot
mkdir --parents "$boot/a"
cp "$tree"/usr/lib/raspi-firmware/*.* "$boot/"
cat boot/config.txt "flavours/$flavour/config.txt" >"$boot/config.txt"
# The boot files of one system (os_prefix in config.txt).
cp "$tree/boot/$kernel" "$boot/a/vmlinuz"
cp "$tree/boot/initrd.img" "$boot/a/initrd.img"
cp "$tree/usr/lib/linux-image-$version"/broadcom/bcm2[78]*-rpi-*.dtb "$boot/a/"
if [ -d "$tree/usr/lib/linux-image-$version/overlays" ]; then
    # With its README: without that file the boot loader looks for overlays beside config.txt.
    cp --recursive "$tree/usr/lib/linux-image-$version/overlays" "$boot/a/"
fi
echo "console=serial0,115200 console=tty1 root=PARTUUID=$disk_id-02 rootfstype=erofs ro rootwait systemd.volatile=state fsck.repair=yes panic=10 quiet" >"$boot/a/cmdline.txt"
rm --recursive "$tree/usr/lib/linux-image-$version" "$tree/usr/lib/raspi-firmware"
rm --force "$tree"/boot/vmlinuz* "$tree"/boot/initrd* "$tree"/vmlinuz* "$tree"/initrd* "$tree"/boot/System.map-*

# The list of its content.
dpkg-query --admindir="$tree/var/lib/dpkg" --show --showformat='${binary:Package}\t${Version}\t${Architecture}\t${source:Package}\t${source:Version}\n' \
    | LC_ALL=C sort >"$work/packages.tsv"
# On the board /var is in memory, and created at each start.
find "$tree/var" -mindepth 1 -delete
mkdir --parents "$tree/var/lib/perch" "$tree/var/lib/systemd"

mkfs.erofs -zlz4hc,9 -T "$SOURCE_DATE_EPOCH" -U 5045524b-0000-4000-8000-000000000001 "$work/system.img" "$tree" >"$work/erofs.log" 2>&1 \
    || { cat "$work/erofs.log" >&2; exit 1; }
[ "$(stat --format=%s "$work/system.img")" -le $((system_mebibytes * mebibyte)) ] || { echo "image: the system does not fit its partition" >&2; exit 1; }

truncate --size "${boot_mebibytes}M" "$work/boot.img"
mkfs.vfat -n PERCH-BOOT -i "$disk_id" --invariant "$work/boot.img" >/dev/null
find "$boot" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +
(cd "$boot" && find . -mindepth 1 -maxdepth 1 | LC_ALL=C sort | xargs -I{} mcopy -i "$work/boot.img" -s -m {} ::)

# debugfs makes its folders: mkfs -d would copy the times of the folders made here.
truncate --size "${state_mebibytes}M" "$work/state.img"
E2FSPROGS_FAKE_TIME=$SOURCE_DATE_EPOCH mkfs.ext4 -q -b 4096 -L perch-state -U 5045524b-0000-4000-8000-000000000004 -E "hash_seed=5045524b-0000-4000-8000-000000000005,root_owner=0:0" "$work/state.img"
printf '%s\n' "set_current_time @$SOURCE_DATE_EPOCH" "mkdir perch" "mkdir systemd" \
    | E2FSPROGS_FAKE_TIME=$SOURCE_DATE_EPOCH debugfs -w -f - "$work/state.img" >"$work/state.log" 2>&1
# Its exit code is always 0.
e2fsck -fn "$work/state.img" 2>&1 | grep --quiet '^perch-state: 13/' || { cat "$work/state.log" >&2; exit 1; }

# The whole card. The boot loaders of all boards know the old partition table (MBR).
image=$work/perch.img
start=4
truncate --size $(((start + boot_mebibytes + 2 * system_mebibytes + state_mebibytes) * mebibyte)) "$image"
put() { dd if="$1" of="$image" bs=1M seek="$2" conv=notrunc,sparse status=none; }
boot_at=$start system_at=$((start + boot_mebibytes)) second_at=$((start + boot_mebibytes + system_mebibytes)) state_at=$((start + boot_mebibytes + 2 * system_mebibytes))
sfdisk --quiet "$image" <<TABLE
label: dos
label-id: 0x$disk_id
start=${boot_at}MiB, size=${boot_mebibytes}MiB, type=c, bootable
start=${system_at}MiB, size=${system_mebibytes}MiB, type=83
start=${second_at}MiB, size=${system_mebibytes}MiB, type=83
start=${state_at}MiB, type=83
TABLE
put "$work/boot.img" $boot_at
put "$work/system.img" $system_at
put "$work/state.img" $state_at

perch_version=$(dpkg-deb --field "$package" Version)
mkdir --parents "$out"
name=perch-$perch_version-$flavour
rm --force "$out/$name".*
./sbom.py "$name" "$perch_version" "$SOURCE_DATE_EPOCH" "$work/packages.tsv" ../Cargo.lock >"$out/$name.cdx.json"

# For existing cards (root/usr/lib/perch/update).
mkdir "$work/update"
mv "$work/system.img" "$work/update/"
mv "$boot/a" "$work/update/boot"
cp "$tree/usr/lib/perch/flavour" "$tree/usr/lib/perch/version" "$work/update/"
(cd "$work/update" && find system.img boot flavour version -type f | LC_ALL=C sort | xargs sha256sum >"$work/SHA256SUMS" && mv "$work/SHA256SUMS" .)
# Ed25519 signatures are deterministic: the same sums have the same signature.
ssh-keygen -q -Y sign -f "$key" -n perch-update "$work/update/SHA256SUMS"
tar --create --format=ustar --sort=name --owner=0 --group=0 --numeric-owner --mode=u=rwX,go=rX --mtime="@$SOURCE_DATE_EPOCH" \
    --file "$out/$name.update" --directory "$work/update" SHA256SUMS SHA256SUMS.sig flavour version boot system.img

if [ "${3:-}" = --as-it-is ]; then
    mv "$image" "$out/$name.img"
else
    # Always with two threads' blocks: otherwise the bytes would depend on the number of processors.
    xz --threads=2 -6 --stdout "$image" >"$out/$name.img.xz"
fi
(cd "$out" && sha256sum "$name".* >"$work/sums" && mv "$work/sums" "$name.sha256")
ls -l --block-size=1M "$out/$name".* >&2
ls "$out/$name".img*

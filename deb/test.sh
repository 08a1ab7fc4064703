#!/usr/bin/env bash
# Tests the Debian package from deb/build.sh: lintian; systemd's check of the unit; then, in a Debian 12 of its architecture, installation,
# upgrade, removal, reinstallation and purge.
#
#     deb/test.sh [TARGET]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. cross/targets.sh
target=${1:-$(rustc --version --verbose | sed -n 's/^host: //p')}
name_target "$target"
daemon/setup.sh build cross deb
cross/binfmt.sh "$DEBIAN_ARCHITECTURE"
folder=${CARGO_TARGET_DIR:-target}/$target/debian
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
package=$(realpath "$folder/perch_$version-1_$DEBIAN_ARCHITECTURE.deb")
cache=${XDG_CACHE_HOME:-$HOME/.cache}/perch
passed=0
ok() { echo "ok: $*"; passed=$((passed + 1)); }
die() { echo "FAILED: $*" >&2; exit 1; }

lintian --fail-on error,warning "$package" || die "lintian finds fault with $package"
ok "lintian: no errors, no warnings"
systemd-analyze security --offline=true --threshold=15 systemd/perchd.service >/dev/null \
    || die "the unit's exposure is above 1.5: systemd-analyze security --offline=true systemd/perchd.service"
ok "exposure: $(systemd-analyze security --offline=true systemd/perchd.service | sed -n 's/.*level for perchd.service: \([0-9.]*\).*/\1/p') of 10, 1.5 at most"
for page in docs/perchd.1 docs/perch.toml.5; do
    complaints=$(LC_ALL=C.UTF-8 MANROFFSEQ='' MANWIDTH=80 man --warnings -E UTF-8 -l -Tutf8 -Z "$page" 2>&1 >/dev/null)
    [ -z "$complaints" ] || die "$page: $complaints"
done
ok "the manual's pages are sound"

# A Debian 12 with systemd, as on a board; the tarball is cached.
base=$cache/debian-12-systemd-alsa-$DEBIAN_ARCHITECTURE.tar
if [ ! -e "$base" ]; then
    mkdir -p "$cache"
    mmdebstrap --quiet --mode=root --variant=minbase --architectures="$DEBIAN_ARCHITECTURE" --include=systemd,udev,libstdc++6,libasound2 \
        bookworm "$base.new.tar" "$(cross/debian-mirror.sh)"
    mv "$base.new.tar" "$base"
fi
root=$(mktemp -d)
trap 'rm -rf --one-file-system "$root"' EXIT
tar -C "$root" -xf "$base"
cp "$package" "$root/perch.deb"
# The same package with the next version number.
dpkg-deb --raw-extract "$package" "$root/next"
sed -i "s/^Version: .*/Version: $version-2/" "$root/next/DEBIAN/control"
dpkg-deb --root-owner-group --build "$root/next" "$root/next.deb" >/dev/null
rm -rf "$root/next"

# Commands inside. The mounts end with them.
inside() {
    unshare --mount --propagation private sh -euc 'root=$1; shift; mount -t proc proc "$root/proc"; mount -t tmpfs tmpfs "$root/run"
        mkdir -p "$root/run/udev" "$root/run/systemd/system"
        exec chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive "$@"' sh "$root" "$@"
}
# systemd does not run in there. Requests to a running systemd are recorded.
for tool in systemctl deb-systemd-invoke udevadm; do
    inside dpkg-divert --quiet 2>/dev/null --local --rename --divert "/usr/bin/$tool.real" --add "$(inside sh -c "command -v $tool")"
    # Commands that only change files, such as enable, are executed.
    printf '#!/bin/sh\ncase "$1" in --root=*) exec %s.real "$@" ;; esac\necho "%s $*" >>/asked\n' "/usr/bin/$tool" "$tool" >"$root/usr/bin/$tool"
    chmod 755 "$root/usr/bin/$tool"
done
asked() { grep -qxF -- "$1" "$root/asked" || die "nobody asked for '$1', but for: $(cat "$root/asked")"; }
dpkg_inside() { : >"$root/asked"; inside dpkg "$@" >"$root/log" 2>&1 || die "dpkg $*: $(tail -n 5 "$root/log")"; }
has() { [ -e "$root/$1" ] || [ -L "$root/$1" ] || die "after $step there is no /$1"; }
has_no() { [ ! -e "$root/$1" ] && [ ! -L "$root/$1" ] || die "after $step there still is /$1"; }
wanted=etc/systemd/system/multi-user.target.wants/perchd.service

step=installing
dpkg_inside --install /perch.deb
has "$wanted"
asked 'deb-systemd-invoke start perchd.service perchd.socket'
asked "udevadm trigger --action=change --sysname-match=gpio*"
# Starting it would switch the board off.
! grep -E 'start .*perch-poweroff' "$root/asked" || die "installing starts perch-poweroff"
[ "$(inside id -Gn perch | tr ' ' '\n' | sort | tr '\n' ' ')" = "audio gpio perch video " ] || die "the groups of perch are $(inside id -Gn perch)"
asked_tmpfiles=$(inside stat -c '%U %G %a' /var/lib/perch)
[ "$asked_tmpfiles" = "perch perch 750" ] || die "/var/lib/perch is $asked_tmpfiles"
[ "$(inside perchd --version)" = "perchd $version" ] || die "perchd --version says $(inside perchd --version)"
inside perchd check-config >/dev/null || die "the shipped configuration is refused"
inside runuser -u perch -- perchd user list >/dev/null || die "its user cannot use its folder"
inside systemd-analyze verify perchd.service perchd.socket perchd-https.socket perch-poweroff.path >"$root/log" 2>&1 || true
! grep -v 'Command .man' "$root/log" | grep -i perch || die "systemd-analyze verify: $(cat "$root/log")"
ok "installed: user, groups, folder, configuration, units; perchd runs"

step=upgrading
sed -i 's/^autostart = false/autostart = true/' "$root/etc/perch/perch.toml"
echo kept >"$root/var/lib/perch/kept"
dpkg_inside --install /next.deb
grep -q '^autostart = true' "$root/etc/perch/perch.toml" || die "an upgrade loses the owner's configuration"
has var/lib/perch/kept
asked 'deb-systemd-invoke restart perchd.service perchd.socket'
! grep -E ' (start|restart) .*perch-poweroff' "$root/asked" || die "upgrading starts perch-poweroff"
ok "upgraded: configuration and data kept, the daemon restarted"

step=removing
dpkg_inside --remove perch
asked 'deb-systemd-invoke stop perchd.service perchd.socket'
has_no usr/bin/perchd
has_no usr/lib/systemd/system/perchd.service
has etc/perch/perch.toml
has var/lib/perch/kept
ok "removed: configuration and data kept"

step='installing again'
dpkg_inside --install /perch.deb
has var/lib/perch/kept
has "$wanted"
ok "installed again: everything is there"

step=purging
dpkg_inside --purge perch
for path in var/lib/perch etc/perch usr/bin/perchd "$wanted" \
    usr/share/doc/perch usr/lib/sysusers.d/perch.conf; do
    has_no "$path"
done
ok "purged: nothing is left"
echo "$passed passed, 0 failed"

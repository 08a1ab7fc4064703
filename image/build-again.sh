#!/usr/bin/env bash
# Builds the image in image/out, or in FOLDER, again from the same package, and compares: the same inputs must give the same bytes.
#
#     sudo image/build-again.sh PERCH.deb [FOLDER]
set -euo pipefail
# Resolved before changing the folder: they are relative to the caller's.
package=$(realpath --canonicalize-existing "${1:?the package that the image is of}")
first=${2:+$(realpath "$2")}
cd "$(dirname "${BASH_SOURCE[0]}")"
name=perch-$(dpkg-deb --field "$package" Version)-debian
first=${first:-$PWD/out}/$name
folder=$(mktemp --directory --tmpdir="${PERCH_IMAGE_TMPDIR:-/var/tmp}" perch-again.XXXXXX)
trap 'rm -rf "$folder"' EXIT
again=$folder/$name

# Under different conditions: another umask and time zone; the folder and the time differ anyway.
(umask 077 && TZ=Asia/Kolkata ./build.sh debian "$package" --as-it-is "$folder" >/dev/null)
passed=0 failed=0
same() {
    local said
    if said=$(cmp "$2" "$again.$1" 2>&1); then passed=$((passed + 1)); echo "ok   built again, the same bytes: $name.$1"
    else failed=$((failed + 1)); echo "FAIL built again, $name.$1 differs: $said"; fi
}
same cdx.json "$first.cdx.json"
same update "$first.update"
if [ -e "$first.img.xz" ]; then same img <(xz --decompress --stdout "$first.img.xz"); else same img "$first.img"; fi
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]

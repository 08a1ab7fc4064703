#!/usr/bin/env bash
# Builds the image in image/out once more, from the same package, and compares: the same inputs give the same bytes.
#
#     sudo image/build-again.sh PERCH.deb
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
package=$(realpath "${1:?the package that the image in image/out is of}")
name=perch-$(dpkg-deb --field "$package" Version)-debian
again=$(mktemp --directory --tmpdir="${PERCH_IMAGE_TMPDIR:-/var/tmp}" perch-again.XXXXXX)
trap 'rm -rf "$again"' EXIT

# By somebody else: other rights of new files, other local time; the folder and the time are others anyway.
(umask 077 && TZ=Asia/Kolkata ./build.sh debian "$package" --as-it-is "$again" >/dev/null)
passed=0 failed=0
same() {
    local said
    if said=$(cmp "$2" "$again/$name.$1" 2>&1); then passed=$((passed + 1)); echo "ok   built again, the same bytes: $name.$1"
    else failed=$((failed + 1)); echo "FAIL built again, $name.$1 differs: $said"; fi
}
same cdx.json "out/$name.cdx.json"
same update "out/$name.update"
if [ -e "out/$name.img.xz" ]; then same img <(xz --decompress --stdout "out/$name.img.xz"); else same img "out/$name.img"; fi
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]

#!/usr/bin/env bash
# Builds the image and tries as much of it as fits into so many minutes. What does not fit is named in the last lines, which begin with NOT TRIED.
#
#     sudo image/ci.sh MINUTES
#
# The boot test takes 22 minutes of one processor, an image 1.5 (the base and the compiled crates are in ~/.cache/perch); without the caches the base
# and perchd take most of half an hour on two.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
minutes=${1:?how many minutes}
left() { echo $((minutes - SECONDS / 60)); }
out=$(mktemp --directory --tmpdir="${PERCH_IMAGE_TMPDIR:-/var/tmp}" perch-ci.XXXXXX)
trap 'rm -rf "$out"' EXIT

daemon/setup.sh build image deb
deb/build.sh aarch64-unknown-linux-gnu
package=$(ls -t "${CARGO_TARGET_DIR:-target}"/aarch64-unknown-linux-gnu/debian/perch_*_arm64.deb | head -n 1)
image/build.sh debian "$package" --as-it-is "$out" >/dev/null
echo "the image was built after $((SECONDS / 60)) minutes"
failed=0
# Three minutes are for the second build.
image/boot_test/run.py "$out"/*.img "$out"/*.update --minutes $(($(left) - 3)) || failed=1
if [ "$(left)" -ge 2 ]; then
    image/build-again.sh "$package" "$out" || failed=1
else
    echo "NOT TRIED, for it does not fit into $minutes minutes here: the image built a second time, and compared"
fi
exit $failed

#!/bin/bash
# Cuts the power of a recording ROUNDS times by replaying a disk's writes (scenario 27), and ROUNDS times by killing a virtual machine
# (recording_power_cuts.py). Half of each are on ext4, half on f2fs. Writes the results to recording-power-cuts.txt; exit 1 on a failure.
#
#     recording-power-cuts.sh [ROUNDS]        default: 100; takes some hours
#
# PERCHD is the daemon's program; by default the release build, which is made.
set -uo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
rounds=${1:-100}
table=$here/recording-power-cuts.txt
if [ -z "${PERCHD:-}" ]; then
    (cd "$root" && cargo build --release -p perchd) || exit 1
    PERCHD=$(cd "$root" && realpath "${CARGO_TARGET_DIR:-target}/release/perchd")
fi
export PERCHD
out=$(mktemp -d)
failed=0
PERCH_LAB_OUT=$out PERCH_LAB_SECONDS=$((1200 + 120 * rounds)) PERCH_LAB_CUTS=$(((rounds + 1) / 2)) "$here/run.sh" 27 || failed=1
"$here/recording_power_cuts.py" "$PERCHD" "${XDG_CACHE_HOME:-$HOME/.cache}/perch/lab/root" --rounds "$rounds" --table "$out/killed.txt" || failed=1
{
    echo "Times are those of an emulated machine on a busy host."
    echo
    echo "Replayed from the log of a disk's writes:"
    echo
    cat "$out/27_recording_power_cuts/table.txt"
    echo
    cat "$out/killed.txt"
} >"$table"
if [ $failed = 0 ]; then rm -rf "$out"; else echo "logs and recordings: $out"; fi
exit $failed

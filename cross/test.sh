#!/usr/bin/env bash
# Runs a built perchd for a board on this machine, under QEMU's emulation of that board's processor and with Debian 12's own libraries: `check-config`,
# `probe`, and a live test pattern that is fetched with curl and checked with ffprobe.
#
#     cross/test.sh TARGET [FILE]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. cross/targets.sh
name_target "${1:-}"
program=${2:-${CARGO_TARGET_DIR:-target}/$1/dist/perchd}
daemon/setup.sh cross
die() { echo "cross: $*" >&2; exit 1; }
cross/check.sh "$1" "$program"

libraries=${XDG_CACHE_HOME:-$HOME/.cache}/perch/debian-12-libraries-alsa-$DEBIAN_ARCHITECTURE
if [ ! -d "$libraries" ]; then
    rm -rf "$libraries.new"
    mmdebstrap --quiet --mode=root --variant=extract --architectures="$DEBIAN_ARCHITECTURE" --include=libc6,libgcc-s1,libstdc++6,libasound2 \
        bookworm "$libraries.new" "$(cross/debian-mirror.sh)"
    mv "$libraries.new" "$libraries"
fi

work=$(mktemp -d)
daemon=
trap '[ -z "$daemon" ] || kill -KILL "$daemon" 2>/dev/null || true; rm -rf "$work"' EXIT
# With absolute paths, too: QEMU's -L does not apply to statx(2), which the 32-bit loader uses to check its folders.
perchd=("$QEMU" -L "$libraries" -E "LD_LIBRARY_PATH=$libraries/lib/$GNU:$libraries/usr/lib/$GNU" "$program" --data-dir "$work/data")

"${perchd[@]}" --version
"${perchd[@]}" check-config --config systemd/perch.toml >/dev/null || die "check-config finds fault with the shipped configuration"
! "${perchd[@]}" check-config --config README.md >/dev/null 2>&1 || die "check-config takes anything"
"${perchd[@]}" probe | grep -qi 'test pattern' || die "probe does not say what it would use"

cat >"$work/perch.toml" <<'TOML'
[live]
autostart = true
[[camera]]
source = "test-pattern"
width = 320
height = 180
frames_per_second = 10
TOML
mkfifo "$work/log"
"${perchd[@]}" --config "$work/perch.toml" --listen 127.0.0.1:0 2>"$work/log" &
daemon=$!
# The log contains the address; the rest must be read, too, or the daemon would block.
exec 3<"$work/log"
site=
while [ -z "$site" ] && IFS= read -r -t 60 line <&3; do
    echo "$line"
    case $line in *"listening on http://"*) site=http://${line##*http://} ;; esac
done
cat <&3 >"$work/rest" &
[ -n "$site" ] || die "it does not listen"
curl --silent --show-error --fail --retry 60 --retry-delay 1 --retry-all-errors --output /dev/null "$site/readyz" 2>"$work/tries" \
    || die "it is not ready in a minute: $(tail -n 1 "$work/tries"; cat "$work/rest")"
timeout 60 ffprobe -v error -count_frames -read_intervals %+2 -select_streams v -show_entries stream=codec_name,width,height,nb_read_frames -of csv=p=0 \
    "$site/media/live/index.m3u8" >"$work/frames" || die "ffprobe cannot read the stream"
IFS=, read -r codec width height frames <"$work/frames"
[ "$codec $width $height" = "h264 320 180" ] && [ "$frames" -ge 10 ] || die "the stream is $(cat "$work/frames")"
memory=$(awk '/^VmRSS/ { print $2 }' "/proc/$daemon/status")
kill -TERM "$daemon"
wait "$daemon" || die "it ended with $? after SIGTERM: $(cat "$work/rest")"
daemon=
echo "$1: live under $QEMU with Debian 12's libraries: $frames frames of $codec ${width}x$height; $memory kB with the emulator; ended well"
echo "1 passed, 0 failed"

#!/bin/sh
# Tests the module's encoder with another project's decoder, without a kernel: easy and hard pictures (noise; all zero bytes, which
# need the most escapes; odd sizes, which need cropping) must be decoded bit-exactly.
#
#     test.sh         needs cc and ffmpeg; prints one line per case; exit 1 if one differs
set -eu
here=$(cd "$(dirname "$0")" && pwd)
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cc -std=gnu11 -Wall -Wextra -Werror -Wno-sign-compare -O2 -o "$tmp/roundtrip" "$here/test/roundtrip.c" "$here/h264.c"

# round LAYOUT PIX_FMT WIDTH HEIGHT STRIDE LAVFI
round() {
    layout=$1 pix_fmt=$2 width=$3 height=$4 stride=$5 lavfi=$6
    ffmpeg -v error -nostdin -f lavfi -i "$lavfi,scale=$width:$height,format=$pix_fmt" -frames:v 20 -f rawvideo "$tmp/raw"
    "$tmp/roundtrip" "$layout" "$width" "$height" "$stride" 8 <"$tmp/raw" >"$tmp/coded.h264"
    ffmpeg -v warning -xerror -nostdin -f h264 -i "$tmp/coded.h264" -pix_fmt yuv420p -f rawvideo -y "$tmp/decoded" 2>"$tmp/words"
    grep -v 'not enough frames to estimate' "$tmp/words" >&2 && { echo "FAIL $lavfi $layout: the decoder complains"; exit 1; }
    ffmpeg -v error -nostdin -f rawvideo -pix_fmt "$pix_fmt" -s "${width}x$height" -i "$tmp/raw" -pix_fmt yuv420p -f rawvideo -y "$tmp/expected"
    if [ "$layout" = yuyv ]; then # ffmpeg filters chroma a little differently when it makes 4:2:0 of 4:2:2
        psnr=$(ffmpeg -nostdin -f rawvideo -pix_fmt yuv420p -s "${width}x$height" -i "$tmp/decoded" -f rawvideo -pix_fmt yuv420p \
            -s "${width}x$height" -i "$tmp/expected" -lavfi psnr -f null - 2>&1 | sed -n 's/.*average:\([0-9a-z]*\).*/\1/p')
        { [ "$psnr" = inf ] || [ "$psnr" -ge 40 ]; } || { echo "FAIL $lavfi $layout: PSNR $psnr dB"; exit 1; }
    else
        cmp "$tmp/decoded" "$tmp/expected" || { echo "FAIL $lavfi $layout"; exit 1; }
    fi
    echo "ok   $layout ${width}x$height $lavfi"
    rm -f "$tmp/raw" "$tmp/decoded" "$tmp/expected"
}
round i420 yuv420p 320 240 320 testsrc2
round nv12 nv12 320 240 320 testsrc2
round yuyv yuyv422 320 240 640 testsrc2
round i420 yuv420p 130 98 130 testsrc2
round nv12 nv12 1920 1080 1920 testsrc2
round i420 yuv420p 64 48 64 "nullsrc=s=64x48,geq=lum=random(1)*255:cb=random(2)*255:cr=random(3)*255"
round i420 yuv420p 64 48 64 "nullsrc=s=64x48,geq=lum=0:cb=0:cr=0"
round i420 yuv420p 64 48 64 "nullsrc=s=64x48,geq=lum=random(1)*3:cb=0:cr=mod(X\,3)"

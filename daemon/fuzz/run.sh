#!/usr/bin/env bash
# Fuzzes every target for SECONDS: run.sh [SECONDS]. Fails at the first input that breaks one, and prints where it is saved.
# The address sanitizer needs a nightly toolchain; without one it fuzzes without the sanitizer.
set -euo pipefail
seconds=${1:-60}
here=$(cd "$(dirname "$0")" && pwd)
version=0.13.2
tools=${XDG_CACHE_HOME:-$HOME/.cache}/perch/cargo-fuzz-$version
[ -x "$tools/bin/cargo-fuzz" ] || cargo install --locked --root "$tools" "cargo-fuzz@$version"
export PATH="$tools/bin:$PATH"

toolchain=() sanitizer=(--sanitizer none)
if command -v rustup >/dev/null && rustup toolchain list | grep -q '^nightly'; then
    toolchain=(+nightly) sanitizer=()
fi

cd "$here"
passed=0
for target in annex_b sps mux_demux demux cmaf_scan recording_index ingest_session amf0 flv_tags relay_session; do
    mkdir -p "corpus/$target"
    cargo "${toolchain[@]}" fuzz run --fuzz-dir . "${sanitizer[@]}" "$target" "corpus/$target" "seeds/$target" -- \
        -max_total_time="$seconds" -max_len=16384 -timeout=10 -rss_limit_mb=1024 -print_final_stats=1
    passed=$((passed + 1))
done
echo "$passed passed, 0 failed"

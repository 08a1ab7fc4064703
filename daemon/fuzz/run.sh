#!/usr/bin/env bash
# Fuzzes targets: run.sh [--table FILE] [SECONDS [TARGET]...], by default every target for a minute.
# Without --table it fails at the first input that breaks one, and prints where it is saved. With it, it goes on, writes for each target how often it
# ran and how many inputs broke it into FILE, and fails at the end.
# The address sanitizer needs a nightly toolchain; without one it fuzzes without the sanitizer.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
table=
if [ "${1:-}" = --table ]; then table=$(realpath "$2"); shift 2; fi
seconds=${1:-60}
shift || true
version=0.13.2
tools=${XDG_CACHE_HOME:-$HOME/.cache}/perch/cargo-fuzz-$version
[ -x "$tools/bin/cargo-fuzz" ] || cargo install --locked --root "$tools" "cargo-fuzz@$version"
export PATH="$tools/bin:$PATH"

toolchain=() sanitizer=(--sanitizer none) how="no sanitizer"
if command -v rustup >/dev/null && rustup toolchain list | grep -q '^nightly'; then
    toolchain=(+nightly) sanitizer=() how="address sanitizer"
fi

cd "$here"
targets=("$@")
[ $# -gt 0 ] || mapfile -t targets < <(sed -n '/^\[\[bin\]\]/,$ s/^name = "\(.*\)"/\1/p' Cargo.toml)
log=$(mktemp)
# Targets that need files keep them in memory.
trap 'rm -rf "$log" /dev/shm/perch-fuzz-*' EXIT
passed=0 failed=0
[ -z "$table" ] || printf '%-18s %10s %12s %8s  %s\n' target seconds executions findings "$(date -u +%F), $how" >"$table"
for target in "${targets[@]}"; do
    mkdir -p "corpus/$target"
    from=$SECONDS
    if cargo "${toolchain[@]}" fuzz run --fuzz-dir . "${sanitizer[@]}" "$target" "corpus/$target" "seeds/$target" -- \
        -max_total_time="$seconds" -max_len=16384 -timeout=10 -rss_limit_mb=1024 -print_final_stats=1 2>&1 | tee "$log" >&2; then
        passed=$((passed + 1)) findings=0
    else
        failed=$((failed + 1)) findings=1
    fi
    [ -n "$table" ] || [ "$findings" = 0 ] || exit 1
    [ -z "$table" ] || printf '%-18s %10s %12s %8s  %s\n' "$target" $((SECONDS - from)) \
        "$(sed -n 's/^stat::number_of_executed_units: *//p' "$log" | tail -n 1)" "$findings" \
        "$(sed -n 's/^Test unit written to //p; s/.*Test unit written to //p' "$log" | sort -u | head -n 1)" >>"$table"
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]

#!/usr/bin/env bash
# Prints a program's size and its requirements, and fails if Debian 12 does not meet them.
#
#     cross/check.sh TARGET FILE
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/targets.sh"
name_target "$1"
file=$2
die() { echo "cross: $file $*" >&2; exit 1; }

# The newest symbol version of a library that the file needs; empty if it needs none.
newest() { readelf --wide --version-info "$file" | sed -n "s/.*\b$1_\([0-9][0-9.]*\).*/\1/p" | sort -Vu | tail -n 1; }
at_most() { [ "$(printf '%s\n' "$1" "$2" | sort -V | tail -n 1)" = "$2" ]; }

case $DEBIAN_ARCHITECTURE in arm64) machine=AArch64 ;; armhf) machine=ARM ;; amd64) machine='Advanced Micro Devices X86-64' ;; esac
readelf --file-header "$file" | grep -q "Machine: *$machine$" || die "is not for $1"
! readelf --wide --sections "$file" | grep -Eq '\.(symtab|debug_info)\b' || die "is not stripped"

needs=()
for rule in "GLIBC $HIGHEST_GLIBC" "GLIBCXX $HIGHEST_GLIBCXX" "CXXABI $HIGHEST_CXXABI"; do
    read -r name highest <<<"$rule"
    found=$(newest "$name")
    # Every program needs glibc: an empty result means that the check itself is broken.
    [ "$name" != GLIBC ] || [ -n "$found" ] || die "names no version of glibc"
    [ -z "$found" ] || at_most "$found" "$highest" || die "needs $name $found; Debian 12 has $highest"
    [ -z "$found" ] || needs+=("$name $found")
done
libraries=$(readelf --wide --dynamic "$file" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | sort | tr '\n' ' ')
# Libraries that Debian 12 always has, or that the package depends on. Any other is a mistake.
for library in $libraries; do
    case $library in
        libc.so.6 | libm.so.6 | libgcc_s.so.1 | libstdc++.so.6 | libasound.so.2 | ld-linux*.so.*) ;;
        *) die "needs $library, which the package does not depend on" ;;
    esac
done
printf '%s: %s bytes (%s MiB); needs %s; %s\n' "$file" "$(stat -c %s "$file")" \
    "$(awk -v bytes="$(stat -c %s "$file")" 'BEGIN { printf "%.1f", bytes / 1048576 }')" "$(IFS=,; echo "${needs[*]}")" "$libraries"

#!/bin/bash
# Boots a virtual machine with real video drivers and runs the scenarios in it, with the host's build of perchd.
#
#     run.sh [--perchd FILE] [--tools FOLDER] [--keep] [SCENARIO...]        default: all scenarios; 03 means 03_….py
#
# PERCHD and PERCH_LAB_TOOLS replace the first two options; without them both are built here (release). PERCH_LAB_OUT is the folder
# for logs and pictures (default: a new one, removed if all passed unless --keep); PERCH_LAB_SECONDS is a machine's time limit (2400).
# Last line: "N passed, N failed"; exit 1 on a failure.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
perchd=${PERCHD:-}
tools=${PERCH_LAB_TOOLS:-}
keep=${PERCH_LAB_OUT:+yes}
chosen=()
while [ $# -gt 0 ]; do
    case $1 in
        --perchd) perchd=$2; shift 2 ;;
        --tools) tools=$2; shift 2 ;;
        --keep) keep=yes; shift ;;
        -h | --help) sed -n '2,9s/^# \{0,1\}//p' "$0"; exit ;;
        *) chosen+=("$1"); shift ;;
    esac
done

if [ -z "$perchd" ]; then
    (cd "$root" && cargo build --release -p perchd)
    perchd=$(cd "$root" && realpath "${CARGO_TARGET_DIR:-target}/release/perchd")
fi
if [ -z "$tools" ]; then
    (cd "$root" && cargo build --release -p perch-device --examples)
    tools=$(cd "$root" && realpath "${CARGO_TARGET_DIR:-target}/release/examples")
fi
perchd=$(realpath "$perchd")
tools=$(realpath "$tools")
"$here/setup.sh" >/dev/null
cache=${XDG_CACHE_HOME:-$HOME/.cache}/perch/lab
# Under its own name: virtme-ng derives the modules' folder from it.
kernel=$(readlink -f "$cache/vmlinuz")
out=${PERCH_LAB_OUT:-$(mktemp -d)}
mkdir -p "$out"
out=$(realpath "$out")

scenarios=()
for file in "$here"/scenarios/[0-9]*.py; do
    name=$(basename "$file" .py)
    if [ ${#chosen[@]} -eq 0 ]; then scenarios+=("$name"); fi
    for prefix in "${chosen[@]}"; do case $name in "$prefix"*) scenarios+=("$name") ;; esac; done
done
[ ${#scenarios[@]} -gt 0 ] || { echo "no such scenario: ${chosen[*]}" >&2; exit 2; }
rm -f "$out"/machine-*.log
for name in "${scenarios[@]}"; do rm -rf "${out:?}/$name"; done

# Hardware virtualisation if it really works: on some machines /dev/kvm exists but no guest starts. Without it the guest's
# clock counts executed instructions (2 ns each) instead of the host's time: a busy host makes the run longer, but no
# deadline shorter.
accelerate=(--disable-kvm --cpus 1 --qemu-opts="-icount shift=1,sleep=on")
guest() { # guest SECONDS COMMAND
    # The console is read through a pipe: QEMU would overwrite a file from its beginning for each of its streams.
    timeout --kill-after=5 "$1" "$cache/venv/bin/vng" --run "$kernel" --verbose --user root --memory 1G --append oops=panic \
        "${accelerate[@]}" --rwdir "$out=$out" --exec "$2" </dev/null 2>&1 | cat
}
export PATH="$cache/venv/bin:$PATH"
if grep -qwE 'vmx|svm' /proc/cpuinfo && [ -w /dev/kvm ]; then
    software=("${accelerate[@]}")
    accelerate=(--cpus 2)
    guest 30 "echo it works" | grep -q "it works" || accelerate=("${software[@]}")
fi

# Scenarios' own switches reach them in the machine, too.
switches=()
for name in "${!PERCH_LAB_@}"; do switches+=("$name=${!name@Q}"); done
# A machine runs scenarios one after the other; if one kills it, another machine runs the rest.
run_shard() { # run_shard NUMBER SCENARIO...
    local number=$1 left
    shift
    while [ $# -gt 0 ]; do
        guest "${PERCH_LAB_SECONDS:-2400}" "cd $here && ${switches[*]} PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 -m lab.runner guest \
            --out $out --perchd $perchd --tools $tools $*" >>"$out/machine-$number.log" || true
        left=()
        for name in "$@"; do [ -e "$out/$name/guest.json" ] || left+=("$name"); done
        [ ${#left[@]} -lt $# ] || { echo "the virtual machine does not start" >>"$out/machine-$number.log"; return; }
        set -- "${left[@]}"
    done
}
began=$(date +%s)
(cd "$here" && PYTHONDONTWRITEBYTECODE=1 python3 -m lab.runner prepare --out "$out" --perchd "$perchd" --tools "$tools" "${scenarios[@]}")
even=() odd=()
for i in "${!scenarios[@]}"; do if ((i % 2)); then odd+=("${scenarios[i]}"); else even+=("${scenarios[i]}"); fi; done
run_shard 1 "${even[@]}" &
shards=($!)
if [ ${#odd[@]} -gt 0 ]; then run_shard 2 "${odd[@]}" & shards+=($!); fi
trap 'kill "${shards[@]}" 2>/dev/null || true' EXIT
wait "${shards[@]}"
trap - EXIT

cd "$here"
for name in "${scenarios[@]}"; do
    # Checking the files of a failed guest is useless.
    grep -q '"passed": true' "$out/$name/guest.json" 2>/dev/null || continue
    PYTHONDONTWRITEBYTECODE=1 python3 -m lab.runner host --out "$out" --perchd "$perchd" --tools "$tools" "$name"
done
if PYTHONDONTWRITEBYTECODE=1 python3 -m lab.report "$out" "${scenarios[@]}" "$(($(date +%s) - began))"; then
    [ -n "$keep" ] || rm -rf "$out"
else
    exit 1
fi

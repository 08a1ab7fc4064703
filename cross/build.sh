#!/usr/bin/env bash
# Builds perchd for a board: target/TARGET/dist/perchd, stripped, and checked to run on Debian 12.
#
#     cross/build.sh aarch64-unknown-linux-gnu          also armv7-unknown-linux-gnueabihf, x86_64-unknown-linux-gnu
#
# Uses `cross` (cross.toml) if rustup exists and Docker or Podman answers; PERCH_CROSS=chroot prevents that. Otherwise it uses a chroot of
# Debian 12, which has packages for Rust and cross compilers; that needs root. A newer Debian would not do: Rust's library uses symbols of
# its glibc. The chroot and its build results are cached in ~/.cache/perch by the hash of their inputs.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. cross/targets.sh
name_target "${1:-}"
target=$1
cache=${XDG_CACHE_HOME:-$HOME/.cache}/perch
output=${CARGO_TARGET_DIR:-target}/$target/dist
cross_version=0.2.5
say() { echo "cross: $*" >&2; }

# Finds the one that answers; `cross` would use Docker's client even if its daemon does not run.
engine() {
    local name
    for name in docker podman; do
        if "$name" info >/dev/null 2>&1; then echo "$name"; return; fi
    done
    return 1
}

build_with_cross() {
    [ -x "$cache/cross-$cross_version/bin/cross" ] \
        || cargo install --quiet --locked --version "$cross_version" --root "$cache/cross-$cross_version" cross
    # A Rust by its number: `cross` does not find the default one in today's rustup's list (cross-rs/cross#1678), and so would have it updated.
    local rust
    rust=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
    rustup run "$rust" rustc --version >/dev/null 2>&1 || rustup toolchain install "$rust" --profile minimal --no-self-update
    # Separate from this machine's own builds: build scripts linked to its newer glibc do not run in the container.
    local apart=${CARGO_TARGET_DIR:-$PWD/target}/cross
    CROSS_CONFIG=cross.toml CROSS_CONTAINER_ENGINE=$1 CARGO_TARGET_DIR=$apart \
        "$cache/cross-$cross_version/bin/cross" "+$rust" build --profile dist --locked --package perchd --target "$target"
    built=$apart/$target/dist/perchd
}

# rustc-web, which Debian also updates in old releases; GCC for the machine itself (build scripts) and for the target; libclang and the
# target's libraries with headers.
packages=(ca-certificates rustc-web cargo-web "libstd-rust-web-dev:$DEBIAN_ARCHITECTURE" gcc g++ libc6-dev "gcc-${GNU//_/-}" "g++-${GNU//_/-}"
    "libasound2-dev:$DEBIAN_ARCHITECTURE" libclang-dev cmake make perl pkg-config)

make_chroot() {
    say "making the chroot: some minutes, 1.5 GB"
    rm -rf --one-file-system "$chroot.new"
    mmdebstrap --quiet --mode=root --variant=apt --architectures="$architectures" --aptopt='Apt::Install-Recommends "false"' \
        --include="$(IFS=,; echo "${packages[*]}")" bookworm "$chroot.new" \
        "deb $(cross/debian-mirror.sh) bookworm main" "deb $(cross/debian-mirror.sh security) bookworm-security main"
    mkdir -p "$chroot.new"/{source,cargo/registry,target}
    # A chroot with older inputs is useless.
    find "$cache" -maxdepth 1 -name "cross-$DEBIAN_ARCHITECTURE-*" ! -path "$chroot.new" -exec rm -rf --one-file-system {} +
    mv "$chroot.new" "$chroot"
}

build_in_chroot() {
    [ "$(dpkg --print-architecture)" = amd64 ] || { say "the chroot is made of amd64 programs: install Docker"; exit 1; }
    [ "$(id -u)" = 0 ] || { say "a chroot is for root: sudo make cross TARGET=$target, or install Docker"; exit 1; }
    daemon/setup.sh build cross
    # Two runs share their build results.
    mkdir -p "$cache"
    exec 9>"$cache/cross.lock"
    flock 9
    architectures=amd64
    [ "$DEBIAN_ARCHITECTURE" = amd64 ] || architectures+=,$DEBIAN_ARCHITECTURE
    chroot=$cache/cross-$DEBIAN_ARCHITECTURE-$(echo "bookworm ${packages[*]}" | sha256sum | cut -c1-16)
    [ -d "$chroot" ] || make_chroot
    # All downloads happen here: the chroot has no usable network.
    cargo fetch --quiet --locked
    local registry=${CARGO_HOME:-$HOME/.cargo}/registry upper=${target^^}
    # The mounts are of that namespace and end with it. Paths in it are always the same, and so are the ones in the program.
    unshare --mount --propagation private sh -euc '
        chroot=$1 registry=$2; shift 2
        mount --bind -o ro "$PWD" "$chroot/source"
        mount --bind -o ro "$registry" "$chroot/cargo/registry"
        mount -t proc proc "$chroot/proc"
        mount --rbind /dev "$chroot/dev"
        exec chroot "$chroot" env -i "$@"' sh "$chroot" "$registry" \
        PATH=/usr/bin:/bin HOME=/cargo LC_ALL=C.UTF-8 CARGO_HOME=/cargo CARGO_TARGET_DIR=/target ${CARGO_BUILD_JOBS:+"CARGO_BUILD_JOBS=$CARGO_BUILD_JOBS"} \
        "CARGO_TARGET_${upper//-/_}_LINKER=$GNU-gcc" CARGO_PROFILE_DIST_STRIP=symbols "TARGET_CC=$GNU-gcc" "TARGET_CXX=$GNU-g++" "TARGET_AR=$GNU-ar" \
        PKG_CONFIG_ALLOW_CROSS=1 "PKG_CONFIG_PATH=/usr/lib/$GNU/pkgconfig" "BINDGEN_EXTRA_CLANG_ARGS=-I/usr/include/$GNU -I/usr/$GNU/include" \
        cargo build --profile dist --frozen --package perchd --target "$target" --manifest-path /source/Cargo.toml
    built=$chroot/target/$target/dist/perchd
}

# `cross` has rustup bring Rust and the target's library.
if [ "${PERCH_CROSS:-}" != chroot ] && command -v rustup >/dev/null && answering=$(engine); then
    build_with_cross "$answering"
else
    build_in_chroot
fi
mkdir -p "$output"
# The copy appears only when it is complete.
install -m 755 "$built" "$output/perchd.new"
mv "$output/perchd.new" "$output/perchd"
cross/check.sh "$target" "$output/perchd"

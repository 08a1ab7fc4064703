#!/usr/bin/env bash
# Builds the Debian package of perchd for a board: target/TARGET/debian/perch_VERSION_ARCHITECTURE.deb
#
#     deb/build.sh [TARGET]          default: this machine's architecture
#
# Its content is listed in [package.metadata.deb] of daemon/app/Cargo.toml. The same inputs give the same bytes.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
daemon/setup.sh build deb
target=${1:-$(rustc --version --verbose | sed -n 's/^host: //p')}
cross/build.sh "$target"
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 0)}
"${XDG_CACHE_HOME:-$HOME/.cache}/perch/cargo-deb-3.8.0/bin/cargo-deb" --quiet --no-build --no-strip --profile dist --locked --package perchd --target "$target" \
    --output "${CARGO_TARGET_DIR:-target}/$target/debian/"

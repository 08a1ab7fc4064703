#!/usr/bin/env bash
# Takes the page's foreign code from npm at the versions named here, and writes down what it was.
# After a change: run this, `npm install --save-dev hls.js@VERSION` for the types, and `make test`.
set -euo pipefail
HLS_VERSION=1.7.4

cd "$(dirname "$0")"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
npm pack --silent --pack-destination "$scratch" "hls.js@$HLS_VERSION" >/dev/null
tar -xzf "$scratch/hls.js-$HLS_VERSION.tgz" -C "$scratch"
# The source map stays out: the browser would ask for it.
sed '/^\/\/# sourceMappingURL=/d' "$scratch/package/dist/hls.light.min.mjs" > hls.js
cp "$scratch/package/LICENSE" hls.js.LICENSE.txt
sha256sum hls.js hls.js.LICENSE.txt > SHA256SUMS
echo "hls.js $HLS_VERSION (light build)"

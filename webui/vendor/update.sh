#!/usr/bin/env bash
# Downloads the page's third-party code from npm at the versions pinned in package.json, and records checksums.
# After changing a version: `npm install`, run this, `make test`.
set -euo pipefail

cd "$(dirname "$0")"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# take PACKAGE FILE-IN-PACKAGE NAME: the file as NAME.js, the licence as NAME.LICENSE.txt.
take() {
    local version folder="$scratch/$3"
    version=$(sed -n "s|^ *\"$1\": \"\(.*\)\",*$|\1|p" ../../package.json)
    mkdir -p "$folder"
    npm pack --silent --pack-destination "$folder" "$1@$version" >/dev/null
    tar -xzf "$folder"/*.tgz -C "$folder"
    # Source maps stay out: the browser would ask for them. Names of packages become files beside this one, because the
    # page's Content-Security-Policy leaves no room for an import map.
    sed -e '/^\/\/# sourceMappingURL=/d' \
        -e 's|"preact"|"./preact.js"|g' -e 's|"preact/hooks"|"./preact-hooks.js"|g' \
        -e 's|"@preact/signals-core"|"./signals-core.js"|g' \
        "$folder/package/$2" > "$3.js"
    cp "$folder/package/LICENSE" "$3.LICENSE.txt"
    echo "$1 $version ($2)"
}

take hls.js dist/hls.light.min.mjs hls
take preact dist/preact.mjs preact
take preact hooks/dist/hooks.mjs preact-hooks
take @preact/signals-core dist/signals-core.mjs signals-core
take @preact/signals dist/signals.mjs signals
take htm dist/htm.mjs htm
# Both files are from one package with one licence.
rm preact-hooks.LICENSE.txt
rm -f hls.js.LICENSE.txt
sha256sum -- *.js *.LICENSE.txt > SHA256SUMS

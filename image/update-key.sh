#!/usr/bin/env bash
# Prints the file of the key that signs updates: PERCH_UPDATE_KEY, or ~/.config/perch/update-key, which is created if missing. A card accepts only
# updates signed with its image's key: if you give cards away, keep the key, and keep it safe.
#
#     image/update-key.sh
set -euo pipefail
key=${PERCH_UPDATE_KEY:-${XDG_CONFIG_HOME:-$HOME/.config}/perch/update-key}
if [ ! -e "$key" ]; then
    [ -z "${PERCH_UPDATE_KEY:-}" ] || { echo "image: there is no key $key" >&2; exit 1; }
    mkdir --parents "$(dirname "$key")"
    # With two concurrent builds the second one uses the first one's key.
    exec 9>"$key.lock"
    flock 9
    [ -e "$key" ] || ssh-keygen -q -t ed25519 -N '' -C 'updates of Perch' -f "$key"
    echo "image: made a key to sign updates with, $key: keep it, cards of this image take no other's" >&2
fi
echo "$key"

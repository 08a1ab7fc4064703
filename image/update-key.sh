#!/usr/bin/env bash
# Prints the file of the key that updates are signed with: PERCH_UPDATE_KEY, or ~/.config/perch/update-key, which is made when there is none. A card takes
# updates that are signed with the key of its image and no others, so whoever gives cards away keeps it, and keeps it safe.
#
#     image/update-key.sh
set -euo pipefail
key=${PERCH_UPDATE_KEY:-${XDG_CONFIG_HOME:-$HOME/.config}/perch/update-key}
if [ ! -e "$key" ]; then
    [ -z "${PERCH_UPDATE_KEY:-}" ] || { echo "image: there is no key $key" >&2; exit 1; }
    mkdir --parents "$(dirname "$key")"
    # Two builds at once: the one that comes late finds it.
    exec 9>"$key.lock"
    flock 9
    [ -e "$key" ] || ssh-keygen -q -t ed25519 -N '' -C 'updates of Perch' -f "$key"
    echo "image: made a key to sign updates with, $key: keep it, cards of this image take no other's" >&2
fi
echo "$key"

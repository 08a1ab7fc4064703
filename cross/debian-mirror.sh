#!/bin/sh
# Prints the mirror that this machine's apt takes Debian from, so that chroots and images come from there too; Debian's own where apt has none.
#
#     debian-mirror.sh [security]
suffix=${1:+-$1}
uri=$(apt-get indextargets --format '$(ORIGIN) $(REPO_URI)' 'Created-By: Packages' 2>/dev/null \
    | sed -n "s|^Debian \(.*/debian$suffix\)/*\$|\1|p" | head -n 1)
echo "${uri:-http://deb.debian.org/debian$suffix}"

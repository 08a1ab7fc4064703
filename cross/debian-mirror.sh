#!/bin/sh
# Prints the Debian mirror of this machine's apt, which chroots and images then use, too; without one, Debian's own.
#
#     debian-mirror.sh [security]
suffix=${1:+-$1}
uri=$(apt-get indextargets --format '$(ORIGIN) $(REPO_URI)' 'Created-By: Packages' 2>/dev/null \
    | sed -n "s|^Debian \(.*/debian$suffix\)/*\$|\1|p" | head -n 1)
echo "${uri:-http://deb.debian.org/debian$suffix}"

#!/usr/bin/env bash
# Lets programs of the given architecture (arm64, armhf) run in chroots on this machine with QEMU; does nothing if they already run.
#
#     cross/binfmt.sh ARCHITECTURE
set -euo pipefail
arch-test "$1" >/dev/null 2>&1 && exit 0
case $1 in arm64) name=qemu-aarch64 ;; armhf) name=qemu-arm ;; *) echo "binfmt: arm64 or armhf, not $1" >&2; exit 64 ;; esac
table=/proc/sys/fs/binfmt_misc
[ -e $table/register ] || mount -t binfmt_misc binfmt_misc $table
# Registers it as systemd-binfmt does for the package qemu-user-static: containers have no systemd-binfmt.
[ -e "$table/$name" ] || cat "/usr/lib/binfmt.d/$name.conf" >$table/register
arch-test "$1" >/dev/null || { echo "binfmt: programs for $1 do not run here, although $name is registered" >&2; exit 1; }

#!/usr/bin/env bash
# One of the README's two set-up commands (1: the base installation and a song; 2: all of it and the tests) in a Debian
# with Python and nothing else; as root, with debootstrap:
#   tests/robustness/bare_system.sh FOLDER SUITE MIRROR 1|2 [PATH ...]
# FOLDER will hold the system, and is kept. The paths are there as they are here: pip's settings, certificates, wheels.
# It tries the last commit. CI does the same on its own machine, which has more.
set -euo pipefail

folder=$1 suite=$2 mirror=$3 which=$4
shift 4
here=$(realpath "$(dirname "$0")/../..")
[ -e "$folder/usr" ] ||
  debootstrap --variant=minbase --include=python3,python3-venv,ca-certificates "$suite" "$folder" "$mirror"
rm -rf "$folder/srv/new"
mkdir -p "$folder/srv/new"
git clone -q "$here" "$folder/srv/new/vocalsep"
# Tests use more songs where they are there.
[ "$which" = 1 ] || [ ! -e "$here/../shared" ] || cp -r "$here/../shared/." "$folder/srv/new/shared"
command=$(sed -n '/^python3 -m venv/p' "$here/README.md" | sed -n "${which}p")

# Mounts in a name space of their own go with it.
export folder command
unshare --mount bash -euo pipefail -c '
  mount -t proc proc "$folder/proc"
  mount -t tmpfs shm "$folder/dev/shm"
  for path in /etc/resolv.conf /etc/hosts "$@"; do
    path=$(realpath "$path")
    mkdir -p "$folder/$(dirname "$path")"
    if [ -d "$path" ]; then mkdir -p "$folder/$path"; else touch "$folder/$path"; fi
    mount --bind "$path" "$folder/$path"
  done
  mapfile -t settings < <(env | grep ^PIP_)
  exec chroot "$folder" env -i HOME=/root PATH=/usr/bin:/bin LANG=C.UTF-8 "${settings[@]}" \
    bash -xc "cd /srv/new/vocalsep && $command"
' bash "$@"

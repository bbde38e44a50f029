#!/bin/sh
# damage.sh PROGRAMS [WORLDS [SEED]] - lets model_drive leave the journals of some durable worlds (6),
# and damage change what is in them. PROGRAMS: the folder of both.
set -eu
programs=$1 worlds=${2:-6} seed=${3:-1}
here=$(mktemp -d)
trap 'rm -rf "$here"' EXIT
"$programs/model_drive" --seed "$seed" --worlds "$worlds" --ops 1500 --durable 100 --directory "$here" > "$here/told"
journals=$(find "$here" -mindepth 1 -maxdepth 1 -type d)
# shellcheck disable=SC2086
"$programs/damage" --seed "$seed" --entry 4 --state 24 $journals

#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Proves that --check-config says exactly what is wrong and where, makes nothing, prints no
# credential, and that the example configuration is good.
# usage: config.sh BINARY
mete=$1
root=$(dirname "$0")/../..
room=$(mktemp -d)
trap 'rm -rf "$room"' EXIT
failed=0
unset OPENAI_API_KEY OPENAI_BASE_URL METE_DATA METE_ADMIN_TOKEN

# check NAME CODE TEXT-OF-FILE EXACT-OUTPUT
check() {
    printf '%b' "$3" >"$room/mete.yaml"
    (cd "$room" && "$mete" serve --check-config --config mete.yaml) >"$room/got" 2>&1
    got=$?
    printf '%b' "$4" >"$room/wanted"
    if [ "$got" != "$2" ] || ! diff "$room/wanted" "$room/got" >"$room/diff"; then
        echo "$1: exit $got, wanted $2"
        cat "$room/diff"
        failed=1
    fi
}

case $mete in /*) ;; *) mete=$PWD/$mete ;; esac
check 'an unknown key' 1 'listen: a:1\ngatewayy:\n  clamp: true\n' \
    'mete.yaml:2:1: gatewayy: there is no such key\n'
check 'a wrong unit' 1 'gateway:\n  idle_timeout: 5 minutes\n' \
    'mete.yaml:2:17: gateway.idle_timeout must be a duration such as 250ms, 30s, 5m or 1h\n'
check 'out of range' 1 'workers: 0\n' 'mete.yaml:1:10: workers must be from 1 to 16\n'
check 'an unset variable' 1 'data: ${NOT_SET_HERE}/x\n' \
    'mete.yaml:1:7: the environment has no NOT_SET_HERE\n'
check 'no YAML' 1 'listen: "a\n' 'mete.yaml:2:1: found unexpected end of stream\n'
check 'a price finer than kept' 1 'model_costs:\n  m: {input_per_million: 1e-19}\n' \
    'mete.yaml:2:26: model_costs.*.input_per_million must be a decimal, not negative, such as 0.15\n'

OPENAI_API_KEY=swordfish "$mete" serve --check-config --config "$root/examples/mete.yaml" \
    --data "$room/never" >"$room/got" 2>&1 || { echo "examples/mete.yaml is not good"; failed=1; }
grep -q 'is good: 2 providers, 2 prices over' "$room/got" || { cat "$room/got"; failed=1; }
grep -q swordfish "$room/got" && { echo "a credential was printed"; failed=1; }
[ -e "$room/never" ] && { echo "checking made a directory"; failed=1; }
exit $failed

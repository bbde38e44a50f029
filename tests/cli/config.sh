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
    'mete.yaml:2:17: gateway.idle_timeout must be a duration such as 250ms, 30s, 5m, 1h or 90d\n'
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

# A cost-control file of Chat2SQL's, as it stands: its prices are taken as they are written, with a
# warning for each that is a thousand times the known one; blocks that do nothing yet are named.
"$mete" serve --check-config --config "$root/tests/data/cost-control.yaml" >"$room/got" 2>"$room/err" ||
    { echo "tests/data/cost-control.yaml is not good"; cat "$room/err"; failed=1; }
grep -q 'is good: 0 providers, 4 prices over' "$room/got" || { cat "$room/got"; failed=1; }
for model in gpt-4o-mini claude-3.5-sonnet deepseek-coder; do
    grep -q "model_costs.$model: 100 times the built-in price" "$room/err" || { echo "no warning of $model"; failed=1; }
done
grep -q 'model_costs.ollama-llama3' "$room/err" && { echo "a warning of a price of nothing"; failed=1; }
for block in cost_control.budgets cost_control.alert_thresholds cost_control.controls alerts storage.postgres; do
    grep -q ": $block: known, and does nothing yet" "$room/err" || { echo "$block is not named"; failed=1; }
done

# The copy with its prices corrected.
"$mete" serve --check-config --config "$root/examples/cost-control.yaml" >"$room/got" 2>"$room/err" ||
    { echo "examples/cost-control.yaml is not good"; cat "$room/err"; failed=1; }
grep -q 'is good: 0 providers, 4 prices over' "$room/got" || { cat "$room/got"; failed=1; }
grep -q 'times' "$room/err" && { echo "a warning of a right price"; cat "$room/err"; failed=1; }
exit $failed

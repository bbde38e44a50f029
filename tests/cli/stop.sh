#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Proves that a stop whose time runs out ends what is open instead of waiting or dying: a stream that
# would go on for a minute gets the end its format has for a bound that was reached, exit code 0, the
# log says so, nothing stays held, and mete verify finds the directory clean.
# usage: stop.sh BINARY
mete=$1
room=$(mktemp -d)
pids=
trap 'for pid in $pids; do kill -9 "$pid" 2>/dev/null; done; rm -rf "$room"' EXIT
unset OPENAI_API_KEY OPENAI_BASE_URL METE_DATA METE_ADMIN_TOKEN

die() {
    echo "$*"
    cat "$room/out" "$room/err" "$room/stream" 2>/dev/null
    exit 1
}

# wait_for FILE PATTERN
wait_for() {
    for _ in $(seq 200); do
        grep -q "$2" "$1" 2>/dev/null && return
        sleep 0.05
    done
    die "no $2 in $1"
}

"$mete" sim --listen 127.0.0.1:0 --tokens-per-second 5 --output-tokens 300 >"$room/sim" &
pids="$pids $!"
wait_for "$room/sim" 'http://'
sim=$(sed -n '1s/.*\(http:[^ ]*\).*/\1/p' "$room/sim")
cat >"$room/mete.yaml" <<YAML
listen: 127.0.0.1:0
metrics_listen: ""
data: $room/data
stop_timeout: 200ms
providers: [{name: sim, base_url: "$sim/v1"}]
YAML
"$mete" serve --config "$room/mete.yaml" >"$room/out" 2>"$room/err" &
server=$!
pids="$pids $server"
wait_for "$room/out" 'admin token'
url=$(sed -n '1s/^mete: listening on //p' "$room/out")
key=$("$mete" key create --data "$room/data" --organization example --name stop --json |
    sed -n 's/.*"key": *"\(mete_sk_[0-9A-Za-z]*\)".*/\1/p')
[ -n "$key" ] || die "no key"
curl -sN "$url/v1/chat/completions" -H "Authorization: Bearer $key" \
    -d '{"model":"gpt-4o-mini","stream":true,"max_tokens":300,"messages":[{"role":"user","content":"a"}]}' \
    >"$room/stream" &
pids="$pids $!"
wait_for "$room/stream" 'data: '
begun=$(date +%s)
kill -TERM $server
wait $server || die "exit $?"
[ $(($(date +%s) - begun)) -le 8 ] || die "it took $(($(date +%s) - begun)) s"
grep -q '"event":"called_off"' "$room/err" || die "the log does not say that a call was ended"
grep -q 'data: \[DONE\]' "$room/stream" || die "the stream has no end"
grep -q '"finish_reason":"length"' "$room/stream" || die "the stream does not say that it was cut"
[ "$(grep -c '"content"' "$room/stream")" -lt 100 ] || die "the stream was not broken off"
"$mete" verify "$room/data" --json >"$room/verify" || die "not clean: $(cat "$room/verify")"
grep -q '"reservations_open":0,' "$room/verify" || die "something is held: $(cat "$room/verify")"
exit 0

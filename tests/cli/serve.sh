#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Proves the first start and the stop, as whoever runs it sees them: what is printed, what is made
# with which modes, the token shown once, the address file there while it runs and gone after, exit
# code 0 on SIGTERM, 3 when the directory is taken.
# usage: serve.sh BINARY
mete=$1
room=$(mktemp -d)
pid=
trap '[ -n "$pid" ] && kill -9 "$pid" 2>/dev/null; rm -rf "$room"' EXIT
unset OPENAI_API_KEY OPENAI_BASE_URL METE_DATA METE_ADMIN_TOKEN
printf 'listen: 127.0.0.1:0\nmetrics_listen: 127.0.0.1:0\ndata: %s/data\n' "$room" >"$room/mete.yaml"

die() {
    echo "$*"
    cat "$room"/out* "$room"/err* 2>/dev/null
    exit 1
}

start() {
    "$mete" serve --config "$room/mete.yaml" >"$room/out$1" 2>"$room/err$1" &
    pid=$!
    for _ in $(seq 200); do
        grep -q 'admin token' "$room/out$1" && [ -e "$room/data/address" ] && return
        kill -0 $pid 2>/dev/null || die "it ended at its start"
        sleep 0.05
    done
    die "it did not start"
}

stop() {
    kill -TERM $pid
    wait $pid || die "exit $? on SIGTERM"
    pid=
}

start 1
url=$(sed -n '1s/^mete: listening on \(http:.*\)$/\1/p' "$room/out1")
[ -n "$url" ] || die "the first line is not the address"
[ "http://$(cat "$room/data/address")" = "$url" ] || die "the file address is another"
token=$(cat "$room/data/admin.token")
grep -q "shown this once: $token\$" "$room/out1" || die "the new token was not shown"
echo "$token" | grep -qE '^mete_admin_[0-9A-Za-z]{43}$' || die "token $token"
for file in admin.token secret.key; do
    [ "$(stat -c %a "$room/data/$file")" = 600 ] || die "$file can be read by others"
done
[ "$(stat -c %a "$room/data")" = 700 ] || die "the directory can be read by others"
"$mete" serve --config "$room/mete.yaml" >"$room/out2" 2>"$room/err2"
[ $? = 3 ] || die "a second server on the same directory"
[ -e "$room/data/address" ] || die "the second one removed the first one's address"
stop
[ -e "$room/data/address" ] && die "the address outlived the server"
start 3
[ "$(cat "$room/data/admin.token")" = "$token" ] || die "the token changed"
grep -q "$token" "$room/out3" "$room/err1" "$room/err3" && die "the token was shown again"
stop
exit 0

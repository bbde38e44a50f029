#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Proves that a backup is made of a running server and of none; that it verifies and, restored, is a
# data directory whose keys open the door again; that neither command overwrites anything; and that
# a damaged backup is not restored, with a reason.
# usage: backup.sh BINARY
mete=$1
room=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill -9 "$server" 2>/dev/null; rm -rf "$room"' EXIT
unset METE_DATA METE_ADMIN_TOKEN

die() {
    echo "$*"
    cat "$room/out" "$room/err" 2>/dev/null
    exit 1
}

# serve DATA: sets url
serve() {
    printf 'listen: 127.0.0.1:0\nmetrics_listen: ""\ndata: %s\n' "$1" >"$room/mete.yaml"
    "$mete" serve --config "$room/mete.yaml" >"$room/out" 2>"$room/err" &
    server=$!
    for _ in $(seq 200); do
        grep -q 'admin token' "$room/out" && break
        sleep 0.05
    done
    url=$(sed -n '1s/^mete: listening on //p' "$room/out")
    [ -n "$url" ] || die "it does not listen"
}

stop() {
    kill -TERM "$server" && wait "$server" || die "exit $?"
    server=
}

serve "$room/data"
key=$("$mete" key create --data "$room/data" --organization example --name b --json |
    sed -n 's/.*"key": *"\(mete_sk_[0-9A-Za-z]*\)".*/\1/p')
[ -n "$key" ] || die "no key"
cd "$room" || exit 1
"$mete" backup one --data "$room/data" >"$room/said" || die "no backup: $(cat "$room/said")"
"$mete" backup one --data "$room/data" >/dev/null 2>&1 && die "it overwrote a backup"
stop
"$mete" verify "$room/one" >/dev/null || die "the first is not clean"
"$mete" backup two --data "$room/data" >"$room/said" || die "no backup of no server"
"$mete" verify "$room/two" >/dev/null || die "the second is not clean"
"$mete" restore one again >"$room/said" || die "not restored: $(cat "$room/said")"
"$mete" restore one again >"$room/said"
[ $? = 1 ] || die "it overwrote data"
serve "$room/again"
curl -s "$url/api/v1/me" -H "Authorization: Bearer $key" | grep -q '"role":"key"' ||
    die "the key opens nothing: $(curl -s "$url/api/v1/me" -H "Authorization: Bearer $key")"
stop
printf 'x' | dd of=two/journal.db bs=1 seek=100 conv=notrunc 2>/dev/null
"$mete" restore two broken >"$room/said"
[ $? = 1 ] || die "a damaged backup was restored: $(cat "$room/said")"
grep -q 'not restored: .' "$room/said" || die "it does not say why"
[ ! -e broken ] || die "something of it is there"
exit 0

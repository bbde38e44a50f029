#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Proves that help, usage and exit codes are what the command promises: 0 done, 1 the answer is no,
# 2 usage, 3 the system failed; that help goes to standard output and complaints to standard error.
# usage: usage.sh BINARY
mete=$1
failed=0
room=$(mktemp -d)
trap 'rm -rf "$room"' EXIT

# expect CODE PATTERN-IN-STDOUT PATTERN-IN-STDERR ARGUMENTS...; - for "must be empty"
expect() {
    code=$1 out=$2 err=$3
    shift 3
    "$mete" "$@" >"$room/out" 2>"$room/err" </dev/null
    got=$?
    why=
    [ "$got" = "$code" ] || why="exit $got, wanted $code"
    for stream in out err; do
        eval "wanted=\$$stream"
        if [ "$wanted" = - ]; then
            [ -s "$room/$stream" ] && why="$why; std$stream is not empty"
        else
            grep -q -e "$wanted" "$room/$stream" || why="$why; no $wanted in std$stream"
        fi
    done
    if [ -n "$why" ]; then
        echo "mete $*: $why"
        sed 's/^/    /' "$room/out" "$room/err"
        failed=1
    fi
}

expect 0 '^mete [0-9]*\.[0-9]*\.[0-9]*$' - --version
expect 0 'usage: mete COMMAND' - help
expect 0 'usage: mete COMMAND' - --help
expect 2 - 'usage: mete COMMAND'
expect 2 - 'no command nonsense' nonsense
expect 2 - 'no command nonsense' help nonsense
for command in serve init key budget rate quota credential tokens replay verify backup cut restore sim bench; do
    expect 0 "usage: mete $command" - help $command
    expect 0 "usage: mete $command" - $command --help
    expect 0 "usage: mete $command" - $command -h
    expect 0 "usage: mete $command" - $command something --json --help
    expect 0 "usage: mete $command" - help $command --help
    expect 2 - . $command --nonsense
done
for command in key budget rate quota credential tokens replay verify backup restore; do
    expect 2 - . $command
done
expect 2 - '--config' serve --config
expect 3 - '/nonexistent.yaml' serve --config /nonexistent.yaml
expect 3 - . init --data /nonexistent/deep/data
exit $failed

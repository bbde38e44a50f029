#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Proves that mete.h needs nothing before it: alone and twice in a file it compiles without a warning
# as C99, C11, C17 and C++17, by gcc and clang; and that so does, as C11, every header of src/.
# usage: header.sh BUILD
set -u
cd "$(dirname "$0")/../.." || exit 1
room=$(mktemp -d)
trap 'rm -rf "$room"' EXIT
failed=0
warnings="-Wall -Wextra -Wpedantic -Werror"
printf '#include <mete.h>\n#include <mete.h>\n' >"$room/alone.c"

# alone COMPILER STANDARD LANGUAGE
alone() {
    # shellcheck disable=SC2086
    "$1" -std="$2" $warnings -Iinclude -fsyntax-only -x "$3" "$room/alone.c" || {
        echo "mete.h as $2 by $1"
        failed=1
    }
}
for standard in c99 c11 c17; do
    alone gcc $standard c
    alone clang $standard c
done
alone g++ c++17 c++
alone clang++ c++17 c++
# shellcheck disable=SC2086
find src -name '*.h' -printf '%P\n' | sort | xargs -P 2 -I{} sh -c 'printf "#include \"%s\"\n" "{}" |
    clang -std=c11 -D_GNU_SOURCE $0 -Iinclude -Isrc -I. -fsyntax-only -x c - ||
    { echo "src/{} alone"; exit 1; }' "$warnings" || failed=1
exit $failed

#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Proves that what `make install` puts down is a product: staged under a DESTDIR and found through
# pkg-config alone, the examples compile without a warning and do what they say, linked shared and
# static, by gcc and clang and from C++; only what mete.h declares can be seen; manual, completion and
# licences are there; and uninstalling leaves nothing of it, and all that is somebody else's.
# usage: install.sh BUILD
set -u
build=$1
tools=$(cd "$(dirname "$0")/../../tools" && pwd)
room=$(mktemp -d)
trap 'rm -rf "$room"' EXIT
export PREFIX=/opt/mete DESTDIR=$room/stage
at=$DESTDIR$PREFIX
failed=0

fail() {
    echo "$*"
    failed=1
}

# quiet NAME COMMAND...: fails if the command does, or says anything. (SQLite can load extensions, and
# glibc warns of that in a static program; the linker's own way to be silent hides errors too.)
quiet() {
    what=$1
    shift
    "$@" >"$room/all" 2>&1 || fail "$what: exit $?"
    grep -vE "unixDlOpen|Using 'dlopen' in statically linked" "$room/all" >"$room/said"
    [ -s "$room/said" ] && fail "$what: $(cat "$room/said")"
}

# says NAME PATTERN COMMAND...: fails unless the command succeeds and says it.
says() {
    what=$1 pattern=$2
    shift 2
    "$@" >"$room/said" 2>&1 || fail "$what: exit $?: $(cat "$room/said")"
    grep -q -e "$pattern" "$room/said" || fail "$what: no $pattern in: $(cat "$room/said")"
}

mkdir -p "$at/lib" "$at/share/man/man1"
touch "$at/lib/libother.a" "$at/share/man/man1/other.1"
says install "$at" "$tools/install" install "$build"

# ---- Made without the tests' packages ----
ninja -C "$build" -t commands product | grep -E 'src/engine/engine\.c' >/dev/null || fail "no commands"
ninja -C "$build" -t commands product | grep -E 'tests/|fuzz/|cmocka' | head -3 | grep . &&
    fail "make run and make install would build tests"

# ---- What is there ----
for file in bin/mete include/mete.h lib/libmete.a lib/libmete.so lib/pkgconfig/mete.pc \
    share/man/man1/mete.1 share/man/man3/mete.3 share/man/man3/mete_reserve.3 \
    share/bash-completion/completions/mete share/doc/mete/LICENSE share/doc/mete/README.md \
    share/doc/mete/docs/library.md share/doc/mete/data/LICENSE-litellm \
    share/doc/mete/examples/embed.c; do
    [ -s "$at/$file" ] || fail "$file is not installed"
done
[ -e "$at/share/doc/mete/docs/man" ] && fail "the manual's sources are installed"
grep -rIl "$build" "$at" && fail "an installed text names the build directory"
readelf -d "$at/bin/mete" "$at/lib/libmete.so" | grep -E 'R(UN)?PATH' && fail "a path is built in"

export PKG_CONFIG_PATH=$at/lib/pkgconfig
version=$(pkg-config --modversion mete)
says version "^mete $version\$" "$at/bin/mete" --version
says soname "SONAME.*\[libmete\.so\.${version%.*}\]" readelf -d "$at/lib/libmete.so"

# ---- Only the header's functions ----
tr '\n' ' ' <"$at/include/mete.h" | grep -oE 'METE_API [^(;#]*[ *]mete_[a-z_]+\(' |
    grep -oE 'mete_[a-z_]+\($' | tr -d '(' | sort >"$room/declared"
[ "$(wc -l <"$room/declared")" -ge 20 ] || fail "the header declares nothing"
nm -D --defined-only "$at/lib/libmete.so" | awk '{print $3}' | sort >"$room/shared"
nm -g --defined-only "$at/lib/libmete.a" | awk 'NF == 3 {print $3}' | sort >"$room/static"
quiet 'symbols of libmete.a' diff "$room/shared" "$room/static"
quiet 'symbols that mete.h does not declare' comm -13 "$room/declared" "$room/shared"
# What it declares is there, unless the program says of itself that it is not yet.
for function in $(comm -23 "$room/declared" "$room/shared"); do
    grep -q "ROW(false, .*\<$function\>" "$tools/../tables/not_yet.h" || fail "there is no $function"
done

# ---- The examples ----
examples=$at/share/doc/mete/examples
flags="-std=c11 -Wall -Wextra -Wpedantic -Werror"
shared=$(pkg-config --cflags --libs mete)
static=$(pkg-config --static --cflags --libs mete)
# shellcheck disable=SC2086
for kind in shared static; do
    for compiler in gcc clang; do
        into=$room/$kind-$compiler
        mkdir "$into"
        link=$shared
        [ $kind = shared ] || link="-static $static"
        build_one() {
            quiet "$compiler, $kind: $1" $compiler $flags "${@:2}" $link -o "$into/$1"
        }
        build_one embed "$examples/embed.c"
        build_one loop "$examples/loop.c"
        build_one wrap "$examples/wrap.c" "$examples/translate.c" -Wl,--wrap=translate
        (
            failed=0
            [ $kind = shared ] && export LD_LIBRARY_PATH=$at/lib
            says 'embed, in memory' 'asked 0.60, limit 1.00, spent 0.55, held 0.00' "$into/embed"
            says 'embed, on disk' '^charged: 0.55, record ' "$into/embed" "$into/data"
            says 'embed, again' '^a-dollar: 0.55 of 1.00 spent, 0.00 held$' "$into/embed" "$into/data"
            grep -q charged "$room/said" && fail "the second run of embed was charged"
            says 'what embed left' '^ledger .* drift 0$' "$at/bin/mete" verify "$into/data"
            says 'loop, in memory' '^60 charged, 40 refused$' "$into/loop"
            says 'loop, on disk' '^60 charged, 40 refused$' "$into/loop" "$into/loop-data"
            says 'loop, again' '^0 charged, 100 refused$' "$into/loop" "$into/loop-data"
            "$into/wrap" >"$into/wrapped" 2>&1 || fail "wrap: exit $?"
            quiet 'wrap' diff - "$into/wrapped" <<TEXT
"Where is the station?": translated, 21 tokens
"": failed, 0 tokens
"How much does this cost?": refused, 0 tokens
"Thank you.": translated, 10 tokens
TEXT
            exit $failed
        ) || { fail "the examples, $kind, $compiler"; }
    done
done
ldd "$room/static-gcc/embed" >/dev/null 2>&1 && fail "the static example is not static"
ldd "$room/shared-gcc/embed" | grep -q libmete || fail "the shared example is not shared"

# ---- A program in C++, and one that has names the library has inside ----
cat >"$room/plus.cpp" <<'CODE'
#include <mete.h>
#include <cstring>
static_assert(METE_CURRENCY('U', 'S', 'D') == METE_USD && METE_AMOUNT_MAX > 0, "constants");
int main()
{
    mete_options options = {};
    mete *engine = nullptr;
    mete_port *port = nullptr;
    if (mete_open(&options, &engine) || mete_port_open(engine, &port))
        return 1;
    struct mete_query query = {}; /* the type; without `struct` the function */
    mete_answer answer;
    query.kind = METE_QUERY_STATS;
    int error = mete_query(port, &query, &answer);
    mete_port_close(port);
    mete_close(engine);
    return error || std::strcmp(mete_error_name(METE_E_NOT_FOUND), "not_found");
}
CODE
cat >"$room/names.c" <<'CODE'
#include <mete.h>
int journal_append(void);
int ledger_check(void);
int journal_append(void) { return 1; }
int ledger_check(void) { return 2; }
int main(void)
{
    struct mete_options options = {0};
    struct mete *mete;
    int error = mete_open(&options, &mete);
    if (error)
        return 1;
    mete_close(mete);
    return journal_append() + ledger_check() - 3;
}
CODE
# shellcheck disable=SC2086
quiet 'C++' g++ -std=c++17 -Wall -Wextra -Wpedantic -Werror "$room/plus.cpp" $shared -o "$room/plus"
quiet 'C++, run' env LD_LIBRARY_PATH="$at/lib" "$room/plus"
# shellcheck disable=SC2086
quiet 'names' gcc $flags "$room/names.c" -static $static -o "$room/names"
quiet 'names, run' "$room/names"

# ---- Manual and completion ----
for page in "$at/share/man/man1/mete.1" "$at/share/man/man3/mete.3"; do
    quiet "$page" groff -man -Tutf8 -ww -z "$page"
    grep -q '@' "$page" && fail "$page has a place nobody filled"
done
while read -r function; do
    grep -q "$function(" "$at/share/man/man3/mete.3" || fail "mete.3 lacks $function"
    [ -s "$at/share/man/man3/$function.3" ] || fail "there is no page $function.3"
done <"$room/declared"
"$at/bin/mete" help | sed -n 's/^  \([a-z][a-z]*\)  *[a-z].*/\1/p' >"$room/commands"
[ "$(wc -l <"$room/commands")" -ge 8 ] || fail "help lists no commands"
while read -r command; do
    grep -qF "usage: mete $command" "$at/share/man/man1/mete.1" || fail "mete.1 lacks $command"
done <"$room/commands"

# complete WANTED WORDS...: the last word is what is being typed.
complete_to() {
    wanted=$1
    shift
    got=$(PATH=$at/bin:$PATH bash -c '
        source "$0"
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
        _mete
        echo "${COMPREPLY[@]}"' "$at/share/bash-completion/completions/mete" "$@")
    [ "$got" = "$wanted" ] || fail "completing $*: $got, not $wanted"
}
complete_to verify mete ver
complete_to create mete key c
complete_to --organization mete budget set --org
complete_to shadow mete budget set --mode sh
complete_to '' mete verify some-dir

# ---- And away ----
says uninstall "$at" "$tools/install" uninstall "$build"
(cd "$at" && find . ! -type d | sort) >"$room/left"
printf './lib/libother.a\n./share/man/man1/other.1\n' >"$room/wanted"
quiet 'what is left' diff "$room/wanted" "$room/left"
find "$at" -mindepth 1 -name '*mete*' | grep . && fail "a folder of its own is left"
exit $failed

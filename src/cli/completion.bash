# SPDX-License-Identifier: Apache-2.0
# Completion of mete for bash. It knows nothing itself: words, options and their values are read
# from what `mete help` says, so that a new command needs no change here.
_mete()
{
    local mete=${COMP_WORDS[0]} word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
    local command=${COMP_WORDS[1]} help words
    if [ "$COMP_CWORD" -eq 1 ]; then
        words="$("$mete" help 2>/dev/null | sed -n 's/^  \([a-z][a-z]*\) .*/\1/p') --version"
    else
        help=$("$mete" help "$command" 2>/dev/null)
        case $before in
        --*) # a|b|c behind the option are its values; any other value is a file's name, maybe
            words=$(sed -n "s/.*$before \([A-Za-z]*|[A-Za-z|]*\).*/\1/p" <<<"$help" | tr '|' ' ') ;;
        esac
        case $word in
        -*) words=$(grep -oE -- '--[a-z][a-z-]*' <<<"$help" | sort -u) ;;
        *)
            [ "$COMP_CWORD" -ne 2 ] ||
                words=$(sed -n "s/.*mete $command \([a-z][a-z-]*\).*/\1/p" <<<"$help") ;;
        esac
    fi
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}
complete -o default -F _mete mete

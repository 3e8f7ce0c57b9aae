
_flux_complete() {
    local flux_command flux_place kind list=
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}
    # --option=value is three words here.
    if [ "$word" = = ]; then
        word=
    elif [ "$before" = = ]; then
        before=${COMP_WORDS[COMP_CWORD-2]}
    fi
    _flux_walk "${COMP_WORDS[@]:1:COMP_CWORD-1}"
    kind=$(_flux_kind_here "$before" "$word")
    case $kind in
    "" | other)
        _flux "$@"
        if [ -z "$flux_command" ]; then
            COMPREPLY+=($(compgen -W "$(_flux_values commands)" -- "$word"))
        fi
        return
        ;;
    queues | ranks)
        case $word in
        *,*) list=${word%,*}, word=${word##*,} ;;
        esac
        ;;
    keys) compopt -o nospace 2>/dev/null ;;
    esac
    COMPREPLY=($(compgen -P "$list" -W "$(_flux_values "$kind" "$word")" -- "$word"))
}

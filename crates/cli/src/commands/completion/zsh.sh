
_flux() {
    local flux_command flux_place kind before=${words[CURRENT-1]} word=${words[CURRENT]}
    if [[ $word == --*=* ]]; then
        before=${word%%=*} word=${word#*=}
        compset -P '*='
    fi
    _flux_walk "${(@)words[2,CURRENT-1]}"
    kind=$(_flux_kind_here "$before" "$word")
    case $kind in
    "" | other)
        _flux_static "$@"
        return
        ;;
    queues | ranks) compset -P '*,' ;;
    esac
    compadd -- ${(f)"$(_flux_values "$kind" "$word")"}
}

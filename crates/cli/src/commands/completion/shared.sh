
# Which values stand after an option of a command, or in a place.
_flux_kind() { # COMMAND OPTION|PLACE
    case "$1:$2" in
    @KINDS@
    esac
}

# The command that some words are, and how many further ones there are.
_flux_walk() { # WORD...
    flux_command= flux_place=1
    local word skip=
    for word in "$@"; do
        if [ -n "$skip" ]; then
            skip=
            continue
        fi
        case $word in
        -*)
            skip=$(_flux_kind "$flux_command" "$word")
            continue
            ;;
        esac
        case $flux_command in
        "") flux_command=$word ;;
        @PARENTS@) flux_command="$flux_command $word" ;;
        *) flux_place=$((flux_place + 1)) ;;
        esac
    done
}

# The kind of the value that is being typed after an option or in a place; nothing if that is not
# known.
_flux_kind_here() { # BEFORE WORD
    local kind=
    case $1 in
    -*) kind=$(_flux_kind "$flux_command" "$1") ;;
    esac
    case $2 in
    -*) ;;
    *)
        [ -n "$kind" ] || kind=$(_flux_kind "$flux_command" "$flux_place")
        [ -n "$kind" ] || kind=$(_flux_kind "$flux_command" "+")
        ;;
    esac
    echo "$kind"
}

# The values of a kind, one a line, as far as the instance tells.
_flux_values() { # KIND WORD
    case "$1:$2" in
    ids:f*) FLUX_F58_FORCE_ASCII=1 flux jobs -a -n -c 256 -o '{id.f58}' ;;
    ids:*) flux jobs -a -n -c 256 -o '{id.f58}' ;;
    active:f*) FLUX_F58_FORCE_ASCII=1 flux jobs -n -c 256 -o '{id.f58}' ;;
    active:*) flux jobs -n -c 256 -o '{id.f58}' ;;
    queues:*) flux queue status | sed -n 's/^\([^: ]*\): .*/\1/p' | sort -u ;;
    modules:*) flux module list | awk 'NR > 1 { print $1 }' | sort -u ;;
    keys:*.*) flux kvs ls -1F "${2%.*}" | sed "s/@\$//; s/^/${2%.*}./" ;;
    keys:*) flux kvs ls -1F | sed 's/@$//' ;;
    ranks:*) seq 0 "$(($(flux getattr size) - 1))" ;;
    attributes:*) flux lsattr ;;
    commands:*)
        flux env printenv FLUX_EXEC_PATH | tr : '\n' | while read -r flux_folder; do
            ls "$flux_folder" | sed -n 's/\.py$//; s/^flux-\(.*\)/\1/p'
        done
        ;;
    esac 2>/dev/null
}

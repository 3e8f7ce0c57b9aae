# under-flux.sh: gives a script an instance of flux to run in.
#
# The script is run twice: the outer run starts the instance with the inner run
# as its initial program, and afterwards looks for processes that remain. The
# inner run has the tests, and checks that the modules are as it found them.

# test_under_flux SIZE [PERSONALITY [OPTION...]]: run the rest of the script as
# the initial program of an instance of SIZE brokers. Call it before any test.
#
# PERSONALITY says which modules the instance loads: minimal (none), kvs (the
# content store and the kvs), job (what it takes to run jobs), or full (all;
# the default). Each OPTION goes to flux start.
test_under_flux() {
	test_need_flux
	if test "$TEST_UNDER_FLUX_ACTIVE" = "$test__name"
	then
		test__modules=$(test__loaded_modules) || test__bug "flux module list failed"
		test__at_end="$test__at_end test__no_module_remains"
		return 0
	fi
	test__size=$1 test__personality=${2:-full}
	shift
	test $# = 0 || shift
	case $test__personality in
	full) ;;
	minimal | kvs | job)
		test -n "$FLUX_TEST_PEER" ||
			set -- -S "ferroflux.personality=$test__personality" "$@"
		;;
	*) test__bug "'$test__personality' is no personality: minimal, kvs, job or full" ;;
	esac
	if test "$test__size" != 1
	then
		set -- "--test-size=$test__size" "$@"
		# Asks without starting anything whether more than one broker will do.
		if ! flux start "$@" --noexec true >"$test__log" 2>&1
		then
			skip_all="flux start does not take --test-size=$test__size"
			test_done
		fi
	fi
	TEST_UNDER_FLUX_ACTIVE=$test__name TEST_UNDER_FLUX_ROOT=$test__root
	export TEST_UNDER_FLUX_ACTIVE TEST_UNDER_FLUX_ROOT
	test__code=0
	# Unquoted: the script's own options hold no blanks.
	flux start "$@" $(test__lint) /bin/sh "$test__script" $test__args </dev/null || test__code=$?
	test__finished=yes
	if ! test__no_process_remains
	then
		test "$test__code" != 0 || test__code=1
	fi
	exit "$test__code"
}

# What the script runs below when the practices of its instance are looked at (FLUX_TEST_LINT).
test__lint() {
	test -z "$FLUX_TEST_LINT" ||
		echo "flux lint rfc9 --json --output=$FLUX_TEST_LINT/$test__name.json"
}

test__loaded_modules() {
	flux module list >"$test__log" && awk 'NR > 1 { print $1 }' "$test__log" | sort
}

# Every module that was not loaded when the script began has been removed.
test__no_module_remains() {
	test__extra=
	for test__item in $(test__loaded_modules)
	do
		case " $(echo $test__modules) " in
		*" $test__item "*) ;;
		*) test__extra="$test__extra $test__item" ;;
		esac
	done
	test -z "$test__extra" && return 0
	say "error: left loaded:$test__extra"
	return 1
}

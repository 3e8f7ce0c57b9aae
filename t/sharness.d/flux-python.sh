# flux-python.sh: the Python package of the tree.

# test_flux_python: builds the package, and has python3 find it through PYTHONPATH. Skips the
# script without cargo or a python3 that is new enough. Call it before test_under_flux.
test_flux_python() {
	test "$TEST_FLUX_PYTHON" = "$test__name" && return 0
	if ! python3 -c 'import sys; sys.exit(sys.version_info < (3, 9))' 2>"$test__log"
	then
		skip_all='there is no python3 of version 3.9 or newer'
		test_done
	elif ! command -v cargo >"$test__log"
	then
		skip_all='there is no cargo to build the Python package with'
		test_done
	fi
	case ${FLUX_TEST_PROFILE:-release} in
	debug) set -- dev debug ;;
	*) set -- "${FLUX_TEST_PROFILE:-release}" "${FLUX_TEST_PROFILE:-release}" ;;
	esac
	test__built=${CARGO_TARGET_DIR:-$TEST_HARNESS_DIR/../target}/$2
	# A run of all tests has built it. Cargo keeps what it has downloaded in the home of the user,
	# which scripts do without.
	test -n "$FLUX_TEST_XTASK" && test -e "$test__built/lib_core.so" ||
		HOME=$(getent passwd "$(id -u)" | cut -d: -f6) RUST_BACKTRACE=0 cargo build --quiet --package python --profile "$1" \
		--manifest-path "$TEST_HARNESS_DIR/../Cargo.toml" >"$test__log" 2>&1 ||
		test__bug "cannot build the Python package: $(tail -n 3 "$test__log")"
	test__packages=$(cd "$test__built" && pwd)/python
	mkdir -p "$test__packages/flux"
	# Links, so that a change of a file counts at once. Those that are there stay: another
	# script may be reading them.
	for test__arg in "$(cd "$TEST_HARNESS_DIR/../crates/python/python/flux" && pwd)"/* \
		../../lib_core.so
	do
		test__link=$test__packages/flux/${test__arg##*/}
		test "${test__arg##*/}" != lib_core.so || test__link=$test__packages/flux/_core.abi3.so
		test -h "$test__link" || ln -s "$test__arg" "$test__link" 2>"$test__log" || :
	done
	PYTHONPATH=$test__packages${PYTHONPATH:+:$PYTHONPATH}
	# Byte code is kept beside none of the sources.
	PYTHONPYCACHEPREFIX=$test__packages/__pycache__
	TEST_FLUX_PYTHON=$test__name
	export PYTHONPATH PYTHONPYCACHEPREFIX TEST_FLUX_PYTHON
}

# flux_python_test FILE...: runs these files of crates/python/tests; shows what fails.
flux_python_test() {
	(cd "$TEST_HARNESS_DIR/../crates/python/tests" && python3 -W error::ResourceWarning -m unittest "$@")
}

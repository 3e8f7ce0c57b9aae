# python.sh: programs of others that are written in Python.

# test_python NAME PACKAGE...: installs packages from PyPI, each with its version, into a folder
# that later runs find again, and puts its programs in front of PATH. Sets the prerequisite NAME;
# without python3 or without a way to PyPI there is none. Call it before any test.
test_python() {
	test__prereq=$1
	shift
	test__sum=$(printf '%s\n' "$@" | cksum | tr ' ' -)
	test__venv=$TEST_HARNESS_DIR/test-results/python-$test__prereq-$test__sum
	if ! test -e "$test__venv/complete"
	then
		rm -rf "$test__venv"
		if ! { python3 -m venv "$test__venv" &&
			"$test__venv/bin/pip" install --quiet "$@" &&
			touch "$test__venv/complete"; } >"$test__prereq.install" 2>&1
		then
			say "cannot install $* from PyPI: $(tail -n 1 "$test__prereq.install")"
			return 0
		fi
	fi
	PATH=$test__venv/bin:$PATH
	export PATH
	test_set_prereq "$test__prereq"
}

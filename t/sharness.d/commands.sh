# commands.sh: what a test body may call besides the program under test.
#
# Each prints why it fails, because that line is all a reader of a red run has.

# test_must_fail COMMAND...: the command refuses in an orderly way. A signal, or
# a command that is not there, is no refusal. For our own commands only.
test_must_fail() {
	test__status=0
	"$@" || test__status=$?
	case $test__status in
	0) echo "test_must_fail: it succeeded: $*" >&2 && return 1 ;;
	126 | 127) echo "test_must_fail: not found: $*" >&2 && return 1 ;;
	esac
	test "$test__status" -lt 129 && return 0
	echo "test_must_fail: died with $test__status: $*" >&2
	return 1
}

# test_might_fail COMMAND...: as test_must_fail, but success will do.
test_might_fail() {
	test__status=0
	"$@" || test__status=$?
	case $test__status in
	126 | 127) echo "test_might_fail: not found: $*" >&2 && return 1 ;;
	esac
	test "$test__status" -lt 129 && return 0
	echo "test_might_fail: died with $test__status: $*" >&2
	return 1
}

# test_expect_code CODE COMMAND...: the command exits with exactly CODE.
test_expect_code() {
	test__want=$1
	shift
	test__status=0
	"$@" || test__status=$?
	test "$test__status" = "$test__want" && return 0
	echo "test_expect_code: wanted $test__want, got $test__status: $*" >&2
	return 1
}

# test_cmp EXPECTED ACTUAL: both files hold the same text; prints the difference.
test_cmp() {
	diff -u "$@"
}

# test_grep [OPTION...] PATTERN FILE: as grep; shows FILE when nothing is found.
test_grep() {
	grep "$@" && return 0
	for test__file in "$@"; do :; done
	echo "test_grep: not found: grep $*" >&2
	echo "--- $test__file:" >&2
	cat "$test__file" >&2
	return 1
}

# test_when_finished COMMANDS: runs COMMANDS after the body, whether it passes
# or not, last registered first. The test fails when one of them does.
test_when_finished() {
	# In a subshell the list would be lost without a word.
	test "$(exec sh -c 'echo $PPID')" = $$ ||
		test__bug "test_when_finished was called in a subshell"
	test__cleanup="{ $*
} || test__cleanup_code=\$?
$test__cleanup"
}

# test_debug COMMANDS: runs COMMANDS only under --debug; never fails a test.
test_debug() {
	test -z "$test__debug" || eval "$*" >&2 || :
}

# sharness.sh: the harness that every script in t/ sources first.
#
# Owns the options, the numbering, how a test body is run, the TAP on standard
# output and the trash directory. It must never know flux: what does lives in
# sharness.d/, whose files are sourced at the end, in order of name.
#
# Read on in sharness.d/commands.sh (what a body may call), under-flux.sh (how a
# script gets an instance to run in) and small-disk.sh (a disk that fills up). Names
# that begin with test__ are the harness's own. POSIX sh only: scripts run under any /bin/sh.

test__usage() {
	cat <<-EOF
	usage: $0 [OPTION]...
	  -v, --verbose    show what the bodies print, as it happens (standard error)
	  -d, --debug      as --verbose, trace the commands, run test_debug, keep the trash
	  -r, --run=LIST   run only these tests, e.g. 1-4,7,!3 (the others are skipped)
	      --root=DIR   make the trash directory in DIR
	  -l, --long       set the prerequisite LONG: run the slow tests too
	      --chain-lint accepted for habit's sake: it is always on
	EOF
}

# A mistake in the script or on its command line, not in what is tested.
test__bug() {
	test__finished=yes
	printf 'Bail out! %s: %s\n' "$test__name" "$*" >&7
	exit 99
}

# Bodies have their output redirected; 7 stays the script's own.
exec 7>&1

# Prints a TAP comment.
say() {
	printf '# %s\n' "$*"
}

# ---- options ---------------------------------------------------------------

test__name=$(basename "$0" .t)
test__args=$*
test__verbose= test__debug= test__run= test__root=
test__prereqs=' '
for test__arg in "$@"
do
	case $test__arg in
	-v | --verbose) test__verbose=yes ;;
	-d | --debug) test__verbose=yes test__debug=yes ;;
	--run=*) test__run=${test__arg#--run=} ;;
	-r*) test__run=${test__arg#-r} ;;
	--root=*) test__root=${test__arg#--root=} ;;
	-l | --long) test__prereqs="${test__prereqs}LONG " ;;
	--chain-lint) ;;
	-h | --help) test__usage && exit 0 ;;
	*) test__usage >&2 && test__bug "unknown option $test__arg" ;;
	esac
done
case $test__run in
*[!0-9,!-]*) test__bug "--run takes a list such as 1-4,7,!3, not '$test__run'" ;;
esac

# ---- surroundings ----------------------------------------------------------

test__dir=$(cd "$(dirname "$0")" && pwd) || exit 99
test__script=$test__dir/$(basename "$0")
# A script may stand in t/, in a folder below it, or (with the variable) anywhere.
for test__arg in "${TEST_HARNESS_DIR:-$test__dir}" "$test__dir/.."
do
	test -f "$test__arg/sharness.sh" && TEST_HARNESS_DIR=$(cd "$test__arg" && pwd) && break
done
export TEST_HARNESS_DIR

test__root=${test__root:-${TEST_RESULTS_DIR:-$TEST_HARNESS_DIR/test-results}}
# The inner run of a script under flux goes on in the outer run's place.
test "$TEST_UNDER_FLUX_ACTIVE" = "$test__name" && test__root=$TEST_UNDER_FLUX_ROOT
mkdir -p "$test__root" || test__bug "cannot make $test__root"
test__root=$(cd "$test__root" && pwd)
test__trash=$test__root/trash.$test__name
test__log=$test__root/$test__name.log

# The same words, times and defaults on every machine.
LC_ALL=C.UTF-8 TZ=UTC HOME=$test__trash TERM=dumb
export LC_ALL TZ HOME TERM
unset XDG_CONFIG_HOME XDG_CONFIG_DIRS CDPATH NO_COLOR

# Every process that descends from this script carries the mark in its
# environment, so what outlives the script can be found and named.
# (This shell itself does not: /proc shows the environment it was started with.)
if test "$TEST_UNDER_FLUX_ACTIVE" != "$test__name"
then
	FLUX_TEST_MARK=$test__name.$$
	export FLUX_TEST_MARK
	unset TEST_UNDER_FLUX_ACTIVE TEST_UNDER_FLUX_ROOT
	rm -rf "$test__trash" && mkdir "$test__trash" || test__bug "cannot make $test__trash"
fi
cd "$test__trash" || test__bug "cannot enter $test__trash"

# Prints the ids of the processes that carry this script's mark. The search is
# itself made of processes: they go unmarked.
test__marked_processes() (
	test__mark=$FLUX_TEST_MARK
	unset FLUX_TEST_MARK
	grep -Fxzl "FLUX_TEST_MARK=$test__mark" /proc/[0-9]*/environ 2>/dev/null |
		sed 's,/proc/,,; s,/environ,,'
)

# Waits until none is left, at most $1 twentieths of a second. Nothing announces
# the end of a process that is not our child, so this is the one place that asks
# again and again.
test__await_unmarked() {
	test__tries=$1
	while test__pids=$(test__marked_processes) && test -n "$test__pids"
	do
		test "$test__tries" -gt 0 || return 1
		test__tries=$((test__tries - 1))
		sleep 0.05
	done
}

# Names and ends each process that outlived the script, and returns 1 if there
# was one. What is just going gets a second to go.
test__no_process_remains() {
	test__await_unmarked 20 && return 0
	for test__pid in $test__pids
	do
		say "error: process $test__pid remains:" \
			"$(cat "/proc/$test__pid/cmdline" 2>/dev/null | tr '\0' ' ')"
		kill -KILL "$test__pid" 2>/dev/null
	done
	test__await_unmarked 20 || say "error: not even SIGKILL ended them"
	return 1
}

# ---- prerequisites and selection --------------------------------------------

# test_set_prereq NAME: says that this machine or build has NAME.
test_set_prereq() {
	test__prereqs="$test__prereqs$1 "
}

# test_have_prereq A,B,!C: true when A and B are set and C is not.
test_have_prereq() {
	test__missing=
	for test__item in $(printf '%s\n' "$1" | tr ',' ' ')
	do
		case $test__item,$test__prereqs in
		!*,*" ${test__item#!} "*) test__missing="$test__missing $test__item" ;;
		!*) ;;
		*,*" $test__item "*) ;;
		*) test__missing="$test__missing $test__item" ;;
		esac
	done
	test -z "$test__missing"
}

test "$(id -u)" = 0 && test_set_prereq ROOT

# Says whether --run selects test number $1. Later items win over earlier ones;
# a list that begins by leaving something out starts from everything.
test__selected() {
	test -n "$test__run" || return 0
	case $test__run in
	!*) test__in=yes ;;
	*) test__in=no ;;
	esac
	for test__item in $(printf '%s\n' "$test__run" | tr ',' ' ')
	do
		test__verdict=yes
		case $test__item in
		!*) test__verdict=no test__item=${test__item#!} ;;
		esac
		test__low=${test__item%-*} test__high=${test__item#*-}
		test "$1" -ge "${test__low:-1}" && test "$1" -le "${test__high:-$1}" &&
			test__in=$test__verdict
	done
	test "$test__in" = yes
}

# ---- running a test ---------------------------------------------------------

test__count=0 test__failed=0 test__broken=0

# Prints a file, or standard input, as indented TAP comments.
test__quote() {
	sed 's/^/#	/' "$@"
}

test__pass() {
	printf 'ok %d - %s\n' "$test__count" "$1"
}

# test__fail NAME REASON BODY: reports a failure; the log says the rest.
test__fail() {
	test__failed=$((test__failed + 1))
	printf 'not ok %d - %s\n' "$test__count" "$1"
	say "$2"
	printf '%s\n' "$3" | test__quote
	test -s "$test__log" && say 'output:' && test__quote "$test__log"
}

# Takes the next number. Returns 1 after reporting a skip.
test__begin() {
	test__count=$((test__count + 1))
	if ! test__selected "$test__count"
	then
		printf 'ok %d # skip %s (not in --run)\n' "$test__count" "$1"
		return 1
	fi
	if ! test_have_prereq "$2"
	then
		printf 'ok %d # skip %s (missing%s)\n' "$test__count" "$1" "$test__missing"
		return 1
	fi
}

# A body whose commands are all joined by && does nothing but return 117 when
# 117 is put in front. Where a link is missing the rest would run: so PATH is
# empty, the directory is a scratch one, and the shell is a child.
test__chain_is_whole() {
	mkdir -p "$test__trash.lint" &&
	(
		cd "$test__trash.lint" || exit 1
		PATH=/nonexistent
		test__body "(exit 117) && $1"
	) </dev/null >/dev/null 2>&1
	test__lint=$?
	rm -rf "$test__trash.lint"
	test "$test__lint" = 117
}

# A function of its own, so that `return` in a body ends the body.
test__body() {
	eval "$1"
}

test__traced_body() {
	test -n "$test__debug" && set -x
	test__body "$1"
}

# Runs one body and what it left to test_when_finished; returns its code.
test__evaluate() {
	test__cleanup='' test__code=0
	if test -n "$test__verbose"
	then
		: >"$test__log"
		test__traced_body "$1" </dev/null >&2 || test__code=$?
		{ set +x; } 2>/dev/null
		test__run_cleanup >&2
	else
		test__body "$1" </dev/null >"$test__log" 2>&1 || test__code=$?
		test__run_cleanup >>"$test__log" 2>&1
	fi
	cd "$test__trash" || test__bug "the trash directory has gone"
	return "$test__code"
}

test__run_cleanup() {
	test -n "$test__cleanup" || return 0
	test__cleanup_code=0
	test__body "$test__cleanup" </dev/null
	test "$test__cleanup_code" = 0 && return 0
	echo "test_when_finished: a clean-up returned $test__cleanup_code"
	test "$test__code" = 0 && test__code=1
}

# test_expect_success [PREREQ] NAME BODY
test_expect_success() {
	test $# = 2 && set -- '' "$@"
	test $# = 3 || test__bug "test_expect_success takes [PREREQ] NAME BODY"
	test__begin "$2" "$1" || return 0
	: >"$test__log"
	test -n "$test__verbose" && printf '# test %d: %s\n' "$test__count" "$2" >&2
	if ! test__chain_is_whole "$3"
	then
		test__fail "$2" 'error: the body does not parse, or a && is missing:' "$3"
	elif test__evaluate "$3"
	then
		test__pass "$2"
	else
		test__fail "$2" "the body returned $test__code:" "$3"
	fi
}

# test_expect_failure [PREREQ] NAME BODY: a known breakage. It is an error when
# the body passes, so that a repaired breakage does not go unnoticed.
test_expect_failure() {
	test $# = 2 && set -- '' "$@"
	test $# = 3 || test__bug "test_expect_failure takes [PREREQ] NAME BODY"
	test__begin "$2" "$1" || return 0
	: >"$test__log"
	if ! test__chain_is_whole "$3"
	then
		test__fail "$2" 'error: the body does not parse, or a && is missing:' "$3"
	elif test__evaluate "$3"
	then
		test__fail "$2" 'the known breakage is gone: make it test_expect_success' "$3"
	else
		test__broken=$((test__broken + 1))
		printf 'not ok %d - %s # TODO known breakage\n' "$test__count" "$2"
	fi
}

# ---- the end ----------------------------------------------------------------

# Functions to call before the plan is printed; one that returns non-zero has
# explained itself and fails the script.
test__at_end=

# test_done: prints the plan and ends the script. The variable skip_all, set
# before the first test, skips the script for the reason it holds.
test_done() {
	test__finished=yes
	if test -n "$skip_all"
	then
		test "$test__count" = 0 || test__bug "skip_all was set after the first test"
		printf '1..0 # SKIP %s\n' "$skip_all"
		test__remove_trash
		exit 0
	fi
	test "$test__count" -gt 0 || test__bug "no test was run"
	for test__hook in $test__at_end
	do
		"$test__hook" || test__failed=$((test__failed + 1))
	done
	if test -z "$TEST_UNDER_FLUX_ACTIVE"
	then
		test__no_process_remains || test__failed=$((test__failed + 1))
	fi
	printf '1..%d\n' "$test__count"
	test "$test__broken" = 0 || say "known breakages: $test__broken"
	if test "$test__failed" = 0
	then
		test -n "$test__debug" || test__remove_trash
		exit 0
	fi
	say "failed: $test__failed of $test__count, see $test__trash"
	exit 1
}

test__remove_trash() {
	cd "$test__root" && rm -rf "$test__trash" "$test__log"
}

test__finished=
test__on_exit() {
	test__code=$?
	test -n "$test__finished" && exit "$test__code"
	printf 'Bail out! %s: ended with %d before test_done\n' "$test__name" "$test__code" >&7
	test -s "$test__log" && test__quote "$test__log" >&7
	exit 99
}
trap test__on_exit EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

for test__arg in "$TEST_HARNESS_DIR"/sharness.d/*.sh
do
	. "$test__arg"
done

# flux.sh: finds the flux under test, and waits for what jobs do.
#
# Waits go through events and end at a time limit; then they print what they
# saw, because "timed out" alone explains nothing. Scripts never sleep.
#
#   FLUX_TEST_FLUX     the command under test; otherwise this tree's build of
#   FLUX_TEST_PROFILE  (release, the default, or debug)
#   FLUX_TEST_PEER     not empty: the command is another implementation, so what
#                      only ours knows (personalities) is left out
#   FLUX_TEST_LINT     not empty: a folder to which flux lint rfc9 writes what it finds
#                      in each instance that a script runs in
#   FLUX_TEST_WAIT     how long the waits below wait, in seconds (30)

test__flux=${FLUX_TEST_FLUX:-${CARGO_TARGET_DIR:-$TEST_HARNESS_DIR/../target}/${FLUX_TEST_PROFILE:-release}/flux}
if test -x "$test__flux"
then
	PATH=$(cd "$(dirname "$test__flux")" && pwd):$PATH
	export PATH
fi
test -n "$FLUX_TEST_PEER" || test_set_prereq OURS

# test_need_flux: ends the script, as an error, when there is nothing to test.
test_need_flux() {
	test -x "$test__flux" && return 0
	test__bug "no command at $test__flux: build it, or set FLUX_TEST_FLUX"
}

# wait_event ID EVENT [OPTION...]: waits for EVENT in the job's eventlog (or, by
# option, another one of the job). On a time-out prints the whole log.
wait_event() {
	test__job=$1 test__event=$2
	shift 2
	flux job wait-event --timeout="${FLUX_TEST_WAIT:-30}s" "$@" "$test__job" "$test__event" && return 0
	echo "wait_event: no $test__event in the log of $test__job:" >&2
	flux job eventlog "$test__job" >&2
	return 1
}

# wait_state ID STATE: waits for the event that moves the job into STATE. A job
# that is cancelled before it runs has no finish: wait for inactive there.
wait_state() {
	case $2 in
	depend) test__event=validate ;;
	priority) test__event=depend ;;
	sched) test__event=priority ;;
	run) test__event=alloc ;;
	cleanup) test__event=finish ;;
	inactive) test__event=clean ;;
	*) echo "wait_state: '$2' is no state to wait for" >&2 && return 1 ;;
	esac
	wait_event "$1" "$test__event" --quiet
}

# wait_for SECONDS COMMAND...: asks again and again until COMMAND succeeds. Only
# for what announces nothing, such as the end of a process that is not our child.
wait_for() {
	test__tries=$(($1 * 20))
	shift
	until "$@" >wait_for.log 2>&1
	do
		if test "$test__tries" = 0
		then
			echo "wait_for: never succeeded: $*" >&2
			cat wait_for.log >&2
			return 1
		fi
		test__tries=$((test__tries - 1))
		sleep 0.05
	done
}

# gone PATTERN: whether no process has this command line, but for zombies.
gone() {
	for pid in $(pgrep -f "$1")
	do
		case $(cut -d" " -f3 "/proc/$pid/stat" 2>/dev/null) in
		"" | Z) ;;
		*) echo "still there: $(tr "\0" " " <"/proc/$pid/cmdline")" && return 1 ;;
		esac
	done
}

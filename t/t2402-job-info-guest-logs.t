#!/bin/sh

test_description='guest logs of a job are followed from before its start until after its end

Covers what only a live instance can show: watches of raw clients and of the command on
jobs that wait for cores, run, and end while they are watched. Which step of the watch
follows which is covered by the tests of job-info.
'

. "$(dirname "$0")/sharness.sh"
test_under_flux 1 job

ncores=$(flux resource list -s all -no "{ncores}")

client="perl $TEST_HARNESS_DIR/sharness.d/client.pl $(flux getattr local-uri) stream"

# ask NAME PATH FLAGS: writes the request for a guest log of the job in the file `id`.
ask() {
	printf "{\"id\":%s,\"path\":\"guest.%s\",\"flags\":%s}\0" \
		"$(flux job id --to=dec "$(cat id)")" "$2" "$3" >"$1.request"
}

# follow_all: watches every log in every way, in the background. What comes goes to
# NAME.log; the last line is the end: 61 (ENODATA) or 2 (ENOENT).
follow_all() {
	pids=
	for path in exec.eventlog output input mine
	do
		for flags in 0 1
		do
			ask "$path.$flags" "$path" "$flags" || return 1
			$client job-info.eventlog-watch <"$path.$flags.request" >"$path.$flags.log" &
			pids="$pids $!"
		done
	done
	wait_for 10 n_watchers 8
}

n_watchers() {
	flux module stats job-info | grep -q "\"guest_watchers\": *$1[^0-9]"
}

# ends NAME...: how each log ended, a line each.
ends() {
	for name in "$@"
	do
		echo "$name $(tail -n 1 "$name.log")"
	done
}

# is_whole NAME: whether what was followed is the log, each entry once.
is_whole() {
	grep -c "^0 " "$1.log" >n_seen
	flux job eventlog --path="guest.${1%.[01]}" "$(cat id)" | wc -l >n_there
	test "$(cat n_seen)" -eq "$(cat n_there)"
}

test_expect_success 'logs of a job that waits for cores are followed when it runs' '
	flux submit -c "$ncores" tail -f /dev/null >busy &&
	wait_event "$(cat busy)" start --quiet &&
	mkfifo go &&
	flux submit -c "$ncores" \
		sh -c "read it <go; flux kvs eventlog append mine hello; echo out; cat" >id &&
	follow_all &&
	flux cancel "$(cat busy)" &&
	wait_for 10 grep -q "key not found" mine.0.log &&
	echo it >go &&
	echo in | flux job attach "$(cat id)" >out &&
	wait $pids &&
	printf "%s\n" out in >expect &&
	test_cmp expect out &&
	for name in exec.eventlog.0 exec.eventlog.1 output.0 output.1 input.0 input.1 mine.1
	do
		echo "$name 61 " >>expect.ends || return 1
	done &&
	ends exec.eventlog.0 exec.eventlog.1 output.0 output.1 input.0 input.1 mine.1 >actual.ends &&
	test_cmp expect.ends actual.ends &&
	for name in exec.eventlog.0 exec.eventlog.1 output.0 output.1 input.0 input.1 mine.1
	do
		is_whole $name || return 1
	done
'

test_expect_success 'another log is there when the job starts, or it is not' '
	echo "2 guest.mine: key not found" >expect &&
	tail -n 1 mine.0.log >actual &&
	test_cmp expect actual
'

test_expect_success 'a job that is cancelled before it starts ends the watches' '
	flux submit -c "$ncores" tail -f /dev/null >busy &&
	wait_event "$(cat busy)" start --quiet &&
	flux submit -c "$ncores" true >id &&
	follow_all &&
	flux cancel "$(cat id)" &&
	wait $pids &&
	for path in exec.eventlog output input mine
	do
		echo "2 guest.$path: key not found" >expect &&
		test_cmp expect "$path.0.log" &&
		echo "61 " >expect &&
		test_cmp expect "$path.1.log" || return 1
	done &&
	flux cancel "$(cat busy)" &&
	wait_state "$(cat busy)" inactive
'

test_expect_success 'jobs that come and go are followed whole however early one looks' '
	for i in 1 2 3 4 5 6
	do
		flux submit echo out >id &&
		ask output.0 output 0 &&
		$client job-info.eventlog-watch <output.0.request >output.0.log &&
		test "$(tail -n 1 output.0.log)" = "61 " &&
		is_whole output.0 || return 1
	done
'

test_expect_success 'clients that leave take their watches along' '
	flux submit -c "$ncores" tail -f /dev/null >busy &&
	flux submit -c "$ncores" true >id &&
	follow_all &&
	kill $pids &&
	wait_for 10 n_watchers 0 &&
	flux cancel "$(cat id)" "$(cat busy)"
'

test_expect_success 'a command waits for what a pending job will write' '
	flux run echo out >actual &&
	echo out >expect &&
	test_cmp expect actual &&
	flux submit true >id &&
	wait_event "$(cat id)" header --path=guest.input --quiet
'

test_done

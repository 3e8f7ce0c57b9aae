#!/bin/sh

test_description='flux update: new values for jobs that wait and that run
'

. "$(dirname "$0")/sharness.sh"
test_under_flux 1 job

# Prints the lines given, for comparison.
expect() {
	printf "%s\n" "$@" >expect
}

# The duration of a job.
duration() {
	flux jobs -no "{duration}" "$1"
}

test_expect_success 'what would be asked for can be seen' '
	flux update --dry-run 1 duration=10m name=x job.y=2 resources.z=w >actual &&
	expect "{\"attributes.system.duration\": 600.0, \"attributes.system.job.name\": \"x\", \"attributes.system.job.y\": 2, \"resources.z\": \"w\"}" &&
	test_cmp expect actual
'

test_expect_success 'the time of a job that waits is set and changed' '
	flux queue stop --quiet &&
	id=$(flux submit -t 1m true) &&
	wait_event $id priority -q &&
	flux update -v $id duration=10m 2>actual &&
	expect "flux-update: INFO: updated attributes.system.duration to 600.0" &&
	test_cmp expect actual &&
	test "$(duration $id)" = 600.0 &&
	flux update $id duration=+1m &&
	test "$(duration $id)" = 660.0 &&
	flux update --wait $id duration=-10m &&
	test "$(duration $id)" = 60.0 &&
	flux job eventlog $id | grep jobspec-update | wc -l >actual &&
	expect 3 &&
	test_cmp expect actual
'

test_expect_success 'what cannot be is refused in words' '
	test_expect_code 1 flux update $id duration=-1h 2>actual &&
	expect "flux-update: ERROR: current duration for $id (1m) cannot be reduced by 1h" &&
	test_cmp expect actual &&
	flux update $id duration=inf &&
	test_expect_code 1 flux update $id duration=+1m 2>actual &&
	expect "flux-update: ERROR: duration for $id is unlimited, can'\''t update by +1m" &&
	test_cmp expect actual &&
	test_expect_code 1 flux update $id name=x 2>actual &&
	expect "flux-update: ERROR: update of attributes.system.job.name not supported" &&
	test_cmp expect actual &&
	test_expect_code 1 flux update 1 duration=1m 2>actual &&
	expect "flux-update: ERROR: unknown job id" &&
	test_cmp expect actual
'

test_expect_success 'the end of a running job moves, and the job ends then' '
	flux queue start --quiet &&
	id=$(flux submit -t 1h --wait-event=start sleep inf) &&
	flux update $id duration=1s &&
	test_expect_code 142 flux job status $id &&
	wait_event $id exception -q -m type=timeout &&
	flux job eventlog $id >log &&
	test_grep resource-update log
'

test_expect_success 'a job moves to another queue with its constraints' '
	flux config load <<-EOF &&
	queues.batch = {}
	queues.debug = {}
	EOF
	id=$(flux submit -q batch true) &&
	wait_event $id priority -q &&
	flux update $id queue=debug &&
	test "$(flux jobs -no "{queue}" $id)" = debug &&
	test_expect_code 1 flux update $id queue=debug 2>actual &&
	expect "flux-update: ERROR: job queue is already set to debug" &&
	test_cmp expect actual &&
	flux queue start --quiet debug &&
	flux job status $id
'

test_done

#!/bin/sh

test_description='flux queue with named queues: each takes and runs its own jobs
'

. "$(dirname "$0")/sharness.sh"
test_under_flux 1 job

# Prints the lines given, for comparison.
expect() {
	printf "%s\n" "$@" >expect
}

# Whether a queue runs jobs: the scheduler may have to come back first.
is_started() {
	test "$(flux queue list -q "$1" -no "{started.ascii}")" = y
}

test_expect_success 'queues are configured, and none of them runs jobs' '
	cat >conf.toml <<-EOF &&
	[queues.batch]
	[queues.debug]
	policy.limits.duration = "1h"
	policy.limits.job-size.max.nnodes = 2
	[queues.night]
	parent = "batch"
	[policy]
	jobspec.defaults.system.queue = "batch"
	jobspec.defaults.system.duration = "10m"
	limits.duration = "2h"
	EOF
	flux config load conf.toml &&
	flux queue status >actual &&
	cat >expect <<-EOF &&
	batch: Job submission is enabled
	batch: Scheduling is stopped
	debug: Job submission is enabled
	debug: Scheduling is stopped
	night: Job submission is enabled
	night: Scheduling is stopped
	EOF
	test_cmp expect actual
'

test_expect_success 'queues are listed with their limits' '
	flux queue list -n -o "{queuem} {parent} {enabled.ascii}{started.ascii} {defaults.timelimit!F} {limits.timelimit!F} {limits.range.nnodes}" >actual &&
	expect "batch*  yn 10m 2h 0-inf" "debug  yn 10m 1h 0-2" "night batch yn 10m 2h 0-inf" &&
	test_cmp expect actual &&
	flux queue list -q debug -n -o "{queue}" >actual &&
	expect debug &&
	test_cmp expect actual
'

test_expect_success 'a command for no queue in particular names what is missing' '
	test_expect_code 1 flux queue start 2>actual &&
	expect "flux-queue: ERROR: Named queues are defined. Specify queues or use --all." &&
	test_cmp expect actual &&
	test_expect_code 1 flux queue stop 2>actual &&
	test_cmp expect actual &&
	test_expect_code 1 flux queue enable 2>actual &&
	expect "flux-queue: enable: Use --all to apply this command to all queues" &&
	test_cmp expect actual &&
	test_expect_code 1 flux queue start -q batch debug 2>actual &&
	expect "flux-queue: Conflicting queues specified as --queue=batch and debug" &&
	test_cmp expect actual &&
	test_expect_code 1 flux queue stop nosuch 2>actual &&
	expect "flux-queue: stop: '\''nosuch'\'' is not a valid queue" &&
	test_cmp expect actual
'

test_expect_success 'a part of a queue waits for the whole' '
	flux queue start --queue=night >actual &&
	expect "night: Scheduling is stopped: parent queue '\''batch'\'' is stopped" &&
	test_cmp expect actual &&
	id=$(flux submit -q night true) &&
	wait_event $id priority -q &&
	flux queue start batch >actual &&
	expect "batch: Scheduling is started" &&
	test_cmp expect actual &&
	flux job status $id
'

test_expect_success 'jobs of a stopped queue wait, others run' '
	waiting=$(flux submit -q debug true) &&
	flux run true &&
	test "$(flux jobs -no "{queue} {state}" $waiting)" = "debug SCHED" &&
	test "$(flux jobs -ano "{id}" --queue=debug)" = $waiting &&
	test "$(flux jobs -ano "{queue}" --queue=batch | sort -u | xargs)" = "batch night"
'

test_expect_success 'a disabled queue takes none' '
	flux queue disable -m full debug >actual &&
	expect "debug: Job submission is disabled: full" &&
	test_cmp expect actual &&
	test_expect_code 1 flux submit -q debug true 2>actual &&
	expect "[Errno 22] job submission to debug is disabled: full" &&
	test_cmp expect actual &&
	flux queue enable --all --quiet
'

test_expect_success 'what was said is kept when job-manager is loaded again' '
	flux queue stop --nocheckpoint --quiet batch &&
	flux queue disable --message=why --quiet night &&
	flux module reload job-manager &&
	wait_for 30 is_started night &&
	flux queue status night >actual &&
	expect "night: Job submission is disabled: why" "night: Scheduling is started" &&
	test_cmp expect actual &&
	test "$(flux queue list -q batch -no "{started.ascii}")" = y
'

test_expect_success 'jobs of a queue that goes wait, and can be cancelled' '
	flux config load <<-EOF &&
	queues.batch = {}
	EOF
	flux queue status batch >actual &&
	test "$(flux jobs -no "{queue} {state}" $waiting)" = "debug SCHED" &&
	flux cancel $waiting &&
	wait_event $waiting clean -q
'

test_done

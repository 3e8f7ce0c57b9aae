#!/bin/sh

test_description='users of the instance do not see that modules are reloaded

Covers what only real processes and commands show: modules are reloaded one after the other
beside loops of commands. No command fails, and what each has asked for is done once. Which
requests wait, and what is said when the module does not come back, is covered by tests of
the broker.
'

. "$(dirname "$0")/sharness.sh"
test_under_flux 1 full

# reload_in_turn N MODULE...: reloads each module N times.
reload_in_turn() {
	left=$1
	shift
	while test $left -gt 0
	do
		left=$((left - 1))
		for module in "$@"
		do
			flux module reload $module && echo $module >>reloads
		done
	done
}

test_expect_success 'commands run while each module is reloaded in turn' '
	>reloads && test_begin_load &&
	reload_in_turn 3 job-manager job-list sched-simple job-exec kvs job-ingest content \
		job-info kvs-watch resource &&
	test_end_load &&
	test "$(wc -l <reloads)" = 30
'

test_expect_success 'none of them failed, and what each has asked for is done once' '
	test_load_unseen
'

test_expect_success 'a module that cannot be loaded again is not waited for' '
	test_must_fail flux module reload heartbeat --no-such-option 2>err &&
	test_must_fail flux ping --count=1 heartbeat &&
	flux module load heartbeat &&
	flux ping --count=1 heartbeat
'

test_done

#!/bin/sh

test_description='users of the instance do not see that modules are killed

Covers what only real processes and commands show: each module in turn is killed with
SIGKILL, 60 times in all, beside loops of commands. No command fails, what each has asked
for is done once, and what is followed is followed to its end. What a module must remember
for that is covered by its own tests.
'

. "$(dirname "$0")/sharness.sh"
test_under_flux 1 full

# kill_in_turn N MODULE...: kills each module N times and waits for its successor.
kill_in_turn() {
	left=$1
	shift
	while test $left -gt 0
	do
		left=$((left - 1))
		for module in "$@"
		do
			pkill -KILL -P "$broker" -f "flux-module-$module\$" &&
				echo $module >>kills
			flux ping --count=1 $module >ping.log 2>&1
		done
	done
}

test_expect_success 'commands run while each module is killed in turn' '
	broker=$(flux getattr broker.pid) && >kills && test_begin_load &&
	{ flux job wait-event $(cat waiting) clean >waited 2>wait.err & } && waiter=$! &&
	{ flux job eventlog --follow $(cat waiting) >events 2>events.err & } && reader=$! &&
	kill_in_turn 6 kvs job-ingest job-manager content job-list job-info \
		kvs-watch sched-simple job-exec resource &&
	test_end_load && wait $waiter $reader &&
	test "$(wc -l <kills)" -ge 50
'

test_expect_success 'none of them failed, and what each has asked for is done once' '
	test_load_unseen
'

test_expect_success 'a job that was followed was followed to its end' '
	grep clean waited &&
	flux job eventlog "$(cat waiting)" >expect &&
	test_cmp expect events &&
	cat wait.err events.err >complaints &&
	test_cmp /dev/null complaints
'

test_done

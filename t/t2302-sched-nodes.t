#!/bin/sh

test_description='sched-simple gives jobs nodes, and knows which are down

Jobs are simulated: what is shown here is which resources they get, and that the scheduler
finds them again. Where jobs go is tested in the module for every shape.
'

. "$(dirname "$0")/sharness.sh"
test_under_flux 4 job

ncores=$(nproc)
if test "$ncores" -gt 1
then
	all=core[0-$((ncores - 1))]
else
	all=core0
fi

# submit OPTION...: submits a job that runs until it is cancelled; prints its id.
submit() {
	flux submit "$@" --setattr=exec.test.run_duration=1h true
}

# resources ID: what the job was given, in short.
resources() {
	wait_event "$1" alloc -f json >alloc &&
		sed "s/.*\"resource_summary\":\"//; s/\".*//" alloc
}

# states: ranks that are free, allocated and down.
states() {
	flux resource list -s free,allocated,down -no "{state}:{ranks}" | sed "s/ *//g"
}

test_expect_success 'a job for all nodes has them all' '
	id=$(submit -N4 --exclusive) &&
	resources $id >actual &&
	echo "rank[0-3]/$all" >expect &&
	test_cmp expect actual &&
	flux cancel $id && wait_state $id inactive
'

test_expect_success 'jobs go to the emptiest nodes' '
	for n in 1 2 3 4
	do
		id=$(submit -n1) && resources $id || return 1
	done >actual &&
	printf "rank%d/core0\n" 0 1 2 3 >expect &&
	test_cmp expect actual &&
	flux cancel --all && flux queue idle
'

test_expect_success 'jobs go where they want to be' '
	for where in "rank:2" "host:$(hostname) -rank:0-2" "rank:1-2 -rank:1"
	do
		id=$(submit -n1 --requires="$where") && resources $id &&
		flux cancel $id && wait_state $id inactive || return 1
	done >actual &&
	printf "rank%d/core0\n" 2 3 2 >expect &&
	test_cmp expect actual
'

test_expect_success 'what can never run is refused, also when nodes are down' '
	flux resource drain 1-3 &&
	test_expect_code 1 flux run -N5 -n5 true 2>err &&
	test_grep "unsatisfiable request: need 5 node(s) with 1 cores each, only 4 eligible" err &&
	id=$(submit -N4 -n4) &&
	states >actual &&
	printf "%s\n" free:0 allocated: down:1-3 >expect &&
	test_cmp expect actual &&
	flux resource undrain 1-3 &&
	resources $id >actual &&
	echo "rank[0-3]/core0" >expect &&
	test_cmp expect actual
'

test_expect_success 'a node that goes down keeps its job' '
	flux resource drain 0 &&
	states >actual &&
	test_grep "^allocated:0-3$" actual &&
	test_grep "^down:0$" actual
'

test_expect_success 'a scheduler that is loaded again knows what jobs have, and what is down' '
	flux module reload sched-simple &&
	states >actual &&
	test_grep "^allocated:0-3$" actual &&
	test_grep "^down:0$" actual &&
	second=$(submit -N4 --exclusive) &&
	flux resource undrain 0 &&
	flux cancel $id &&
	resources $second >actual &&
	echo "rank[0-3]/$all" >expect &&
	test_cmp expect actual
'

test_expect_success 'in the end all is free' '
	flux cancel --all && flux queue idle &&
	states >actual &&
	printf "%s\n" free:0-3 allocated: down: >expect &&
	test_cmp expect actual
'

test_done

#!/bin/sh

test_description='a scheduler that is loaded again while a node is drained under a job
'

. "$(dirname "$0")/sharness.sh"
test_under_flux 2 job

free_cores() {
	flux resource list -s free -no "{ncores}"
}

test_expect_success 'the node of a job is drained, and the scheduler loaded again' '
	cores=$(flux resource list -s all -no "{ncores}") &&
	first=$(flux submit -N2 --exclusive sleep inf) &&
	wait_state "$first" run &&
	flux resource drain 0 &&
	flux module reload sched-simple &&
	test "$(flux jobs -no "{state}" "$first")" = RUN &&
	test "$(flux resource list -s allocated -no "{ncores}")" = "$cores"
'

test_expect_success 'a second job waits for it' '
	second=$(flux submit -N2 --exclusive true) &&
	wait_state "$second" sched &&
	flux resource undrain 0 &&
	test "$(flux resource list -s down -no "{nnodes}")" = 0 &&
	test "$(flux jobs -no "{state}" "$second")" = SCHED
'

test_expect_success 'and runs when it has ended' '
	flux cancel "$first" &&
	wait_state "$second" inactive &&
	test "$(flux jobs -no "{result}" "$second")" = COMPLETED
'

test_expect_success 'what is in use can be put back too, if one says so' '
	flux resource drain 1 &&
	test_must_fail flux resource undrain 0-1 2>err &&
	test_grep "rank 0 not drained" err &&
	flux resource undrain --update 0-1 &&
	flux resource undrain -f 0-1 &&
	test_must_fail flux resource undrain -u -f 0-1 2>err &&
	test_grep "Only one of --force and --update may be specified" err &&
	test -z "$(flux resource drain -no "{ranks}")"
'

test_done

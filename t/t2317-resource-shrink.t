#!/bin/sh

test_description='ranks that are silent, and ranks that are lost
'

. "$(dirname "$0")/sharness.sh"
test_under_hosts 4 job -S tbon.torpid_min=0.1s -S tbon.torpid_max=0.4s

waitup() {
	test "$(rpc resource.monitor-waitup "{\"up\":$1}")" = "0 "
}

# is_up N: whether the scheduler has N ranks that are up.
is_up() {
	flux resource list -s up -no "{nnodes}" >up && cat up && test "$(cat up)" = "$1"
}

test_expect_success 'all ranks are there' '
	waitup 4 && wait_for 20 is_up 4 &&
	test_expect_code 71 sh -c "exit $(rpc resource.monitor-waitup "{\"up\":5}" | cut -d" " -f1)"
'

test_expect_success 'a silent rank gets no jobs, and is not drained' '
	kill_rank 3 19 &&
	wait_group broker.torpid 3 && wait_for 20 is_up 3 &&
	flux resource drain -n >actual &&
	test_cmp /dev/null actual &&
	flux resource status -s torpid -no {ranks} >actual &&
	echo 3 >expect &&
	test_cmp expect actual
'

test_expect_success 'it is used again when it speaks' '
	kill_rank 3 18 &&
	wait_group broker.torpid "" && wait_for 20 is_up 4
'

test_expect_success 'a rank that is lost is taken out' '
	flux resource list -s all -no "{nnodes}" >actual &&
	kill_rank 3 9 && wait_rank 3 137 &&
	waitup 3 && wait_for 20 is_up 3 &&
	flux resource list -s all -no "{nnodes}" >>actual &&
	printf "%s\n" 4 3 >expect &&
	test_cmp expect actual &&
	rpc sched.resource-status >actual &&
	test_expect_code 1 grep fake3 actual
'

test_expect_success 'no job can have it' '
	test_expect_code 1 flux run -N4 true 2>err &&
	test_grep "unsatisfiable request: need 4 " err
'

test_expect_success 'a job that waits for more than is left is told so' '
	flux resource drain 2 &&
	id=$(flux submit -N3 true) &&
	test "$(rpc resource.monitor-force-down "{\"ranks\":\"2\"}")" = "0 " &&
	wait_event $id exception >exception &&
	test_grep "unsatisfiable request: need 3 " exception &&
	test "$(rpc resource.monitor-force-down "{\"ranks\":\"foo\"}" | cut -d" " -f1)" = 71 &&
	flux resource list -s all -no "{ranks}" >actual &&
	echo 0-1 >expect &&
	test_cmp expect actual
'

test_expect_success 'a rank that comes back is added as it was' '
	run_rank 3 && waitup 3 && wait_for 20 is_up 3 &&
	flux resource list -s all -no "{ranks}" >actual &&
	echo 0-1,3 >expect &&
	test_cmp expect actual
'

test_done

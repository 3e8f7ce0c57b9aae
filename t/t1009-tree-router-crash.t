#!/bin/sh

test_description='a router crashes and starts again, and so does what was below it

A chain of three brokers, whose middle one ends by SIGSEGV or is cut off.
'

. "$(dirname "$0")/sharness.sh"
test_under_hosts 3 minimal -S tbon.topo=kary:1

test_expect_success 'all are there' '
	wait_status full && wait_group broker.online 0-2
'

test_expect_success 'a router that crashes takes its subtree along' '
	kill_rank 1 11 && wait_rank 1 139 && wait_rank 2 1 &&
	wait_status degraded && wait_group broker.online 0
'

test_expect_success 'and both come back' '
	run_rank 1 && wait_group broker.online 0-1 &&
	run_rank 2 && wait_status full && wait_group broker.online 0-2 &&
	flux ping --count=1 -r 2 broker
'

test_expect_success 'a broker is cut off by its parent only' '
	test_must_fail flux overlay disconnect --parent=0 2 2>err && cat err &&
	test_must_fail flux overlay disconnect 2>err &&
	flux ping --count=1 -r 2 broker
'

test_expect_success 'one that is cut off ends with 1, and those below it end' '
	flux overlay disconnect fake1 2>err &&
	echo "flux-overlay: asking fake0 (rank 0) to disconnect child fake1 (rank 1)" >expect &&
	test_cmp expect err &&
	wait_rank 1 1 && wait_rank 2 0 &&
	flux overlay status --down --no-pretty >actual &&
	test_grep "^1 fake1: lost administrative disconnect" actual
'

test_expect_success 'it is not cut off twice' '
	test_must_fail flux overlay disconnect fake1 2>err &&
	test_grep "overlay.disconnect-subtree: rank 1 is already lost" err
'

test_expect_success 'and both come back again' '
	run_rank 1 && run_rank 2 && wait_status full && wait_group broker.online 0-2
'

test_expect_success 'one that hangs is cut off too' '
	kill_rank 1 19 && flux overlay disconnect 1 && wait_status degraded &&
	kill_rank 1 18 && wait_rank 1 1 &&
	run_rank 1 && wait_group broker.online 0-1
'

test_done

#!/bin/sh

test_description='a rank of an instance that a launcher has started comes back

Covers brokers that have met by PMI; those of a configuration are covered by t1003 and t1009.
'

. "$(dirname "$0")/sharness.sh"
test_under_flux 4 minimal -S tbon.topo=kary:1 --test-exit-mode=leader --test-exit-timeout=none

test_expect_success 'a leaf that was killed comes back' '
	kill_rank 3 9 && wait_rank 3 137 && wait_status degraded &&
	run_rank 3 && wait_status full && wait_group broker.online 0-3 &&
	flux exec -n -r 3 true
'

test_expect_success 'so does one that has ended in order' '
	kill_rank 3 15 && wait_rank 3 0 && wait_status partial &&
	run_rank 3 && wait_status full && wait_group broker.online 0-3
'

test_expect_success 'and a router with those below it' '
	kill_rank 1 9 && wait_rank 1 137 && wait_rank 2 1 && wait_rank 3 0 &&
	run_rank 1 && run_rank 3 && run_rank 2 &&
	wait_status full && wait_group broker.online 0-3 && flux exec -n true
'

test_done

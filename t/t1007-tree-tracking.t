#!/bin/sh

test_description='who waits for an answer from a rank that goes is told at once

A chain of three brokers. Covers the end of waiting in both directions on live brokers, and
that nothing is kept of it. The table of requests is covered by the tests of the router.
'

. "$(dirname "$0")/sharness.sh"
test_under_hosts 3 minimal -S tbon.topo=kary:1

# wait_for_rank RANK: waits, on rank 0, for a status that the rank never has.
wait_for_rank() {
	flux overlay status --summary --rank="$1" --wait=lost --timeout=0 >waiter.out 2>waiter.err &
	waiter=$!
}

# wait_from_below: the same of rank 0, on rank 2.
wait_from_below() {
	on 2 flux overlay status --summary --wait=lost --timeout=0 >up.out 2>up.err &
	upward=$!
}

# pending RANK NAME N: whether the broker tracks N requests over this link.
pending() {
	on "$1" rpc overlay.stats-get >stats && cat stats && test_grep "\"$2\":$3[,}]" stats
}

test_expect_success 'a request that waits is tracked by the ranks that it passes' '
	wait_status full && wait_group broker.online 0-2 &&
	pending 1 child-rpc 0 &&
	wait_for_rank 2 &&
	wait_for 20 pending 1 child-rpc 1 && wait_for 20 pending 0 child-rpc 1
'

test_expect_success 'it is answered when its rank says goodbye' '
	kill_rank 2 15 && wait_rank 2 0 &&
	test_expect_code 1 wait $waiter &&
	echo "flux-overlay: No route to host" >expect && test_cmp expect waiter.err &&
	wait_for 20 pending 1 child-rpc 0 && wait_for 20 pending 0 child-rpc 0
'

test_expect_success 'and so is each after that' '
	wait_for_rank 2 && test_expect_code 1 wait $waiter && test_cmp expect waiter.err
'

test_expect_success 'a request from below is tracked on its way up' '
	run_rank 2 && wait_status full && wait_group broker.online 0-2 &&
	wait_from_below &&
	wait_for 20 pending 2 parent-rpc 3
'

test_expect_success 'all are answered when a router is killed' '
	wait_for_rank 1 && wait_for 20 pending 0 child-rpc "[1-9]" &&
	kill_rank 1 9 && wait_rank 1 137 &&
	test_expect_code 1 flux ping --count=1 -r 1 broker 2>err &&
	echo "flux-ping: 1!broker.ping: No route to host" >want && test_cmp want err &&
	test_expect_code 1 wait $waiter && test_cmp expect waiter.err &&
	test_expect_code 1 wait $upward && test_grep -e "overlay disconnect" -e "reset by peer" up.err &&
	wait_for 20 pending 0 child-rpc 0
'

test_done

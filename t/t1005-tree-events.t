#!/bin/sh

test_description='events reach every rank, complete and in one order

Covers what only an instance of several brokers shows: that what a leaf publishes and what rank 0
does come down to all in the same order. How one broker numbers and passes them is covered by
its tests.
'

. "$(dirname "$0")/sharness.sh"
test_under_flux 4 full -S tbon.topo=kary:2

# all_listen: whether there is a subscriber on each rank that hears us.
all_listen() {
	flux event pub my.begin &&
	for rank in 0 1 2 3
	do
		grep -q my.begin seen-$rank || return 1
	done
}

# all_have TOPIC: whether each has heard it.
all_have() {
	for rank in 0 1 2 3
	do
		grep -q "$1" seen-$rank || return 1
	done
}

publish() {
	for n in $(seq 30)
	do
		on "$1" flux event pub my.$1 "{\"n\":$n}" || return 1
	done
}

test_expect_success 'the pulse is heard on every rank' '
	for rank in 0 1 2 3
	do
		on $rank timeout 20 flux event sub --count=1 heartbeat.pulse || return 1
	done
'

test_expect_success 'events of rank 0 and of a leaf come to all, and to all alike' '
	for rank in 0 1 2 3
	do
		on $rank flux event sub my. >seen-$rank &
		echo $! >>listeners
	done &&
	test_when_finished "kill $(xargs <listeners)" &&
	wait_for 20 all_listen &&
	{ publish 3 || touch failed & } && publish 0 && wait $! && test ! -e failed &&
	flux event pub my.end && wait_for 20 all_have my.end &&
	for rank in 0 1 2 3
	do
		grep "my\.[03]" seen-$rank >order-$rank && test_cmp order-0 order-$rank || return 1
	done &&
	for from in 0 3
	do
		seq 30 >expect && sed -n "s/^my\.$from.*:\([0-9]*\).*/\1/p" order-0 >actual &&
		test_cmp expect actual || return 1
	done
'

test_done

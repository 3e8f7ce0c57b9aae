#!/bin/sh

test_description='groups of ranks: who is online, joins, leaves and meets at a barrier

Covers what crosses brokers. What a group does with each change is covered by the tests
of the broker.
'

. "$(dirname "$0")/sharness.sh"
test_under_flux 4 minimal -S tbon.topo=kary:2

# talk RANK LINE...: one client says the lines to the broker of the rank.
talk() {
	rank=$1
	shift
	printf "%s\n" "$@" | on "$rank" talker | sed "s/ *$//"
}

talker() {
	perl "$TEST_HARNESS_DIR/sharness.d/client.pl" "$FLUX_URI" talk
}

test_expect_success 'all brokers are online' '
	wait_group broker.online 0-3 &&
	is_group nosuch ""
'

test_expect_success 'only rank 0 knows the members' '
	echo "71 this RPC is only available on rank 0" >expect &&
	on 1 rpc groups.get "{\"name\":\"broker.online\"}" >actual &&
	test_cmp expect actual
'

a="{\"name\":\"a\"}"
test_expect_success 'nobody joins or leaves twice' '
	talk 3 "groups.join $a" "groups.join $a" "groups.leave $a" "groups.leave $a" >actual &&
	cat >expect <<-EOS &&
	0
	17 rank 3 is already a member of a
	0
	2 rank 3 is not a member of a
	EOS
	test_cmp expect actual
'

test_expect_success 'a client that joins and leaves again and again is out at the end' '
	talk 3 "groups.join $a" "groups.leave $a" "groups.join $a" "groups.leave $a" >actual &&
	echo 0 >expect && sort -u actual >short && test_cmp expect short &&
	wait_group a ""
'

test_expect_success 'every rank joins, and is out when its client goes' '
	for rank in 0 1 2 3
	do
		mkfifo go$rank &&
		{ { echo "groups.join $a"; cat go$rank; } | on $rank talker & } || return 1
	done >joined &&
	wait_group a 0-3 &&
	: >go3 && wait_group a 0-2 &&
	: >go1 && wait_group a 0,2 &&
	: >go0 && : >go2 && wait_group a "" &&
	wait
'

test_expect_success 'bad requests are refused' '
	on 0 rpc groups.join "{}" >actual && test_grep "^71 " actual &&
	on 0 rpc overlay.monitor "{}" >actual && test_grep "^71 " actual
'

test_done

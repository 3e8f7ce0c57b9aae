#!/bin/sh

test_description='flux overlay tells of 15 brokers which are there

Covers the commands against a tree of four levels. What they print of which answer is
covered by their own tests.
'

. "$(dirname "$0")/sharness.sh"
test_under_hosts 15 minimal -S tbon.topo=kary:2

# fails TEXT COMMAND...
fails() {
	text=$1
	shift
	test_must_fail "$@" 2>err && test_grep -- "$text" err
}

test_expect_success 'all is well' '
	wait_status full &&
	flux overlay errors >actual && : >expect && test_cmp expect actual
'

test_expect_success 'ranks and hosts are looked up' '
	flux overlay lookup 0-14 >actual && echo "fake[0-14]" >expect && test_cmp expect actual &&
	flux overlay lookup "fake[2-3]" >actual && echo 2-3 >expect && test_cmp expect actual &&
	fails "host foo not found in host map" flux overlay lookup foo &&
	fails "rank 100 is not in host map" flux overlay lookup 100 &&
	fails "target must be a valid idset or hostlist" flux overlay lookup "fake2["
'

test_expect_success 'so are parents' '
	for rank in 1 2 3 13 14; do flux overlay parentof $rank; done >actual &&
	printf "%s\n" 0 0 1 6 6 >expect && test_cmp expect actual &&
	fails "0 has no parent" flux overlay parentof 0 &&
	fails "42 is not a valid rank in this instance" flux overlay parentof 42 &&
	fails "RANK is required" flux overlay parentof
'

test_expect_success 'a target is marked with the path to it' '
	flux overlay status --highlight=14 --color=never >actual &&
	grep -o "<<.*>>" actual >marked &&
	printf "%s\n" "<<0 fake0>>" "<<2 fake2>>" "<<6 fake6>>" "<<14 fake14>>" >expect &&
	test_cmp expect marked &&
	test_must_fail flux overlay status --highlight=0-16 &&
	test_must_fail flux overlay status --highlight=fake16
'

test_expect_success 'ranks that are not there are refused' '
	test_must_fail flux overlay status --rank=99 &&
	fails "invalid --wait state" flux overlay status --wait=foo &&
	fails "42 is not a valid rank in this instance" flux overlay disconnect 42 &&
	fails "TARGET must be a valid rank or hostname" flux overlay disconnect "fake2["
'

test_expect_success 'a router that ends takes its subtree along' '
	kill_rank 3 15 && wait_rank 3 0 && wait_rank 7 0 && wait_rank 8 0 &&
	wait_status partial && wait_group broker.online 0-2,4-6,9-14 &&
	flux overlay status --no-pretty >actual &&
	cat >expect <<-EOS &&
	0 fake0: partial
	1 fake1: partial
	3 fake3: offline administrative shutdown
	7 fake7: offline
	8 fake8: offline
	4 fake4: full
	9 fake9: full
	10 fake10: full
	2 fake2: full
	5 fake5: full
	11 fake11: full
	12 fake12: full
	6 fake6: full
	13 fake13: full
	14 fake14: full
	EOS
	test_cmp expect actual &&
	flux overlay errors >errors && cat errors &&
	test_grep "fake3.*: administrative shutdown" errors
'

test_expect_success 'a leaf that is killed is lost' '
	kill_rank 14 9 && wait_rank 14 137 &&
	test_expect_code 1 flux ping --count=1 -r 14 broker 2>actual &&
	echo "flux-ping: 14!broker.ping: No route to host" >expect && test_cmp expect actual &&
	wait_status degraded &&
	flux overlay errors >errors && test_grep "^fake14: lost connection" errors &&
	fails "timed out" flux overlay status --summary --wait=full --timeout=0.1s
'

test_expect_success 'one that hangs is named, and does not hold up the others' '
	kill_rank 12 19 &&
	flux overlay status -vv >actual &&
	test_grep "fake12: Connection timed out" actual &&
	kill_rank 12 18 && flux ping --count=1 -r 12 broker
'

test_expect_success 'all start again' '
	run_rank 3 && run_rank 7 && run_rank 8 && run_rank 14 &&
	wait_status full && wait_group broker.online 0-14 &&
	flux overlay errors >actual && : >expect && test_cmp expect actual
'

test_done

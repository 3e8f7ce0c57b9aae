#!/bin/sh

test_description='settings of the links between brokers, and what is aimed at one of them

Covers what live brokers make of tbon.* and of the host map of a launcher, and how a rank is
named. What is malformed is covered by the tests of the broker and by t1014.
'

. "$(dirname "$0")/sharness.sh"
test_need_flux

start() {
	flux start -Sferroflux.personality=minimal "$@"
}

test_expect_success 'a router listens where its children are' '
	start -s 8 --test-pmi-clique="[[0,1,5,1],[1,3,1,1]]" -Stbon.topo=kary:1 \
		flux exec -n -x 0 -l flux getattr tbon.parent-endpoint >out &&
	sed "s/\(: [a-z]*\):.*/\1/" out | sort >actual &&
	printf "%d: ipc\n" 1 2 3 4 >expect && printf "%d: tcp\n" 5 6 7 >>expect &&
	test_cmp expect actual
'

test_expect_success 'the address is that of the interface or network that is hinted at' '
	for hint in lo 127.0.0.0/8
	do
		start -s 2 --test-pmi-clique=none -Stbon.interface-hint=$hint \
			flux getattr tbon.endpoint >actual &&
		test_grep "^tcp://127.0.0.1:[0-9]*$" actual || return 1
	done &&
	FLUX_IPADDR_INTERFACE=lo start -s 2 --test-pmi-clique=none \
		flux getattr tbon.endpoint >actual && test_grep "^tcp://127.0.0.1:" actual &&
	test_expect_code 1 start -s 2 --test-pmi-clique=none --conf=tbon.interface-hint=42 true 2>err &&
	test_grep "Config file error \[tbon\]: interface-hint" err
'

test_expect_success 'rank 0 alone has more threads for its links' '
	start -s 2 -Stbon.zmq_io_threads=4 flux exec -n -l flux getattr tbon.zmq_io_threads |
		sort >actual &&
	printf "%s\n" "0: 4" "1: 1" >expect && test_cmp expect actual
'

test_expect_success 'a rank is named by its number or its host' '
	cat >pings <<-\EOS &&
	for target in 1 1!broker h1 h1!broker; do flux ping --count=1 $target; done
	flux ping --count=1 --rank=1 broker
	flux ping --count=1 --rank=h1 broker
	EOS
	cat >expect <<-\EOS &&
	flux-ping 1!broker
	flux-ping 1!broker
	flux-ping h1!broker (rank 1)
	flux-ping h1!broker (rank 1)
	flux-ping 1!broker
	flux-ping h1!broker (rank 1)
	EOS
	start -s 2 --test-hosts="h[0-1]" sh pings >out && grep flux-ping out >actual &&
	test_cmp expect actual && test 6 = $(grep -c "^1!broker.ping pad=0 seq=0 time=" out) &&
	cat >pings <<-\EOS &&
	flux ping --count=1 h2!broker && exit 9
	flux ping --count=1 --rank=h2 broker && exit 9
	flux ping --count=1 --rank=1 0!broker && exit 9
	flux ping --count=1 99 && exit 9
	exit 0
	EOS
	start -s 2 --test-hosts="h[0-1]" sh pings 2>actual &&
	test 2 = $(grep -c "invalid nodeid/host: .h2." actual) &&
	test_grep "rank and TARGET both try to specify a nodeid" actual &&
	test_grep "flux-ping: 99!broker.ping: No route to host" actual
'

test_expect_success 'a follower whose leader lost its pulse ends, and is missed' '
	cat >quiet <<-\EOS &&
	flux config load <<-EOT
	[heartbeat]
	period = "0.1s"
	timeout = "0.5s"
	EOT
	flux module remove heartbeat && flux overlay status --summary --wait=degraded --timeout=20s
	EOS
	flux start -s 2 --test-exit-mode=leader --test-exit-timeout=20s sh quiet >out 2>err &&
	cat out err && test_grep degraded out && test_grep "flux-start: 1 (pid [0-9]*) exited with rc=1" err
'

test_done

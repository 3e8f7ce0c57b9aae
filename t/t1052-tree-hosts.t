#!/bin/sh

test_description='brokers on four hosts find, lose and find each other again

Real TCP, a certificate that all share, and a table [bootstrap].
Links are cut, hosts fall silent, brokers are killed and come back.
'

. "$(dirname "$0")/sharness.sh"
test_need_flux

test_net_hosts minimal

test_expect_success 'four hosts become one instance' '
	boot_all &&
	flux overlay status -vv --no-pretty >out &&
	sed "s/ for .*//" out >actual &&
	cat >expect <<-EOS &&
	0 h0: full
	1 h1: full
	2 h2: full
	3 h3: full
	EOS
	test_cmp expect actual &&
	flux ping --count=1 2 &&
	flux exec -r all ip -o -4 addr show eth0 >addresses &&
	grep -o "10\.77\.0\.1[0-3]" addresses | sort -u >actual &&
	printf "10.77.0.1%s\n" 0 1 2 3 >expect &&
	test_cmp expect actual
'

test_expect_success 'a host that is silent is torpid, and nothing else' '
	ip link set $net-3 down &&
	logged "h3 (rank 3) has been unresponsive" &&
	flux ping --count=1 2 &&
	ip link set $net-3 up &&
	logged "h3 (rank 3) is responsive" &&
	flux ping --count=1 3 &&
	await 0 full
'

test_expect_success 'a leaf that dies is lost alone, and comes back' '
	killed 3 &&
	await 0 degraded &&
	test_must_fail flux ping --count=1 3 2>err &&
	test_grep -i "no route to host" err &&
	flux ping --count=1 2 &&
	boot 3 &&
	await 0 full &&
	flux ping --count=1 3
'

test_expect_success 'a router that dies takes its subtree with it, and both come back' '
	killed 1 &&
	await 0 degraded &&
	ended 2 1 &&
	test_must_fail flux ping --count=1 2 &&
	flux ping --count=1 3 &&
	boot 2 && boot 1 &&
	await 0 full &&
	flux ping --count=1 2
'

# h1 ends in order as soon as it has lost h0, and h2 has a parent that does.
test_expect_success 'when rank 0 dies all end' '
	killed 0 &&
	ended 1 1 && ended 3 1 && ended 2 0
'

# TCP gives up what is not acknowledged for that long.
test_expect_success 'all come back, and give up sooner' '
	boot_all -S tbon.tcp_user_timeout=2s
'

test_expect_success 'a link that stays cut is lost at both ends' '
	ip link set $net-3 down &&
	await 0 degraded &&
	ended 3 1 &&
	flux ping --count=1 2 &&
	ip link set $net-3 up &&
	boot 3 -S tbon.tcp_user_timeout=2s &&
	await 0 full
'

test_expect_success 'so is one that is cut one way' '
	ip -n ${net}3 route add blackhole 10.77.0.10/32 &&
	await 0 degraded &&
	ended 3 1 &&
	ip -n ${net}3 route del blackhole 10.77.0.10/32 &&
	boot 3 -S tbon.tcp_user_timeout=2s &&
	await 0 full
'

test_expect_success 'the instance ends in order' '
	flux shutdown &&
	ended 1 0 && ended 2 0 && ended 3 0
'

test_done

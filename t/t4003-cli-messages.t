#!/bin/sh

test_description='flux ping and flux event

Covers real round trips and events between processes; the lines themselves are
covered by the tests of crates/cli.
'

. "$(dirname "$0")/sharness.sh"
test_under_flux 1 minimal

test_expect_success 'ping counts and shows the route' '
	flux ping --count=3 --interval=0 broker >actual &&
	sed -i "s/time=.*/time/" actual &&
	cat >expect <<-EOF &&
	flux-ping any!broker
	0!broker.ping pad=0 seq=0 time
	0!broker.ping pad=0 seq=1 time
	0!broker.ping pad=0 seq=2 time
	EOF
	test_cmp expect actual
'

test_expect_success 'ping carries padding and shows the credential' '
	flux ping -c1 --pad=100000 --userid 0 >actual &&
	grep "pad=100000 userid=$(id -u) rolemask=0x5 seq=0" actual
'

test_expect_success 'padding may be counted in thousands' '
	flux ping --count=1 --pad=10K broker >actual &&
	test_grep " pad=10240 " actual
'

test_expect_success 'the environment may ask as somebody else' '
	FLUX_HANDLE_USERID=42 FLUX_HANDLE_ROLEMASK=0x2 flux ping -c1 --userid broker >actual &&
	grep "userid=42 rolemask=0x2" actual
'

test_expect_success 'a guest is refused what is for the owner' '
	FLUX_HANDLE_ROLEMASK=0x2 test_expect_code 1 flux setattr log-stderr-level 3 2>actual &&
	echo "flux-setattr: log-stderr-level: Request requires owner credentials" >expect &&
	test_cmp expect actual
'

test_expect_success 'a rank that is not there is no route' '
	test_expect_code 1 flux ping -c1 --rank=99 broker 2>actual &&
	echo "flux-ping: 99!broker.ping: No route to host" >expect &&
	test_cmp expect actual
'

test_expect_success 'events have numbers that count up' '
	flux event pub -s a.b >one &&
	flux event pub -s a.b >two &&
	one=$(sed s/seq=// one) &&
	echo "seq=$((one + 1))" >expect &&
	test_cmp expect two
'

test_expect_success 'an event comes back to its publisher' '
	flux event pub --loopback a.b {} &&
	flux event pub --loopback --synchronous --private a.b {}
'

# Publishes a.b until somebody who subscribed has gone.
publish_until_gone() {
	while kill -0 "$1" 2>/dev/null
	do
		flux event pub -s a.b "{\"x\":1}" || return 1
	done
}

test_expect_success 'a subscriber sees events as they come' '
	{ flux event sub --count=2 a. >seen & } &&
	publish_until_gone $! >/dev/null &&
	printf "a.b\t{\"x\":1}\na.b\t{\"x\":1}\n" >expect &&
	test_cmp expect seen
'

test_done

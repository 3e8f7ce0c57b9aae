#!/bin/sh

test_description='an instance begins with the leader alone, and the others come late

With broker.quorum=1 the program starts when rank 0 is ready. In a chain rank 2 has to
wait until its parent is there, and until then takes no part.
'

. "$(dirname "$0")/sharness.sh"
test_under_hosts 3 minimal -S tbon.topo=kary:1 -S broker.quorum=1 --test-start-mode=leader

test_expect_success 'the leader is alone' '
	is_group broker.online 0 &&
	flux overlay status --no-pretty >actual &&
	cat >expect <<-EOS &&
	0 fake0: partial
	1 fake1: offline
	2 fake2: offline
	EOS
	test_cmp expect actual
'

test_expect_success 'nobody else is reached' '
	test_expect_code 1 flux ping --count=1 -r 1 broker 2>actual &&
	test_expect_code 1 flux ping --count=1 -r 2 broker 2>>actual &&
	cat >expect <<-EOS &&
	flux-ping: 1!broker.ping: No route to host
	flux-ping: 2!broker.ping: No route to host
	EOS
	test_cmp expect actual
'

# waits_in RANK STATE: whether the broker says that it is there.
waits_in() {
	on "$1" flux uptime >uptime && test_grep " $2 " uptime
}

test_expect_success 'a rank whose parent is not there joins, and serves nobody' '
	run_rank 2 &&
	wait_for 20 test -S "${FLUX_URI#local://}" &&
	wait_for 20 waits_in 2 join &&
	on 2 flux dmesg >dmesg &&
	test_expect_code 1 on 2 flux ping --count=1 -r 0 broker 2>err &&
	on 2 rpc job-ingest.submit "{}" >actual &&
	test_grep "^11 " actual
'

test_expect_success 'both come in when the parent starts' '
	run_rank 1 && wait_status full && wait_group broker.online 0-2 &&
	flux ping --count=1 -r 2 broker && on 2 flux ping --count=1 -r 0 broker
'

test_done

#!/bin/sh

test_description='single ranks of an instance end, are killed and start again

Covers the service of flux start (start.*), how brokers are bootstrapped by configuration,
and what the others say of a rank that is not there. What a broker does when a link breaks
is covered by the tests of the broker.
'

. "$(dirname "$0")/sharness.sh"
test_under_hosts 3 minimal

# answers METHOD PAYLOAD ERRNO
answers() {
	start_rpc "$1" "$2" >actual && test_grep "^$3 " actual
}

test_expect_success 'the brokers are those of the configuration' '
	flux getattr hostlist >actual && echo "fake[0-2]" >expect && test_cmp expect actual &&
	wait_status full && wait_group broker.online 0-2 &&
	flux ping --count=1 -r 2 broker && on 2 flux ping --count=1 -r 1 broker
'

test_expect_success 'their processes are known' '
	pids=$(for rank in 0 1 2; do on $rank flux getattr broker.pid; done | xargs) &&
	start_rpc status | tr -dc "0-9,\n" | cut -c2- | tr , " " >actual &&
	echo $pids >expect && test_cmp expect actual
'

test_expect_success 'ranks that are not there are refused, and a second start' '
	answers run "{\"rank\":42}" 3 && answers wait "{\"rank\":42}" 3 &&
	answers kill "{\"rank\":42,\"signum\":15}" 3 && answers wait "{\"rank\":-1}" 3 &&
	answers run "{\"rank\":1}" 17 && answers run "{}" 71
'

test_expect_success 'a rank that is told to end says goodbye' '
	kill_rank 2 15 && wait_rank 2 0 &&
	wait_status partial && wait_group broker.online 0-1 &&
	start_rpc status >actual && test_grep "{\"pid\":-1}\]" actual &&
	flux overlay errors >errors && echo "fake2: administrative shutdown" >expect &&
	test_cmp expect errors
'

test_expect_success 'a signal to one that is not there is no error' '
	kill_rank 2 15 && wait_rank 2 0
'

test_expect_success 'it starts again' '
	run_rank 2 && wait_status full && wait_group broker.online 0-2 &&
	flux ping --count=1 -r 2 broker
'

test_expect_success 'a rank that is killed is lost, and requests to it are refused at once' '
	kill_rank 2 9 && wait_rank 2 137 &&
	test_expect_code 1 flux ping --count=1 -r 2 broker 2>actual &&
	echo "flux-ping: 2!broker.ping: No route to host" >expect && test_cmp expect actual &&
	wait_status degraded && wait_group broker.online 0-1 &&
	flux overlay errors >errors && echo "fake2: lost connection" >expect &&
	test_cmp expect errors
'

test_expect_success 'it starts again too' '
	run_rank 2 && wait_status full && wait_group broker.online 0-2 &&
	flux ping --count=1 -r 2 broker
'

# What is told of each child of rank 0, until it ends.
follow() {
	perl "$TEST_HARNESS_DIR/sharness.d/client.pl" "$FLUX_URI" stream overlay.monitor \
		</dev/null >monitor &
	follower=$!
}

test_expect_success 'one that is killed and starts again at once was lost in between' '
	follow && wait_for 20 test_grep "\"rank\":2" monitor &&
	kill_rank 1 9 && wait_rank 1 137 && run_rank 1 &&
	wait_for 20 test_grep "\"rank\":1,\"status\":\"lost\"" monitor &&
	wait_status full && wait_group broker.online 0-2 &&
	kill $follower && test_expect_code 143 wait $follower
'

test_done

#!/bin/sh

test_description='jobs on four hosts, some of which are cut off, die and come back

Covers what needs real links: a job over four hosts, a cut under a job, a leaf that is
killed under one, and that both get jobs again.
'

. "$(dirname "$0")/sharness.sh"
test_need_flux
test_net_hosts job

# settled N: whether the scheduler has N nodes.
settled() {
	test "$(flux resource list -s up -no "{nnodes}")" = "$1"
}

boot_jobs() {
	boot_all -S tbon.tcp_user_timeout=2s && wait_for 60 settled 4
}

# start_job: a job on all hosts that runs until it is ended.
start_job() {
	flux submit -N4 -n4 "$@" tail -f /dev/null "--pid=$$" >id &&
	wait_event "$(cat id)" shell.start -p exec --waitcreate --quiet
}

test_expect_success 'a job runs on four hosts' '
	boot_jobs &&
	flux run -N4 -n4 sh -c "flux getattr hostname; ip -o -4 addr show eth0 | grep -o 10.77.0.1[0-3]" >out &&
	sort out >actual &&
	printf "%s\n" 10.77.0.10 10.77.0.11 10.77.0.12 10.77.0.13 h0 h1 h2 h3 >expect &&
	test_cmp expect actual
'

# TCP gives up after 2 s, and the link has 2 s to come back.
test_expect_success 'a job under which a link is cut ends, and names the host' '
	start_job &&
	ip link set $net-3 down &&
	wait_state "$(cat id)" inactive &&
	flux job eventlog "$(cat id)" >log &&
	test_grep "exception .*node failure on h3 (rank 3)" log &&
	flux run -N3 -n3 flux getattr hostname >out && sort out >actual &&
	printf "%s\n" h0 h1 h2 >expect && test_cmp expect actual
'

test_expect_success 'the host that comes back gets jobs again' '
	ended 3 1 &&
	ip link set $net-3 up &&
	boot 3 -S tbon.tcp_user_timeout=2s &&
	await 0 full && wait_for 60 settled 4 &&
	flux run -N4 -n4 flux getattr hostname >out && sort out >actual &&
	printf "%s\n" h0 h1 h2 h3 >expect && test_cmp expect actual
'

test_expect_success 'a leaf that dies under a job is named, and gets jobs again' '
	start_job &&
	killed 3 &&
	wait_state "$(cat id)" inactive &&
	flux job eventlog "$(cat id)" >log &&
	test_grep "exception .*node failure on h3 (rank 3)" log &&
	boot 3 -S tbon.tcp_user_timeout=2s &&
	await 0 full && wait_for 60 settled 4 &&
	flux run -N1 -n1 --requires=rank:3 flux getattr hostname >actual &&
	echo h3 >expect && test_cmp expect actual
'

test_done

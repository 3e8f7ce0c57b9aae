#!/bin/sh

test_description='jobs on four hosts, some of which are cut off, die and come back

Covers what needs real links: a job over four hosts, a cut under a job, a leaf that is
killed under one, both of which get jobs again, and rank 0 started again under a job on all.
'

. "$(dirname "$0")/sharness.sh"
test_need_flux
test_net_hosts job
mkdir state

# settled N: whether the scheduler has N nodes.
settled() {
	test "$(flux resource list -s up -no "{nnodes}")" = "$1"
}

boot_jobs() {
	boot_all -S tbon.tcp_user_timeout=2s -S statedir="$PWD/state" && wait_for 60 settled 4
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

test_expect_success 'rank 0 dies under a job that has all hosts, and all start again' '
	start_job &&
	flux jobs -n -f inactive -o "{id} {status}" | sort >before &&
	killed 0 &&
	ended 1 1 && ended 3 1 && ended 2 0 &&
	boot_jobs
'

test_expect_success 'the job that was under it ends, once and with its reason' '
	wait_state "$(cat id)" inactive &&
	flux job eventlog "$(cat id)" >log &&
	test_grep "exception type=\"exec\" severity=0 note=\"job is not recoverable: no job shell on h" log &&
	test "$(grep -c " finish " log)" -le 1 && test "$(grep -c " clean" log)" = 1
'

test_expect_success 'and jobs that ended before are there as they were' '
	flux jobs -n -f inactive -o "{id} {status}" | grep -v "^$(cat id)" | sort >after &&
	test_cmp before after
'

test_expect_success 'jobs run on all hosts again, and on nothing that is taken' '
	flux resource list -s allocated -no "{nnodes}" >actual && echo 0 >expect && test_cmp expect actual &&
	flux run -N4 -n4 flux getattr hostname >out && sort out >actual &&
	printf "%s\n" h0 h1 h2 h3 >expect && test_cmp expect actual
'

test_done

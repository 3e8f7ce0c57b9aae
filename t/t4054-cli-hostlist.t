#!/bin/sh

test_description='flux hostlist knows the hosts of an instance and of its jobs

Covers what only a live instance and a real standard input show. How lists are put
together and picked from is covered by the tests of crates/cli.
'

. "$(dirname "$0")/sharness.sh"
test_under_flux 3 job

test_expect_success 'the hosts of the instance and of a job' '
	flux getattr hostlist >expect &&
	flux hostlist instance >actual &&
	test_cmp expect actual &&
	flux hostlist -l >actual &&
	test_cmp expect actual &&
	flux submit -N3 true >id &&
	flux job wait-event -q "$(cat id)" clean &&
	flux hostlist "$(cat id)" >actual &&
	test_cmp expect actual
'

test_expect_success 'in a job, local is the job' '
	flux run -N2 flux hostlist -c local >actual &&
	printf "%s\n" 2 2 >expect &&
	test_cmp expect actual
'

test_expect_success 'nodes that are drained are not available' '
	flux hostlist -c avail >actual &&
	echo 3 >expect &&
	test_cmp expect actual &&
	flux resource drain 1 &&
	flux hostlist -c avail >actual &&
	echo 2 >expect &&
	test_cmp expect actual &&
	flux resource undrain 1
'

test_expect_success 'an unknown job is no host unless told' '
	test_expect_code 1 flux hostlist foo3 2>actual &&
	echo "flux-hostlist: ERROR: job foo3 not found" >expect &&
	test_cmp expect actual &&
	flux hostlist --fallback foo3 >actual &&
	echo foo3 >expect &&
	test_cmp expect actual
'

test_expect_success 'standard input is waited for a while' '
	mkfifo pipe &&
	{ tail -f /dev/null >pipe & } &&
	echo $! >tail.pid &&
	FLUX_HOSTLIST_STDIN_TIMEOUT=0.1 test_expect_code 1 flux hostlist <pipe 2>actual &&
	kill "$(cat tail.pid)" &&
	echo "flux-hostlist: ERROR: timeout after 0.1s waiting for stdin" >expect &&
	test_cmp expect actual
'

test_done

#!/bin/sh

test_description='small tools in an instance: multi-prog, admin, post-job-event

Covers what only a live instance shows. What the tools print and refuse is covered by
the tests of crates/cli.
'

. "$(dirname "$0")/sharness.sh"
test_under_flux 1 job

test_expect_success 'multi-prog runs what its file says for the task' '
	cat >mp.conf <<-\EOF &&
	0 echo first %t
	* printenv FLUX_TASK_RANK
	EOF
	flux run -n2 -l flux multi-prog mp.conf >out &&
	sort out >actual &&
	printf "%s\n" "0: first 0" "1: 1" >expect &&
	test_cmp expect actual
'

test_expect_success 'an event is added to the log of a job' '
	flux submit --urgency=hold true >held &&
	flux post-job-event "$(cat held)" foo a=1 b.c=x &&
	flux job wait-event "$(cat held)" foo >event &&
	grep "foo a=1 b={\"c\":\"x\"}$" event &&
	flux cancel "$(cat held)" &&
	test_expect_code 1 flux post-job-event 1234 foo 2>actual &&
	echo "flux-job-post-event: ERROR: No such job 1234" >expect &&
	test_cmp expect actual
'

test_expect_success 'cleanup commands run in the order of their lines, the last pushed first' '
	flux start -Sferroflux.personality=minimal sh -c "
		printf \"echo 2 >>$(pwd)/order\\necho 3 >>$(pwd)/order\\n\" | flux admin cleanup-push &&
		flux admin cleanup-push \"echo 1 >>$(pwd)/order\"" &&
	printf "%s\n" 1 2 3 >expect &&
	test_cmp expect order
'

test_expect_success 'scripts around jobs are listed' '
	flux admin system-scripts >actual &&
	grep "^▸ housekeeping: not configured$" actual
'

test_expect_success 'a module that is a shared object is refused by what it is' '
	cp /bin/true module.so &&
	test_expect_code 1 flux module load ./module.so 2>actual &&
	grep "module.so: modules are programs, not shared objects$" actual
'

test_done

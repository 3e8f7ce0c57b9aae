#!/bin/sh

test_description='flux pmi, with a job shell, flux start and nobody as the launcher'

. "$(dirname "$0")/sharness.sh"
test_under_flux 1 job

test_expect_success 'the tasks of a job meet, and rank 0 says so' '
	flux run -n2 --env=FLUX_JOB_CC=5 flux pmi barrier >out &&
	echo "5: completed pmi barrier on 2 tasks" >expect &&
	test_cmp expect out &&
	flux run -n2 flux pmi barrier --test-count=3 --test-timing >out &&
	test "$(grep -cE "^ƒ.*: completed pmi barrier on 2 tasks in [0-9.]+s\.$" out)" = 3
'

test_expect_success 'they tell each other their values' '
	flux run -n2 flux pmi exchange --count=2 >out &&
	test "$(grep -cE "^ƒ.*: completed pmi exchange on 2 tasks in [0-9.]+s\.$" out)" = 2
'

test_expect_success 'the launcher is asked by one of them, or by all' '
	flux run -n2 flux pmi get PMI_process_mapping >out &&
	echo "(vector,(0,1,2))" >expect &&
	test_cmp expect out &&
	flux run -n2 flux pmi get --ranks=all flux.instance-level >out &&
	test "$(wc -l <out)" = 2
'

test_expect_success 'a key that nobody knows is an error' '
	test_expect_code 1 flux run flux pmi get nosuch 2>err &&
	grep "flux-pmi: get nosuch: invalid key argument" err
'

test_expect_success 'one that aborts ends all' '
	test_expect_code 143 flux run -n2 flux pmi barrier --test-abort=0 2>err &&
	grep "flux-pmi: rank 0 is aborting" err
'

test_expect_success 'a launcher that does not answer is not waited for for ever' '
	test_expect_code 1 flux run -n2 sh -c "
		if test \$FLUX_TASK_RANK = 0; then flux pmi --timeout=0.1s barrier; else cat /dev/fd/0; fi
	" 2>err &&
	grep "flux-pmi: timeout expired before PMI operation completed" err
'

test_expect_success 'every step is shown on demand' '
	flux run -n1 flux pmi -v barrier 2>err &&
	grep "simple: selected" err &&
	grep "simple: initialize: rank=0 size=1 name=.*: success" err &&
	grep "simple: barrier: success" err &&
	env FLUX_PMI_DEBUG=1 flux run -n1 flux pmi barrier 2>err &&
	grep "simple: finalize: success" err
'

test_expect_success 'without a launcher a process is alone' '
	env -u FLUX_JOB_ID -u FLUX_JOB_CC flux pmi -v --method=single barrier >out 2>err &&
	echo "0: completed pmi barrier on 1 tasks" >expect &&
	test_cmp expect out &&
	cat >expect <<-EOT &&
	flux-pmi-client: trying '\''single'\''
	single: selected
	single: initialize: rank=0 size=1 name=single: success
	single: barrier: success
	single: finalize: success
	EOT
	test_cmp expect err &&
	FLUX_PMI_CLIENT_METHODS="simple single" flux pmi -v barrier 2>err &&
	grep "simple: PMI_FD not found in environ" err
'

test_expect_success 'a way that does not exist is named' '
	test_expect_code 1 flux pmi --method=foo barrier 2>err &&
	grep "^flux-pmi: plugin matching '\''foo'\'' not found" err
'

test_done

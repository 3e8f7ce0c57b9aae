#!/bin/sh

test_description='flux run: a command line becomes tasks, and their end becomes ours
'

. "$(dirname "$0")/sharness.sh"
test_under_flux 1 job

test_expect_success 'options may be joined with their values' '
	flux run -n2 sh -c "echo task" >actual &&
	printf "task\ntask\n" >expect &&
	test_cmp expect actual
'

test_expect_success 'what follows the command is its own' '
	flux run echo -n2 --cwd=/ >actual &&
	echo "-n2 --cwd=/" >expect &&
	test_cmp expect actual
'

test_expect_success 'two dashes end the options' '
	flux run -- echo two >actual &&
	echo two >expect &&
	test_cmp expect actual
'

test_expect_success 'a time limit ends the job' '
	test_expect_code 142 flux run -t 0.1s tail -f /dev/null 2>err &&
	test_grep "type=timeout" err
'

test_expect_success 'run ends as its job does' '
	test_expect_code 7 flux run sh -c "exit 7" 2>actual &&
	echo "flux-job: task(s) exited with exit code 7" >expect &&
	test_cmp expect actual &&
	test_expect_code 137 flux run sh -c "kill -KILL \$\$" 2>actual &&
	echo "flux-job: task(s) Killed" >expect &&
	test_cmp expect actual
'

test_expect_success 'run tells a command that is not there from one that may not run' '
	test_expect_code 127 flux run nosuch-command 2>err &&
	test_grep "nosuch-command: No such file or directory" err &&
	: >plain &&
	test_expect_code 126 flux run ./plain 2>err &&
	test_grep "Permission denied" err
'

test_expect_success 'run shows the id with -v and events with -vv' '
	flux run -v true 2>err &&
	test_grep "^jobid: ƒ" err &&
	flux run -vv true 2>err &&
	test_grep "^0.000s: job.submit {" err &&
	test_grep "s: job.finish {\"status\":0}" err
'

test_done

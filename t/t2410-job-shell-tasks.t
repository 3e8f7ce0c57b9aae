#!/bin/sh

test_description='the job shell gives tasks what they are promised

Covers what real tasks see: environment, directory, streams, files, limits, PMI. The
rules one by one are covered by the tests of the job shell.
'

. "$(dirname "$0")/sharness.sh"
test_under_flux 1 job

test_expect_success 'tasks learn their place' '
	flux run -n2 --label-io sh -c "echo \$FLUX_TASK_RANK of \$FLUX_JOB_SIZE, \$PMI_RANK of \$PMI_SIZE" >out &&
	sort out >actual &&
	printf "%s\n" "0: 0 of 2, 0 of 2" "1: 1 of 2, 1 of 2" >expect &&
	test_cmp expect actual
'

test_expect_success 'the environment of the submitter is handed on, without what is not its own' '
	MINE=yes FLUX_PROXY_REMOTE=no flux run sh -c "echo \$MINE-\$FLUX_PROXY_REMOTE" >actual &&
	echo "yes-" >expect &&
	test_cmp expect actual
'

test_expect_success 'tasks start where they were submitted' '
	flux run pwd >actual &&
	pwd >expect &&
	test_cmp expect actual
'

test_expect_success 'a directory that is not there is replaced by /tmp, with a word' '
	flux run --cwd=/nonexistent pwd >actual 2>err &&
	echo /tmp >expect &&
	test_cmp expect actual &&
	test_grep "flux-shell\[0\]: ERROR: host .*: Could not change dir to /nonexistent: No such file or directory. Going to /tmp instead" err
'

test_expect_success 'the temporary directory is private, and gone afterwards' '
	flux run sh -c "stat -c %a \$FLUX_JOB_TMPDIR && echo \$FLUX_JOB_TMPDIR" >out &&
	echo 700 >expect &&
	head -n 1 out >actual &&
	test_cmp expect actual &&
	test_must_fail test -e "$(tail -n 1 out)"
'

test_expect_success 'exit codes are the largest of all tasks' '
	test_expect_code 3 flux run -n2 sh -c "exit \$((FLUX_TASK_RANK + 2))"
'

test_expect_success 'a task that dies by a signal counts 128 and the signal' '
	test_expect_code 137 flux run sh -c "kill -9 \$\$" 2>err &&
	test_grep "task(s) Killed" err
'

test_expect_success 'a command that is not there is 127, one that may not be run 126' '
	test_expect_code 127 flux run nosuchcommand 2>err &&
	test_grep "start failed: nosuchcommand: No such file or directory" err &&
	test_expect_code 126 flux run /etc/passwd 2>err &&
	test_grep "start failed: /etc/passwd: Permission denied" err
'

test_expect_success 'standard input reaches the tasks' '
	printf "%s\n" one two >input &&
	flux run -n2 --label-io cat <input >out &&
	sort out >actual &&
	printf "%s\n" "0: one" "0: two" "1: one" "1: two" >expect &&
	test_cmp expect actual &&
	flux run --input=input cat >actual </dev/null &&
	test_cmp input actual
'

test_expect_success 'more input than is kept anywhere arrives whole' '
	head -c 12000000 /dev/zero | flux run wc -c >actual &&
	echo 12000000 >expect &&
	test_cmp expect actual
'

test_expect_success 'a task that has read enough is no reason to wait' '
	yes | flux run head -n 1 >actual &&
	echo y >expect &&
	test_cmp expect actual
'

test_expect_success 'output goes to files by name' '
	flux run -n2 --output="out.{{id}}.{{taskid}}" sh -c "echo \$FLUX_TASK_RANK" &&
	cat out.*.0 out.*.1 >actual &&
	printf "%s\n" 0 1 >expect &&
	test_cmp expect actual
'

test_expect_success 'output is complete however much it is' '
	seq 200000 >expect &&
	flux run seq 200000 >actual &&
	cmp expect actual
'

test_expect_success 'limits are handed on' '
	flux run --rlimit=nofile=123 sh -c "ulimit -n" >actual &&
	echo 123 >expect &&
	test_cmp expect actual
'

test_expect_success 'one failing task ends the job if it is asked for' '
	test_expect_code 1 flux run -n2 -o exit-on-error \
		sh -c "test \$FLUX_TASK_RANK = 0 && exit 1; exec tail -f /dev/null" 2>err &&
	test_grep "task rank 0 on host .* failed (Exit 1) and exit-on-error is set" err
'

test_expect_success 'a signal warns before the time is up' '
	flux run --time-limit=61s --signal=SIGUSR2@60s sh -c \
		"trap \"echo warned; kill \\\$!; exit 0\" USR2; tail -f /dev/null & wait" >actual &&
	echo warned >expect &&
	test_cmp expect actual
'

test_expect_success 'files come with the job' '
	printf "%s" "{\"script\": {\"mode\": 33152, \"data\": \"echo from a file\\n\"}}" >files &&
	flux run --setattr=^files=files sh "{{tmpdir}}/script" >actual &&
	echo "from a file" >expect &&
	test_cmp expect actual
'

command -v bash >/dev/null && test_set_prereq BASH

test_expect_success BASH 'PMI is served to tasks' '
	cat >pmi <<-\EOF &&
	#!/bin/bash
	say() { echo "$1" >&$PMI_FD && read -r answer <&$PMI_FD && echo "$answer"; }
	say "cmd=init pmi_version=1 pmi_subversion=1"
	say "cmd=put kvsname=x key=from-$PMI_RANK value=hello from $PMI_RANK"
	say "cmd=barrier_in"
	say "cmd=get kvsname=x key=from-$((1 - PMI_RANK))"
	say "cmd=finalize"
	EOF
	chmod +x pmi &&
	flux run -n2 --label-io ./pmi >out &&
	grep "^0: " out >actual &&
	cat >expect <<-EOF &&
	0: cmd=response_to_init rc=0 pmi_version=1 pmi_subversion=1
	0: cmd=put_result rc=0
	0: cmd=barrier_out rc=0
	0: cmd=get_result rc=0 value=hello from 1
	0: cmd=finalize_ack rc=0
	EOF
	test_cmp expect actual
'

test_done

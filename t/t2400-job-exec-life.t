#!/bin/sh

test_description='job-exec runs jobs, real and simulated, and leaves their logs in place

Covers what only real processes and a real kvs can show: the order of the guest log,
the namespace that comes and goes, exit codes through three processes. Which step
follows which is covered by the tests of the module.
'

. "$(dirname "$0")/sharness.sh"
test_under_flux 1 job

# exec_events ID: the names in the guest log, on one line.
exec_events() {
	flux job eventlog --path=guest.exec.eventlog "$1" | awk '{ printf "%s%s", sep, $2; sep = " " }'
}

test_expect_success 'a job writes its guest log in order' '
	flux submit true >id &&
	wait_state "$(cat id)" inactive &&
	exec_events "$(cat id)" >actual &&
	printf "%s" "init starting recoverable shell.init shell.start shell.task-exit" >expect &&
	printf "%s" " shell-exit complete done" >>expect &&
	test_cmp expect actual
'

test_expect_success 'its namespace is gone and its guest directory stays' '
	flux kvs namespace list >namespaces &&
	test_must_fail grep job- namespaces &&
	flux kvs ls -1 "$(flux job id --to=kvs "$(cat id)").guest" >actual &&
	printf "%s\n" exec input output >expect &&
	test_cmp expect actual
'

test_expect_success 'tasks write to the namespace of their job while it runs' '
	flux submit sh -c "flux kvs put mine=1 && flux kvs get mine" >id &&
	flux job attach "$(cat id)" >actual &&
	echo 1 >expect &&
	test_cmp expect actual &&
	wait_state "$(cat id)" inactive &&
	flux kvs get "$(flux job id --to=kvs "$(cat id)").guest.mine" >actual &&
	test_cmp expect actual
'

test_expect_success 'a simulated job ends with its status and has a log' '
	flux submit --setattr=exec.test.run_duration=1ms --setattr=exec.test.wait_status=256 \
		true >id &&
	wait_state "$(cat id)" inactive &&
	flux job eventlog "$(cat id)" >log &&
	test_grep "finish status=256" log &&
	exec_events "$(cat id)" >actual &&
	printf "init starting complete done" >expect &&
	test_cmp expect actual
'

test_expect_success 'a job that outstays its time is signalled' '
	test_expect_code 142 flux run --time-limit=0.2s tail -f /dev/null 2>err &&
	test_grep "type=timeout severity=0 resource allocation expired" err
'

test_expect_success 'a job that ignores the gentle signal is killed' '
	flux config load <<-EOF &&
	[exec]
	kill-timeout = "0.2s"
	EOF
	flux submit sh -c "trap \"\" TERM && echo ready && while true; do read x </dev/zero; done" >id &&
	wait_event "$(cat id)" data --path=guest.output --waitcreate --quiet &&
	flux cancel "$(cat id)" &&
	test_expect_code 137 flux job attach "$(cat id)" >out 2>err
'

test_expect_success 'a job shell of another make is run too' '
	cat >shell <<-EOF &&
	#!/bin/sh
	echo "shell of job \$1" >&2
	exit 7
	EOF
	chmod +x shell &&
	flux submit --setattr=exec.job_shell="$PWD/shell" true >id &&
	wait_state "$(cat id)" inactive &&
	flux job eventlog "$(cat id)" >log &&
	test_grep "finish status=1792" log &&
	flux job eventlog --path=guest.exec.eventlog "$(cat id)" >log &&
	test_grep "log component=\"flux-shell\" stream=\"stderr\" rank=\"0\" data=\"shell of job" log
'

test_expect_success 'a job shell that is not there is an exception' '
	flux submit --setattr=exec.job_shell=/nonexistent/shell true >id &&
	wait_state "$(cat id)" inactive &&
	flux job eventlog "$(cat id)" >log &&
	test_grep "job shell exec error on broker .* (rank 0): No such file or directory" log
'

test_done

#!/bin/sh

test_description='flux job attach, eventlog, wait-event and info: what is stored of a job
'

. "$(dirname "$0")/sharness.sh"
test_under_flux 1 job

test_expect_success 'a job has run, another waits' '
	test_expect_code 3 flux submit --wait sh -c "echo out; echo err >&2; exit 3" >ran &&
	ran=$(cat ran) &&
	held=$(flux submit --urgency=hold true)
'

test_expect_success 'attach shows output and ends as the job did' '
	test_expect_code 3 flux job attach $ran >out 2>err &&
	echo out >expect &&
	test_cmp expect out &&
	printf "%s\n" err "flux-job: task(s) exited with exit code 3" >expect &&
	test_cmp expect err
'

test_expect_success 'attach -l labels lines' '
	test_expect_code 3 flux job attach -l $ran >out 2>err &&
	echo "0: out" >expect &&
	test_cmp expect out &&
	test_grep "^0: err$" err
'

test_expect_success 'attach -E shows events, -X those of the execution' '
	test_expect_code 3 flux job attach -E -X $ran 2>err >out &&
	test_grep "^0.000s: job.submit {\"userid\":" err &&
	test_grep "s: job.finish {\"status\":768}$" err &&
	test_grep "s: job.clean$" err &&
	test_grep "s: exec.shell.init {" err
'

test_expect_success 'attach -w ends with an event' '
	flux job attach -w priority $held 2>actual &&
	test_cmp /dev/null actual
'

test_expect_success 'attach -i hands input to some tasks' '
	id=$(flux submit -n2 sh -c "test \$FLUX_TASK_RANK = 0 || cat") &&
	echo text | flux job attach -l -i 1 $id >actual &&
	echo "1: text" >expect &&
	test_cmp expect actual
'

test_expect_success 'attach -r leaves our input alone' '
	id=$(flux submit true) &&
	echo text >input &&
	{ flux job attach -r $id && cat; } <input >actual &&
	test_cmp input actual
'

test_expect_success 'attach --tail shows the last lines of the past' '
	id=$(flux submit --wait sh -c "seq 20; echo end >&2") &&
	flux job attach --tail=3 $id >actual 2>&1 &&
	printf "%s\n" 19 20 end | sort >expect &&
	sort actual >sorted &&
	test_cmp expect sorted &&
	flux job attach --tail $id >actual 2>&1 &&
	test "$(wc -l <actual)" = 10
'

test_expect_success 'attach --show-status tells what is waited for' '
	flux job attach --show-status -w priority $held 2>actual &&
	cat >expect <<-EOF &&
	flux-job: $held waiting for validation
	flux-job: $held resolving dependencies
	flux-job: $held waiting for priority assignment
	flux-job: $held held
	EOF
	test_cmp expect actual
'

# attach_in_background ID: attaches, and returns when signals are taken in.
attach_in_background() {
	rm -f err
	flux job attach -E "$1" >out 2>err &
	attached=$!
	wait_for 30 grep job.start err
}

test_expect_success 'a signal is handed to the tasks' '
	id=$(flux submit sh -c "trap \"exit 9\" USR1; echo ready; while :; do :; done") &&
	wait_event $id data -q -W -p output &&
	attach_in_background $id &&
	kill -USR1 $attached &&
	test_expect_code 9 wait $attached
'

test_expect_success 'two interrupts cancel the job' '
	id=$(flux submit tail -f /dev/null) &&
	attach_in_background $id &&
	wait_for 30 sh -c "kill -INT $attached; ! kill -0 $attached" &&
	test_expect_code 143 wait $attached &&
	test_grep "^flux-job: one more ctrl-C within 2s to cancel or ctrl-Z to detach$" err &&
	test_grep "type=cancel severity=0 interrupted by ctrl-C" err
'

test_expect_success 'attach knows its jobs' '
	test_expect_code 1 flux job attach 99 2>actual &&
	echo "flux-job: Failed to attach to 99: No such job" >expect &&
	test_cmp expect actual
'

test_expect_success 'an event log is lines of time, name and context' '
	flux job eventlog $ran >log &&
	test_grep "^[0-9]*\.[0-9]\{6\} submit userid=[0-9]* urgency=16 flags=0 version=1$" log &&
	test_grep "^[0-9.]* release ranks=\"all\" final=true$" log &&
	test_grep "^[0-9.]* clean$" log
'

test_expect_success 'times are printed in other forms' '
	flux job eventlog -T offset $ran >log &&
	test_grep "^0.000000 submit " log &&
	flux job eventlog -T iso $ran >log &&
	test_grep "^2[-0-9]*T[0-9:]*\.[0-9]\{6\}Z submit " log &&
	flux job eventlog -H $ran >log &&
	test_grep "^\[[A-Z][a-z][a-z][0-9]* [0-9:]*\] submit " log
'

test_expect_success 'json is the log as it is stored' '
	flux job eventlog -f json $ran >actual &&
	flux job info $ran eventlog | grep . >expect &&
	test_cmp expect actual
'

test_expect_success 'colour is for terminals, or for who asks' '
	flux job eventlog $ran >plain &&
	flux job eventlog -L always $ran >log &&
	test_must_fail test_cmp plain log >diff &&
	sed "s/\x1b\[[0-9;]*m//g" log >actual &&
	test_cmp plain actual
'

test_expect_success 'other logs are read by path' '
	flux job eventlog -p exec $ran >log &&
	test_grep " shell.init " log &&
	test_expect_code 1 flux job eventlog -p nosuch $ran 2>actual &&
	echo "flux-job: eventlog path nosuch not found" >expect &&
	test_cmp expect actual &&
	test_expect_code 1 flux job eventlog 99 2>actual &&
	echo "flux-job: job 99 not found" >expect &&
	test_cmp expect actual
'

test_expect_success 'wait-event prints the event it waited for' '
	flux job wait-event $ran clean >actual &&
	flux job eventlog $ran | grep " clean" >expect &&
	test_cmp expect actual &&
	flux job wait-event -q $ran clean >actual &&
	test_cmp /dev/null actual &&
	flux job wait-event -v $ran clean >actual &&
	flux job eventlog $ran >expect &&
	test_cmp expect actual
'

test_expect_success 'wait-event matches the context' '
	flux job wait-event -q -m status=768 $ran finish &&
	test_expect_code 1 flux job wait-event -m status=0 $ran finish 2>actual &&
	echo "flux-job: event '\''finish'\'' never received" >expect &&
	test_cmp expect actual
'

test_expect_success 'wait-event gives up' '
	test_expect_code 1 flux job wait-event -t 1ms $held start 2>actual &&
	echo "flux-job: wait-event timeout on event '\''start'\''" >expect &&
	test_cmp expect actual
'

test_expect_success 'info prints what is stored' '
	flux job info $ran jobspec >actual &&
	test_grep "^{\"resources\":" actual &&
	flux job info $ran R >actual &&
	test_grep "\"R_lite\"" actual &&
	test_expect_code 1 flux job info $ran nosuch 2>actual &&
	echo "flux-job: nosuch: key not found" >expect &&
	test_cmp expect actual
'

test_expect_success 'the job that waited is done with' '
	flux cancel $held
'

test_done

#!/bin/sh

test_description='flux job: signals, exceptions, urgency, waiting, ids and lists

What is refused, and in which words, is covered by the tests of the command.
'

. "$(dirname "$0")/sharness.sh"
test_under_flux 1 job

# running COMMAND...: submits a job that runs when this returns, and prints its id.
running() {
	flux submit --wait-event=exec.shell.start "$@"
}

test_expect_success 'kill signals the tasks' '
	id=$(running tail -f /dev/null) &&
	flux job kill -s USR1 $id &&
	test_expect_code 138 flux job status $id &&
	test_expect_code 1 flux job kill $id 2>actual &&
	echo "flux-job: kill $id: job is inactive" >expect &&
	test_cmp expect actual
'

test_expect_success 'killall counts first and signals when forced' '
	id=$(running tail -f /dev/null) &&
	flux job killall 2>actual &&
	echo "flux-job: Command matched 1 jobs (-f to confirm)" >expect &&
	test_cmp expect actual &&
	flux job killall -f 2>actual &&
	echo "flux-job: Terminated 1 jobs (0 errors)" >expect &&
	test_cmp expect actual &&
	test_expect_code 143 flux job status $id
'

test_expect_success 'raise puts an exception into the log' '
	id=$(flux submit --urgency=hold true) &&
	flux job raise -t test -s 7 $id -- some words &&
	flux job wait-event $id exception >event &&
	test_grep "type=\"test\" severity=7 note=\"some words\"" event &&
	flux job raise $id &&
	wait_event $id clean &&
	test_expect_code 1 flux job status -v $id 2>actual &&
	echo "flux-job: $id: exception type=cancel" >expect &&
	test_cmp expect actual
'

test_expect_success 'raiseall reaches every active job' '
	flux submit --urgency=hold --cc=1-2 --quiet true &&
	flux job raiseall cancel 2>actual &&
	echo "flux-job: Command matched 2 jobs (-f to confirm)" >expect &&
	test_cmp expect actual &&
	flux job raiseall -f -s 0 cancel 2>actual &&
	echo "flux-job: Raised exception on 2 jobs (0 errors)" >expect &&
	test_cmp expect actual &&
	flux queue drain
'

test_expect_success 'urgency says what it was' '
	id=$(flux submit --urgency=hold true) &&
	flux job urgency -v $id 20 2>actual &&
	echo "old urgency: job held" >expect &&
	test_cmp expect actual &&
	flux job status $id
'

test_expect_success 'status ends with the largest exit code' '
	flux submit --cc=1-2 sh -c "exit {cc}" >ids &&
	test_expect_code 2 flux job status -v $(cat ids) 2>actual &&
	cat >expect <<-EOF &&
	flux-job: $(head -1 ids): exited with exit code 1
	flux-job: $(tail -1 ids): exited with exit code 2
	EOF
	test_cmp expect actual
'

test_expect_success 'status of what never ran is the code that is asked for' '
	id=$(flux submit --urgency=hold true) &&
	flux cancel $id &&
	test_expect_code 7 flux job status -e 7 $id
'

test_expect_success 'wait takes one waitable job after the other' '
	id=$(flux submit --flags=waitable true) &&
	flux job wait >actual &&
	echo $id >expect &&
	test_cmp expect actual &&
	test_expect_code 2 flux job wait
'

test_expect_success 'wait -a tells of each' '
	one=$(flux submit --flags=waitable true) &&
	two=$(flux submit --flags=waitable false) &&
	test_expect_code 1 flux job wait -a -v >out 2>err &&
	sort out err >actual &&
	sort >expect <<-EOF &&
	$one: job completed successfully
	$two: task(s) exited with exit code 1
	EOF
	test_cmp expect actual &&
	flux job wait -a
'

test_expect_success 'ids are spelled in many ways, from arguments or input' '
	id=$(flux job last) &&
	for form in dec hex kvs dothex words f58 f58plain emoji; do
		flux job id --to=$form $id | flux job id --to=f58 || return 1
	done >actual &&
	for form in 1 2 3 4 5 6 7 8; do echo $id; done >expect &&
	test_cmp expect actual
'

test_expect_success 'last gives the newest' '
	flux submit true >new &&
	flux job last >actual &&
	test_cmp new actual &&
	flux job last 2 >two &&
	test "$(wc -l <two)" = 2 &&
	test "$(head -1 two)" = "$(cat new)"
'

test_expect_success 'taskmap prints where tasks are' '
	id=$(flux submit -n2 true) &&
	wait_event $id clean -q &&
	flux job taskmap $id >actual &&
	flux job taskmap --to=raw $id >>actual &&
	flux job taskmap --to=pmi $id >>actual &&
	flux job taskmap --to=multiline $id >>actual &&
	printf "%s\n" "[[0,1,2,1]]" "0-1" "(vector,(0,1,2))" "0: 0" "1: 0" >expect &&
	test_cmp expect actual
'

test_expect_success 'hostpids prints which processes tasks are' '
	id=$(flux submit -n2 tail -f /dev/null) &&
	flux job hostpids -t 30s -d " " $id >out &&
	test "$(wc -w <out)" = 2 &&
	pid=$(flux job hostpids -r 1 $id | sed "s/.*://") &&
	kill -KILL $pid &&
	flux cancel $id &&
	flux queue idle &&
	test_expect_code 1 flux job hostpids $id 2>actual &&
	echo "flux-job: $id: job is not running" >expect &&
	test_cmp expect actual
'

test_expect_success 'timeleft counts down, or has nothing to count' '
	id=$(running tail -f /dev/null) &&
	flux job timeleft $id >actual &&
	flux job timeleft -H $id >>actual &&
	flux cancel $id &&
	flux queue idle &&
	flux job timeleft $id >>actual &&
	printf "%s\n" 4294967295 infinity 0 >expect &&
	test_cmp expect actual
'

test_expect_success 'a memo is seen in listings' '
	id=$(flux submit --urgency=hold true) &&
	flux job memo $id a.b=1 text=x &&
	flux jobs -no "{user.a.b} {user.text}" $id >actual &&
	echo "1 x" >expect &&
	test_cmp expect actual &&
	flux cancel $id
'

test_expect_success 'a purge without limits forgets nothing' '
	before=$(flux jobs -an | wc -l) &&
	flux job purge -f >actual 2>err &&
	test_grep "^purged 0 inactive jobs, [0-9]* remaining$" actual &&
	test_grep "nothing is purged" err &&
	test "$(flux jobs -an | wc -l)" = "$before"
'

test_expect_success 'jobs are forgotten when purged' '
	flux queue drain &&
	flux job purge --num-limit=1 >actual &&
	test_grep "^use --force to purge [0-9]* of [0-9]* inactive jobs$" actual &&
	flux job purge --num-limit=1 -f >actual &&
	test_grep "^purged [0-9]* inactive jobs, 1 remaining$" actual
'

test_done

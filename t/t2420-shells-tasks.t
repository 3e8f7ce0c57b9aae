#!/bin/sh

test_description='tasks of a job on four nodes know their place, and end as one

Covers what real brokers show: shells on each of them, their environments, codes and
exceptions. What the shells say to each other is covered by the tests of the job shell.
'

. "$(dirname "$0")/sharness.sh"
test_under_flux 4 job

test_expect_success 'tasks run on all nodes' '
	flux run -N4 -n8 --label-io sh -c "echo \$FLUX_TASK_LOCAL_ID of \$FLUX_JOB_SIZE on \$FLUX_JOB_NNODES" >out &&
	sort -n out >actual &&
	for rank in 0 1 2 3 4 5 6 7; do echo "$rank: $((rank % 2)) of 8 on 4"; done >expect &&
	test_cmp expect actual
'

test_expect_success 'each speaks to the broker of its node' '
	flux run -N4 -n4 --label-io flux getattr rank >out &&
	sort -n out >actual &&
	for rank in 0 1 2 3; do echo "$rank: $rank"; done >expect &&
	test_cmp expect actual
'

test_expect_success 'each node has its own temporary directory, gone afterwards' '
	flux run -N4 -n4 sh -c "test -d \$FLUX_JOB_TMPDIR && echo \$FLUX_JOB_TMPDIR" >dirs &&
	sort -u dirs | wc -l >actual && echo 4 >expect && test_cmp expect actual &&
	for dir in $(cat dirs); do test_must_fail test -e "$dir" || return 1; done
'

test_expect_success 'nodes are named in words of the command' '
	flux run -N4 -n4 --label-io echo "{{node.id}} {{taskid}} {{node.broker_rank}} {{nnodes}}" >out &&
	sort -n out >actual &&
	for rank in 0 1 2 3; do echo "$rank: $rank $rank $rank 4"; done >expect &&
	test_cmp expect actual
'

test_expect_success 'the log of the job tells one start of all, and the first exit' '
	flux run -N4 -n4 true && id=$(flux job last) &&
	flux job eventlog -p exec "$id" >log &&
	grep -c shell.init log >actual && grep -c shell.start log >>actual &&
	grep -c shell.task-exit log >>actual &&
	printf "1\n1\n1\n" >expect && test_cmp expect actual &&
	test_grep "shell.init .*leader-rank=0 size=4" log
'

# taskmap_of OPTION... : the map of a job of eight tasks on four nodes.
taskmap_of() {
	flux run -N4 -n8 "$@" true && flux job taskmap "$(flux job last)"
}

test_expect_success 'tasks are spread as the job says' '
	{ taskmap_of && taskmap_of --taskmap=cyclic && taskmap_of --taskmap=cyclic:2 &&
		taskmap_of "--taskmap=manual:[[3,1,2,1],[0,3,2,1]]"; } >actual &&
	printf "%s\n" "[[0,4,2,1]]" "[[0,4,1,2]]" "[[0,4,2,1]]" "[[3,1,2,1],[0,3,2,1]]" >expect &&
	test_cmp expect actual
'

test_expect_success 'a slot without a task is given up, with a word' '
	flux run -N2 -n3 true 2>err &&
	test_grep "flux-shell\[1\]:  WARN: .*: adjusted cores from 0-1 to 0" err
'

test_expect_success 'the code is the largest of all nodes' '
	test_expect_code 6 flux run -N4 -n4 sh -c "exit \$((FLUX_TASK_RANK + 3))" &&
	test_expect_code 137 flux run -N4 -n4 sh -c "test \$FLUX_TASK_RANK = 2 && kill -9 \$\$"
'

test_expect_success 'a command that is not there is said' '
	test_expect_code 127 flux run -N4 -n4 nosuchcommand 2>err &&
	test_grep "start failed: nosuchcommand: No such file or directory" err
'

test_expect_success 'the first task that fails may end the others' '
	test_expect_code 7 flux run -N4 -n4 -o exit-on-error \
		sh -c "test \$FLUX_TASK_RANK = 3 && exit 7; exec tail -f /dev/null" 2>err &&
	test_grep "task rank 3 on host .* failed (Exit 7) and exit-on-error is set" err
'

test_expect_success 'and when it has ended the others have their time' '
	test_expect_code 143 flux run -N4 -n4 -o exit-timeout=0.1s \
		sh -c "test \$FLUX_TASK_RANK = 3 && exit 0; exec tail -f /dev/null" 2>err &&
	test_grep "task rank 3 on host .* exited (Exit 0) and exit-timeout=0.1s has expired" err
'

# has_lines N FILE PATTERN: whether N lines of FILE have it.
has_lines() {
	test "$(grep -c "$3" "$2")" = "$1"
}

test_expect_success 'a signal reaches all nodes' '
	cat >task.sh <<-\EOS &&
	trap "echo got; exit 0" USR1
	tail -f /dev/null &
	echo ready
	wait
	EOS
	id=$(flux submit -N4 -n4 sh task.sh) &&
	{ flux job attach "$id" >out & } &&
	attach=$! &&
	wait_for 30 has_lines 4 out ready && flux job kill -s USR1 "$id" && wait $attach &&
	grep -c got out >actual && echo 4 >expect && test_cmp expect actual
'

test_done

#!/bin/sh

test_description='streams of tasks on four nodes lead to one place, and from one

Covers what real brokers show: output of all nodes in order, files of each, input to some,
much of both. What the shells say to each other is covered by the tests of the job shell.
'

. "$(dirname "$0")/sharness.sh"
test_under_flux 4 job

test_expect_success 'output of all nodes is shown, each stream where it belongs' '
	flux run -N4 -n4 --label-io sh -c "echo out; echo err >&2" >out 2>err &&
	sort -n out >actual && sort -n err >>actual &&
	{ for rank in 0 1 2 3; do echo "$rank: out"; done &&
		for rank in 0 1 2 3; do echo "$rank: err"; done; } >expect &&
	test_cmp expect actual
'

test_expect_success 'every line of much output comes once and in order' '
	flux run -N4 -n4 --label-io seq 1 20000 >out &&
	seq 1 20000 >expect &&
	for rank in 0 1 2 3
	do
		sed -n "s/^$rank: //p" out >actual && test_cmp expect actual || return 1
	done
'

test_expect_success 'a file that all share has the output of all' '
	flux run -N4 -n4 --output=all.out --label-io hostname &&
	cut -d: -f1 all.out | sort >actual &&
	printf "%s\n" 0 1 2 3 >expect && test_cmp expect actual
'

test_expect_success 'files of each node and each task are their own' '
	flux run -N4 -n8 --output=node{{node.id}}.out sh -c "echo \$FLUX_TASK_RANK" &&
	for node in 0 1 2 3
	do
		printf "%s\n" $((2 * node)) $((2 * node + 1)) >expect &&
		sort node$node.out >actual && test_cmp expect actual || return 1
	done &&
	flux run -N4 -n8 --output=task{{taskid}}.out sh -c "echo \$FLUX_TASK_RANK" &&
	for rank in 0 1 2 3 4 5 6 7
	do
		echo $rank >expect && test_cmp expect task$rank.out || return 1
	done
'

test_expect_success 'the log of the job says where a stream went' '
	flux run -N4 -n4 --output=all.out true && id=$(flux job last) &&
	flux job attach "$id" 2>err &&
	test_grep "\[0-3\]: stdout redirected to all.out" err
'

test_expect_success 'words of every shell are shown with its rank' '
	flux run -N4 -n4 -o verbose=1 true 2>err &&
	for rank in 0 1 2 3
	do
		test_grep "flux-shell\[$rank\]: DEBUG: $rank: task $rank on cores" err || return 1
	done
'

# Input of each task, sorted by rank.
counts() {
	flux run -N4 -n4 --label-io "$@" wc -c >out && sort -n out | sed "s/  *//g"
}

test_expect_success 'input goes to all tasks' '
	seq 1 10000 >in && size=$(wc -c <in) &&
	counts <in >actual &&
	for rank in 0 1 2 3; do echo "$rank:$size"; done >expect && test_cmp expect actual
'

test_expect_success 'input goes to one task, or some' '
	counts --input=2 <in >actual &&
	for rank in 0 1 2 3; do echo "$rank:$(test $rank != 2 || echo $size)"; done |
		sed "s/:\$/:0/" >expect && test_cmp expect actual &&
	counts --input=1-2 <in >actual &&
	printf "%s\n" 0:0 "1:$size" "2:$size" 3:0 >expect && test_cmp expect actual
'

test_expect_success 'input from a file is read by each task' '
	counts --input=in </dev/null >actual &&
	for rank in 0 1 2 3; do echo "$rank:$size"; done >expect && test_cmp expect actual
'

test_expect_success 'more input than a log takes ends the job' '
	yes 0123456789 | head -c 11000000 >much &&
	test_expect_code 143 flux run -N2 -n2 cat <much >/dev/null 2>err &&
	test_grep "stdin exceeds 10M limit" err
'

test_expect_success 'processes of all nodes are told' '
	id=$(flux submit -N4 -n4 --wait-event=start sleep inf) &&
	flux job wait-event -p exec "$id" shell.start &&
	flux job hostpids "$id" >out &&
	tr "," "\n" <out | wc -l >actual && echo 4 >expect && test_cmp expect actual &&
	flux cancel "$id"
'

test_expect_success 'PMI joins the brokers of an instance in the instance' '
	flux run -N4 -n4 flux start flux getattr size >actual &&
	echo 4 >expect && test_cmp expect actual &&
	flux run -N2 -n2 flux start flux run -N2 -n2 --label-io flux getattr rank >out &&
	sort -n out >actual && printf "%s\n" "0: 0" "1: 1" >expect && test_cmp expect actual
'

test_expect_success 'tasks of all nodes meet and exchange' '
	flux run -N4 -n8 flux pmi barrier >actual && test_grep "completed pmi barrier on 8 tasks" actual &&
	flux run -N4 -n8 flux pmi exchange >actual && test_grep "completed pmi exchange on 8 tasks" actual &&
	flux run -N4 -n8 flux pmi get PMI_process_mapping >actual &&
	echo "(vector,(0,4,2))" >expect && test_cmp expect actual
'

test_done

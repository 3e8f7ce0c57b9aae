#!/bin/sh

test_description='shells of a job on hosts of different names, some of which are lost

Covers what needs host names and real processes: maps from files of hosts, files of each host,
a shell that is killed, a broker that is killed, a job-exec that is reloaded under output.
'

. "$(dirname "$0")/sharness.sh"
test_under_hosts 4 job

# ends_badly COMMAND...: whether it fails, by a code or as its tasks do.
ends_badly() {
	! "$@"
}

# hosts_of OPTION...: the hosts of eight tasks on four nodes, by rank.
hosts_of() {
	flux run -N4 -n8 --label-io "$@" echo "{{node.name}}" >out && sort -n out | cut -d" " -f2 | xargs
}

test_expect_success 'a file of hosts deals out tasks, over and over' '
	wait_status full &&
	printf "%s\n" "fake[3,2]" "fake[1,0]" >hostfile &&
	hosts_of --taskmap=hostfile:hostfile >actual &&
	hosts_of --taskmap=hostfile:"$PWD/hostfile" >>actual &&
	echo "fake3 fake2 fake1 fake0 fake3 fake2 fake1 fake0" >line &&
	cat line line >expect && test_cmp expect actual
'

test_expect_success 'a file that makes no sense is said' '
	echo "fake[0-3],foo" >bad &&
	ends_badly flux run -N4 -n8 --taskmap=hostfile:bad true 2>err &&
	test_grep "failed to map tasks with hostfile:bad: host foo not found in job nodelist" err &&
	ends_badly flux run -N4 -n4 --taskmap=hostfile:none true 2>err &&
	test_grep "failed to open hostfile: none: No such file or directory" err
'

test_expect_success 'each host writes its own file' '
	flux run -N4 -n4 --output={{node.name}}.out hostname &&
	ls fake?.out >actual && printf "fake%s.out\n" 0 1 2 3 >expect && test_cmp expect actual
'

# shell_on RANK ID: the process of the shell of job ID there.
shell_on() {
	for pid in $(pgrep -f "flux-shell $(flux job id --to=dec "$2")")
	do
		tr "\0" "\n" <"/proc/$pid/environ" | grep -q "^FLUX_URI=.*-$1\$" && echo "$pid"
	done
	return 0
}

test_expect_success 'a shell that is killed is named, and the others have their time' '
	id=$(flux submit -N4 -n4 -o exit-timeout=0.1s sleep inf) &&
	flux job wait-event -p exec "$id" shell.start &&
	kill -9 "$(shell_on 3 "$id")" &&
	ends_badly flux job attach "$id" 2>err &&
	test_grep "WARN: exception: shell rank 3 (on fake3): Killed" err &&
	test_grep "sleep: shell rank 3 on host fake3 exited and exit-timeout=0.1s has expired" err
'

test_expect_success 'output is neither lost nor doubled when job-exec is reloaded' '
	flux submit -N4 -n4 sh -c "seq 1 100; flux kvs get -N primary --waitcreate go >/dev/null; seq 101 200" >id &&
	wait_event "$(cat id)" shell.start -p exec &&
	flux module reload job-exec &&
	on 2 flux module reload job-exec && flux kvs put go=1 &&
	flux job attach --label-io "$(cat id)" >out &&
	seq 1 200 >expect &&
	for rank in 0 1 2 3
	do
		sed -n "s/^$rank: //p" out >actual && test_cmp expect actual || return 1
	done
'

test_expect_success 'a job that has lost a broker ends, and says which' '
	id=$(flux submit -N4 -n4 -o exit-timeout=0.1s sleep inf) &&
	flux job wait-event -p exec "$id" shell.start &&
	kill_rank 3 9 &&
	ends_badly flux job attach "$id" 2>err &&
	test_grep "fake3" err
'

test_done

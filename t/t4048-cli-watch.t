#!/bin/sh

test_description='flux watch: output and ends of jobs, and the line on the terminal

Texts and exit codes are covered by the tests of the command: this shows jobs that go on while
they are watched, and what a terminal is given.
'

. "$(dirname "$0")/sharness.sh"
test_under_flux 1 job

test_expect_success 'output of jobs that are over is printed again' '
	flux submit --wait --quiet echo one &&
	flux submit --wait --quiet echo two &&
	flux watch --all >actual &&
	printf "%s\n" one two >expect &&
	test_cmp expect actual
'

test_expect_success 'jobs that run are watched to their end' '
	mkfifo go &&
	id=$(flux submit sh -c "echo begun; cat go") &&
	{ flux watch "$id" >actual & } &&
	watcher=$! &&
	echo gone >go &&
	wait $watcher &&
	printf "%s\n" begun gone >expect &&
	test_cmp expect actual
'

test_expect_success 'the exit code is the largest' '
	ids=$(flux submit --cc=0-3 sh -c "exit {cc}") &&
	test_expect_code 3 flux watch $ids
'

test_expect_success 'a job that cannot run counts as 1' '
	id=$(flux submit --urgency=hold true) &&
	flux cancel "$id" &&
	test_expect_code 1 flux watch "$id" 2>actual &&
	echo "job.exception: type=cancel severity=0 " >expect &&
	test_cmp expect actual
'

test_expect_success 'nobody to watch is no failure' '
	flux watch --active 2>actual &&
	echo "flux-watch: INFO: No matching jobs" >expect &&
	test_cmp expect actual
'

# Runs a command on a terminal, whose output it prints.
on_terminal() {
	script -qec "stty rows 20 cols 60; $1" /dev/null </dev/null
}

test_expect_success 'a terminal has a line that tells how far the jobs are' '
	on_terminal "flux submit --quiet --wait --progress --cc=1-4 true" >out &&
	test_grep "PD:0   R:0   CD:4   F:0   │.*│100.0% 0:00:0" out &&
	on_terminal "flux submit --quiet --progress --jps --cc=1-4 true" >out &&
	test_grep "Submitting 4 jobs: │█*│100.0% [0-9.]* job/s" out &&
	flux queue drain &&
	test_expect_code 3 on_terminal "flux watch --all --progress" >out &&
	test_grep "│100.0% 0:00:[0-9]" out
'

test_expect_success 'it stands below the region in which output scrolls' '
	esc=$(printf "\033") &&
	flux submit --watch --quiet printf "a\033[5Ab\n" >plain &&
	test_grep "a$esc\[5Ab" plain &&
	on_terminal "flux submit --watch --quiet --progress printf \"a\033[5Ab\n\"" >out &&
	test_grep "$esc\[1;19r" out &&
	test_grep "$esc\[20;1H" out &&
	test_grep "$esc\[r" out &&
	test_grep "ab" out
'

test_expect_success 'a user who leaves gets the whole terminal back' '
	cat >leave.sh <<-\EOT &&
	echo $$ >pid
	exec flux submit --quiet --wait --progress \
		sh -c "kill -INT $(cat pid); exec tail -f /dev/null"
	EOT
	test_expect_code 130 on_terminal "sh ./leave.sh" >out &&
	flux cancel --all &&
	test_grep "$esc\[r" out
'

test_done

#!/bin/sh

test_description='jobs on several ranks: their shells start, end and are missed

Covers what only brokers, modules and processes show: a job over four ranks, a shell that is
killed, a job-exec that is killed or loaded again on each rank under a job, a broker that
is killed under a job. The cases one by one are covered by the tests of job-exec.
'

. "$(dirname "$0")/sharness.sh"
# Rank 3 is killed in the end: how rank 0 ends counts.
test_under_flux 4 job -S tbon.topo=kary:2 --test-exit-mode=leader

# on_rank RANK COMMAND: runs it on one rank.
on_rank() {
	rank=$1 && shift && flux exec -r "$rank" "$@"
}

# shell_of RANK ID: the shell of a job on a rank.
shell_of() {
	module=$(on_rank "$1" sh -c "pgrep -P \$(flux getattr broker.pid) -f flux-module-job-exec\$") &&
	pgrep -P "$module" -f "flux-shell $(flux job id "$2")\$"
}

# start_job: a job on all ranks whose tasks run until it is cancelled.
start_job() {
	flux submit -N4 -n4 tail -f /dev/null "--pid=$$" >id &&
	wait_event "$(cat id)" shell.start --path=guest.exec.eventlog --waitcreate --quiet
}

test_expect_success 'a job runs on four ranks' '
	flux run -N4 -n8 sh -c "flux getattr rank" | sort >actual &&
	printf "%s\n" 0 0 1 1 2 2 3 3 >expect &&
	test_cmp expect actual
'

test_expect_success 'the worst exit code of all shells is that of the job' '
	test_expect_code 3 flux run -N4 -n4 sh -c "exit \$(flux getattr rank)"
'

test_expect_success 'where its shells are is shown' '
	start_job &&
	flux module stats job-exec >stats &&
	test_grep "\"active_ranks\": \"0-3\"" stats &&
	test_grep "\"critical_ranks\": \"0-3\"" stats &&
	flux cancel "$(cat id)" &&
	wait_state "$(cat id)" inactive
'

test_expect_success 'a shell that is killed is told in the output, and the job goes on' '
	start_job &&
	kill -9 "$(shell_of 3 "$(cat id)")" &&
	wait_event "$(cat id)" log --path=guest.output --quiet &&
	flux job eventlog --path=guest.output "$(cat id)" >log &&
	test_grep "shell rank 3 (on .*): Killed" log &&
	test "$(flux jobs -no {state} "$(cat id)")" = RUN &&
	flux job kill -s INT "$(cat id)" &&
	test_expect_code 130 flux job attach "$(cat id)"
'

for rank in 0 1 2 3
do
	test_expect_success "a job survives kill -9 of job-exec on rank $rank" "
		start_job &&
		on_rank $rank sh -c 'kill -9 \$(pgrep -P \$(flux getattr broker.pid) -f flux-module-job-exec\$)' &&
		flux job kill -s KILL \$(cat id) &&
		wait_state \$(cat id) inactive &&
		test_expect_code 137 flux job attach \$(cat id) 2>err &&
		test_grep 'task(s) Killed' err
	"
	test_expect_success "and a reload of it on rank $rank" "
		start_job &&
		on_rank $rank flux module reload job-exec &&
		flux job kill -s KILL \$(cat id) &&
		wait_state \$(cat id) inactive &&
		test_expect_code 137 flux job attach \$(cat id) 2>err &&
		test_grep 'task(s) Killed' err
	"
done

test_expect_success 'a job that loses a broker ends with its name' '
	start_job &&
	pid=$(on_rank 3 flux getattr broker.pid) &&
	kill -9 "$pid" &&
	wait_state "$(cat id)" inactive &&
	flux job eventlog "$(cat id)" >log &&
	test_grep "exception .*node failure on .* (rank 3)" log
'

test_done

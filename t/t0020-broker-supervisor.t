#!/bin/sh

test_description='a module that is killed comes back, and the instance goes on

Covers what only real processes can show: kill -9 of every module in turn, each
followed by a job from end to end. Which requests survive the death of their
module is covered by the simulator.
'

. "$(dirname "$0")/sharness.sh"
test_under_flux 1 full

# module_pid NAME: the process of a module of this instance.
module_pid() {
	pgrep -P "$(flux getattr broker.pid)" -f "flux-module-$1\$"
}

test_expect_success 'a job runs before anything is killed' '
	flux run echo before >out &&
	echo before >expect &&
	test_cmp expect out
'

for module in heartbeat job-info job-list kvs-watch job-ingest sched-simple resource job-exec \
	job-manager kvs content
do
	test_expect_success "kill -9 of $module: it is restarted and a job runs" "
		pid=\$(module_pid $module) &&
		kill -9 \$pid &&
		flux run echo $module >out &&
		echo $module >expect &&
		test_cmp expect out &&
		wait_for 30 module_pid $module &&
		test_must_fail kill -0 \$pid
	"
done

test_expect_success 'jobs finished before the kills are all still listed' '
	flux jobs -nac0 -o "{name}" >names &&
	test "$(grep -c echo names)" = 12
'

test_expect_success 'the log says what happened' '
	flux dmesg >dmesg &&
	test_grep "module kvs killed by signal 9" dmesg &&
	test_grep "module kvs is back" dmesg
'

test_done

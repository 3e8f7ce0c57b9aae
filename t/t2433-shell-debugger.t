#!/bin/sh

test_description='debuggers find the tasks of a job, and find them stopped

Covers what only processes and a debugger show: that tasks stop where they become their program,
and that the symbols of the interface are found. What is in the table of processes is covered by
the tests of the job shell.
'

. "$(dirname "$0")/sharness.sh"
test_under_flux 2 job

# stopped PID...: each of these processes is stopped.
stopped() {
	for pid in "$@"
	do
		test_grep "^State:	[Tt] " "/proc/$pid/status" || return 1
	done
}

# pids ID: the processes of the tasks of a job.
pids() {
	flux job hostpids --delimiter=" " "$1" | sed "s/[^ ]*://g"
}

test_expect_success 'tasks stop at exec, until they are told to go on' '
	id=$(flux submit -N2 -n4 -o stop-tasks-in-exec sh -c "echo ran") &&
	wait_event $id shell.start -p exec >start &&
	test_grep "sync=true" start &&
	pids $id >pids && test $(wc -w <pids) = 4 &&
	wait_for 10 stopped $(cat pids) &&
	flux job kill -s CONT $id &&
	flux job attach $id >actual &&
	printf "ran\n%.0s" 1 2 3 4 >expect && test_cmp expect actual
'

test_expect_success 'a stopped job can be cancelled' '
	id=$(flux submit -o stop-tasks-in-exec true) &&
	wait_event $id shell.start -p exec -q &&
	flux cancel $id &&
	wait_event $id clean -q
'

test_expect_success 'a program that is not there is told as ever' '
	test_expect_code 127 flux run -o stop-tasks-in-exec ./nosuch 2>err &&
	test_grep "start failed: ./nosuch: No such file or directory" err
'

test_expect_success 'attach --debug alone lets the tasks wait' '
	id=$(flux submit -o stop-tasks-in-exec sh -c "echo ran") &&
	flux job attach --debug --read-only --wait-event=exec.shell.start $id &&
	pids $id >pids && wait_for 10 stopped $(cat pids) &&
	flux job kill -s CONT $id &&
	flux job attach --debug $id >actual &&
	echo ran >expect && test_cmp expect actual
'

command -v gdb >/dev/null && test_set_prereq GDB

# Under gdb, which does what the debuggers of parallel programs do.
test_expect_success GDB 'a debugger gets the processes and lets them go on' '
	id=$(flux submit -N2 -n4 -o stop-tasks-in-exec sh -c "echo ran") &&
	wait_event $id shell.start -p exec -q &&
	pid=$(pids $id | cut -d" " -f1) &&
	cat >commands <<-EOS &&
	set width 0
	set breakpoint pending on
	set debuginfod enabled off
	handle SIGCHLD nostop noprint
	break MPIR_Breakpoint
	break main
	run
	set *(int *)&MPIR_being_debugged = 1
	continue
	printf "state %d size %d job %s\\n", *(int *)&MPIR_debug_state, *(int *)&MPIR_proctable_size, *(char **)&totalview_jobid
	printf "host %s program %s pid %d\\n", **(char ***)&MPIR_proctable, *(*(char ***)&MPIR_proctable + 1), *(int *)(*(char ***)&MPIR_proctable + 2)
	delete
	continue
	EOS
	gdb --batch --nx -x commands --args "$(command -v flux)" job attach --debug $id >out 2>&1 </dev/null &&
	test_grep "^state 1 size 4 job $id" out &&
	test_grep "^host .* program sh pid $pid\$" out &&
	flux job attach $id >actual &&
	printf "ran\n%.0s" 1 2 3 4 >expect && test_cmp expect actual
'

test_done

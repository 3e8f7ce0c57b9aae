#!/bin/sh

test_description='jobs some of whose nodes or shells never come, or stop

Covers what takes brokers and processes that are stopped or killed at an awkward time: between
alloc and start, before the shells have met, before and under a cancel. What job-exec makes
of each is covered by its tests.
'

. "$(dirname "$0")/sharness.sh"
test_under_hosts 4 job -S tbon.topo=kary:2

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
	id=$(flux submit -N4 -n4 tail -f /dev/null "--pid=$$") &&
	wait_event "$id" shell.start --path=guest.exec.eventlog --waitcreate --quiet
}

# is_up N: whether the scheduler has N ranks that are up.
is_up() {
	test "$(flux resource list -s up -no "{nnodes}")" = "$1"
}

# back RANK: starts a broker again, and waits until jobs can run there.
back() {
	run_rank "$1" && wait_status full && wait_for 20 is_up 4
}

test_expect_success 'all ranks are there' '
	wait_status full && wait_for 20 is_up 4 &&
	printf "[exec]\nkill-timeout = \"0.1s\"\n" >exec.toml &&
	cat conf/bootstrap.toml exec.toml >new.toml &&
	flux config load <new.toml
'

test_expect_success 'who waits at a barrier is answered, though it wants no answer' '
	start_job &&
	dec=$(flux job id "$id") &&
	on 3 quiet_rpc job-exec.shell-barrier "{\"id\":$dec,\"rank\":2}" >actual &&
	on 2 quiet_rpc job-exec.shell-barrier "{\"id\":7,\"rank\":2}" >>actual &&
	printf "%s\n" "22 rank 2 is not pending in barrier" "2 job not found" >expect &&
	test_cmp expect actual
'

test_expect_success 'who is said not to be needed is known after job-exec was killed' '
	test "$(rpc job-exec.critical-ranks "{\"id\":$dec,\"ranks\":\"0-2\"}")" = "0 " &&
	kill -9 "$(pgrep -P "$(flux getattr broker.pid)" -f flux-module-job-exec\$)" &&
	wait_for 20 flux module stats --parse=jobs.$id.critical_ranks job-exec &&
	flux module stats job-exec >stats &&
	test_grep "\"critical_ranks\": \"0-2\"" stats
'

test_expect_success 'a shell that is stopped does not keep its job from ending' '
	kill -STOP "$(shell_of 3 "$id")" &&
	flux cancel "$id" &&
	wait_state "$id" inactive &&
	test -z "$(flux resource drain -no "{ranks}")"
'

test_expect_success 'a shell that does not come to the first barrier is named, and its node drained' '
	kvs=$(on_rank 3 sh -c "pgrep -P \$(flux getattr broker.pid) -f flux-module-kvs\$") &&
	kill -STOP "$kvs" &&
	test_when_finished "kill -CONT $kvs; flux resource undrain -u 3" &&
	id=$(flux submit -N4 -n4 -S "exec.bulkexec.barrier-timeout=\"0.5s\"" tail -f /dev/null "--pid=$$") &&
	wait_event "$id" exception >exception &&
	test_grep "start barrier timeout waiting for 1/4 nodes (rank 3)" exception &&
	wait_state "$id" inactive &&
	flux resource drain -no "{ranks} {reason}" >actual &&
	echo "3 job $id start timeout: possible node hang" >expect &&
	test_cmp expect actual
'

test_expect_success 'a node that goes between alloc and start is named' '
	cat >prolog <<-EOS &&
	#!/bin/sh
	exec flux kvs get -N primary --waitcreate go
	EOS
	chmod +x prolog &&
	cat conf/bootstrap.toml exec.toml >prolog.toml &&
	printf "[job-manager]\nplugins = [ { load = \"perilog\" } ]\n" >>prolog.toml &&
	printf "prolog.command = [ \"%s\" ]\n" "$PWD/prolog" >>prolog.toml &&
	flux config load <prolog.toml && flux module reload job-manager &&
	id=$(flux submit -N4 -n4 true) &&
	wait_event "$id" prolog-start --quiet &&
	kill_rank 3 9 && wait_rank 3 137 &&
	flux kvs put go=1 &&
	wait_state "$id" inactive &&
	flux job eventlog "$id" >log &&
	test_grep "exception .*node failure on fake3 (rank 3)" log &&
	back 3 &&
	flux config load <new.toml && flux module reload job-manager &&
	flux run -N4 true
'

test_expect_success 'a job goes on without a node that it said it can do without' '
	start_job &&
	dec=$(flux job id "$id") &&
	test "$(rpc job-exec.critical-ranks "{\"id\":$dec,\"ranks\":\"0-2\"}")" = "0 " &&
	kill_rank 3 9 && wait_rank 3 137 &&
	wait_event "$id" exception >exception &&
	test_grep "type=\"node-failure\" severity=2 .*node failure on fake3 (shell rank 3)" exception &&
	test "$(flux jobs -no {state} "$id")" = RUN &&
	flux cancel "$id" && wait_state "$id" inactive &&
	back 3
'

test_expect_success 'a node that is stopped under a cancel, and then killed, does not keep the job' '
	start_job &&
	kill_rank 3 19 &&
	flux cancel "$id" &&
	wait_event "$id" exception --quiet &&
	kill_rank 3 9 && wait_rank 3 137 &&
	wait_state "$id" inactive &&
	flux dmesg >log &&
	test_grep "rank 3" log &&
	back 3 &&
	flux run -N4 true
'

test_expect_success 'a job on a rank that nobody has ends with its name' '
	cat >r.json <<-EOS &&
	{"version":1,"execution":{"R_lite":[{"rank":"0-3,9","children":{"core":"0"}}],
	"nodelist":["fake[0-3]","nohost"],"starttime":0,"expiration":0}}
	EOS
	flux module remove sched-simple &&
	flux module reload resource monitor-force-up noverify &&
	flux resource reload --force r.json &&
	flux module load sched-simple &&
	id=$(flux submit -N5 true) &&
	wait_state "$id" inactive &&
	flux job eventlog "$id" >log &&
	test_grep "exception .*node failure on nohost (rank 9)" log
'

test_done

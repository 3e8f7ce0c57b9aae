#!/bin/sh

test_description='what becomes of a request whose service or its way is not there

Covers what only real processes show: the cells of doc/delivery.md with modules that are
killed, stopped and slow to start, with clients that die, and with brokers that are. The
simulator reaches all of them too.
'

. "$(dirname "$0")/sharness.sh"
test_under_hosts 4 minimal -S tbon.topo=kary:2 -S broker.module-nopanic=1

# ask METHOD POLICY [RANK]: what becomes of a request, as client.pl prints it. `ping` is
# declared idempotent, and `debug` is not.
ask() {
	case $1 in
	*.ping) test__payload='{}' ;;
	*) test__payload='{"op":"setbit","flags":0}' ;;
	esac
	printf '%s\0' "$test__payload" |
		timeout 60 perl "$TEST_HARNESS_DIR/sharness.d/client.pl" "$FLUX_URI" deliver "$@"
}

# ask_all SERVICE [RANK]: the same for both methods and the policies that have an answer, a
# line each.
ask_all() {
	for test__policy in ${WAIT_MS:-20000} now
	do
		for test__method in ping debug
		do
			ask "$1.$test__method" $test__policy $2 || return 1
		done
	done
}

# told LINE...: whether these are the lines in `told`.
told() {
	printf '%s\n' "$@" >expect && diff expect told
}

# lost CAUSE TOPIC RANK: whether the last record there is this one.
lost() {
	flux orphans --json --rank=$3 | tail -n 1 >last &&
		grep "\"cause\":\"$1\"" last && grep "\"topic\":\"$2\"" last
}

# heart: prints the process of the module.
heart() {
	pgrep -P "$(flux getattr broker.pid)" -f heart
}

# stopped PID: waits until a process is.
stopped() {
	kill -STOP $1 && wait_for 20 grep -q "^State:.T" /proc/$1/status
}

test_expect_success OURS 'a module can be loaded that is slow to start when it is told so' '
	cat >flux-module-heart <<-EOF2 && chmod +x flux-module-heart &&
	#!/bin/sh
	# Waits for a word where there is a gate.
	test ! -p "$PWD/gate" || read word <"$PWD/gate"
	exec "$(command -v flux-module-heartbeat || echo "$FLUX_EXEC_PATH/flux-module-heartbeat")"
	EOF2
	flux module load ./flux-module-heart && heart
'

test_expect_success OURS 'where the server is up all is delivered' '
	ask_all heart >told &&
	told "0 delivered" "0 delivered" "0 delivered" "0 delivered" &&
	flux orphans --clear && ask heart.ping best-effort &&
	test -z "$(flux orphans -n)"
'

test_expect_success OURS 'where there is none it is known at once' '
	ask_all none >told &&
	told "38 no-service@0" "38 no-service@0" "38 no-service@0" "38 no-service@0" &&
	lost server-down none.debug 0 &&
	ask none.debug best-effort && lost dropped none.debug 0
'

test_expect_success OURS 'a server that restarts is waited for, unless one says otherwise' '
	mkfifo gate && kill -KILL $(heart) &&
	ask heart.ping now >told && ask heart.debug now >>told &&
	told "113 no-service@0" "113 no-service@0" &&
	ask heart.ping 100 >told && ask heart.debug 100 >>told &&
	told "110 expired@0" "110 expired@0" &&
	lost expired heart.debug 0 &&
	flux orphans --clear && ask heart.debug best-effort &&
	{ ask heart.ping 20000 >ping & } &&
	{ ask heart.debug 20000 >debug & } &&
	echo go >gate && wait && rm gate &&
	grep "0 delivered" ping && grep "0 delivered" debug &&
	test -z "$(flux orphans -n)"
'

# note_open: notes how many requests are without an answer. wait_open N: waits until there
# are N more.
note_open() {
	base=$(flux module stats --parse=open broker)
}

wait_open() {
	wait_for 20 sh -c "test \"\$(flux module stats --parse=open broker)\" = $((base + $1))"
}

# dies_with METHOD POLICY: what becomes of a request that the module has when it dies.
dies_with() {
	wait_for 20 heart && pid=$(heart) && stopped $pid && note_open &&
		{ ask $1 $2 >with & } && asking=$! &&
		wait_open 1 && kill -KILL $pid && wait $asking && cat with
}

test_expect_success OURS 'a server dies with what it has' '
	dies_with heart.ping 20000 >told && told "0 delivered" &&
	dies_with heart.debug 20000 >told && told "113 unknown@0" &&
	dies_with heart.ping now >told && told "113 peer-gone@0" &&
	dies_with heart.debug now >told && told "113 unknown@0" &&
	lost server-down heart.debug 0
'

test_expect_success OURS 'a slow server has until the deadline, and what comes later is an orphan' '
	ask heart.ping 20000 && pid=$(heart) && stopped $pid &&
	WAIT_MS=200 && { ask heart.ping 200 && ask heart.debug 200; } >told &&
	told "110 expired@0" "110 expired@0" &&
	note_open && { ask heart.debug now >now & } && wait_open 1 &&
	flux orphans --clear && kill -CONT $pid && wait &&
	grep "0 delivered" now && unset WAIT_MS &&
	wait_for 20 sh -c "flux orphans --json | grep -c \"cause.:.expired\" | grep 2" &&
	lost expired heart.debug 0
'

test_expect_success OURS 'an answer whose client is gone says so' '
	pid=$(heart) && stopped $pid && flux orphans --clear && note_open &&
	{ flux ping --count=1 heart >ping 2>&1 & } && asking=$! && wait_open 1 &&
	kill -KILL $asking && wait_open 0 && kill -CONT $pid &&
	wait_for 20 sh -c "flux orphans | grep after-close" &&
	lost after-close heart.ping 0 && grep "the requester has disconnected" last
'

test_expect_success OURS 'a client that uses too many services has no room' '
	{
		i=0
		while test $i -lt 1024
		do
			i=$((i + 1))
			echo "other$i.x {}"
		done
		echo "heart.ping {}"
	} | perl "$TEST_HARNESS_DIR/sharness.d/client.pl" "$FLUX_URI" talk >talk &&
	tail -n 1 talk | grep "^105 too many services" && lost dropped heart.ping 0
'

test_expect_success OURS 'over ranks: what is there answers, and what is gone is named' '
	ask_all broker 3 >told &&
	told "0 delivered" "0 delivered" "0 delivered" "0 delivered" &&
	kill_rank 3 9 && wait_group broker.online "0-2" &&
	ask_all broker 3 >told &&
	told "113 peer-gone@1" "113 peer-gone@1" "113 peer-gone@1" "113 peer-gone@1" &&
	lost no-peer broker.debug 1 &&
	ask broker.debug best-effort 3 &&
	wait_for 20 sh -c "flux orphans --rank=1 --json | tail -n 1 | grep dropped" &&
	run_rank 3 && wait_group broker.online "0-3" &&
	ask broker.debug now 3 >told && told "0 delivered"
'

# cut_off METHOD RANK: what becomes of a request to rank 3, which is stopped, when RANK dies.
cut_off() {
	pid=$(on 3 flux getattr broker.pid) && stopped $pid && note_open &&
		{ ask $1 now 3 >cut & } && asking=$! &&
		wait_open 1 && kill_rank $2 9 && wait $asking && kill -KILL $pid
	cat cut
}

test_expect_success OURS 'over ranks: what is lost on the way is named by the last that had it' '
	cut_off broker.debug 3 >told && told "113 unknown@1" &&
	wait_group broker.online "0-2" && run_rank 3 && wait_group broker.online "0-3" &&
	cut_off broker.ping 3 >told && told "113 peer-gone@1" &&
	wait_group broker.online "0-2" && run_rank 3 && wait_group broker.online "0-3"
'

test_expect_success OURS 'over ranks: a router dies with what it has, and is back' '
	cut_off broker.debug 1 >told && told "113 unknown@0" &&
	wait_group broker.online "0,2" &&
	run_rank 1 && run_rank 3 && wait_group broker.online "0-3" &&
	ask_all broker 3 >told &&
	told "0 delivered" "0 delivered" "0 delivered" "0 delivered"
'

test_expect_success OURS 'a rank that says nothing has until the deadline, and is named' '
	pid=$(on 3 flux getattr broker.pid) && stopped $pid &&
	ask broker.ping 2000 3 >told && kill -CONT $pid &&
	told "110 expired@1"
'

test_expect_success OURS 'the module can be removed' '
	flux module remove heart
'

test_done

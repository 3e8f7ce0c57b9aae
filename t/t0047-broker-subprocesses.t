#!/bin/sh

test_description='flux exec and flux sproc run commands beside the broker

Covers what only processes show: streams, signals, the end of clients and of the
broker. What the service answers to whom is covered by its conversations in
broker/src/rexec/tests.rs.
'

. "$(dirname "$0")/sharness.sh"
test_under_flux 1 minimal

# running LABEL: whether a process of this label is there and runs.
running() {
	flux sproc ps -no "{label} {state}" >procs &&
	grep -q "^$1 R" procs
}

# gone PID...: whether none of these processes is there.
gone() {
	! kill -0 "$@" 2>/dev/null
}

test_expect_success 'output goes to its stream, whole and labelled' '
	flux exec -n -l sh -c "echo out; echo err >&2; printf half" >out 2>err &&
	printf "0: out\n0: half" >expect &&
	test_cmp expect out &&
	echo "0: err" >expect &&
	test_cmp expect err
'

test_expect_success 'a command runs in our folder, with our environment, on this broker' '
	mkdir -p below &&
	(cd below && MINE=x flux exec -n sh -c "pwd; echo \$MINE; echo \$FLUX_URI") >actual &&
	printf "%s\nx\n%s\n" "$(pwd)/below" "$FLUX_URI" >expect &&
	test_cmp expect actual &&
	flux exec -n -d / pwd >actual &&
	echo / >expect &&
	test_cmp expect actual
'

test_expect_success 'exit codes are those of the command' '
	test_expect_code 3 flux exec -n sh -c "exit 3" 2>err &&
	grep "^0: Exit 3$" err &&
	test_expect_code 143 flux exec -n sh -c "kill \$\$" 2>err &&
	grep "^0: Terminated$" err &&
	test_expect_code 127 flux exec -n /nosuch 2>err &&
	grep "^flux-exec: Error: rank 0: /nosuch: .*No such file or directory" err &&
	test_expect_code 126 flux exec -n /etc/passwd 2>err &&
	grep "Permission denied" err &&
	test_expect_code 1 flux exec -n -r 0,7 true 2>err &&
	grep "One or more invalid --ranks specified: 7" err
'

test_expect_success '50 MB of input come back whole' '
	head -c 50000000 /dev/urandom >big &&
	flux exec cat <big >copy &&
	cmp big copy
'

test_expect_success 'a large output comes whole' '
	flux exec -n head -c 20000000 /dev/zero | { flux sproc ps >ps; wc -c; } >actual &&
	echo 20000000 >expect &&
	test_cmp expect actual
'

test_expect_success 'a command that reads little ends all the same' '
	flux exec head -c 5 <big | wc -c >actual &&
	echo 5 >expect &&
	test_cmp expect actual
'

test_expect_success 'what a command leaves behind does not keep its client' '
	flux exec -n sh -c "tail -f /dev/null & echo \$!" >pid &&
	kill $(cat pid)
'

test_expect_success 'the end of a client is that of its command and what that started' '
	{ flux exec -n --label=held sh -c "tail -f /dev/null & echo \$\$ \$!; wait" >pids & } &&
	wait_for 30 test -s pids &&
	running held &&
	kill -9 $! &&
	wait_for 30 gone $(cat pids)
'

test_expect_success 'an interrupt is passed on to the command' '
	{ flux exec -n --label=asked sh -c "trap \"echo asked; exit 4\" TERM; echo up; tail -f /dev/null & wait" >asked 2>err & } &&
	wait_for 30 grep up asked &&
	kill $! &&
	test_expect_code 4 wait $! &&
	grep asked asked
'

test_expect_success 'a background process is listed, followed, signalled and waited for' '
	flux exec --bg --waitable --label=bg sh -c "trap \"echo bye; exit 5\" TERM; echo hello; tail -f /dev/null & wait" >pid &&
	pid=$(sed "s/^0: //" pid) &&
	running bg &&
	test_must_fail flux exec --bg --label=bg true 2>err &&
	grep "command label is not unique" err &&
	wait_for 30 sh -c "flux dmesg | grep \"bg: hello\"" &&
	flux sproc kill 15 bg &&
	test_expect_code 5 flux sproc wait -o bg >actual &&
	printf "hello\nbye\n" >expect &&
	test_cmp expect actual &&
	test_must_fail flux sproc wait $pid 2>err &&
	grep "does not belong to any subprocess" err
'

test_expect_success 'one who attaches sees the rest and the end' '
	mkfifo go &&
	flux exec --bg --label=seen sh -c "cat go; exit 6" &&
	{ flux exec -v --attach seen >actual 2>err & } &&
	wait_for 30 grep "1 started" err &&
	test_must_fail flux exec --attach seen 2>busy &&
	grep "already has a client attached" busy &&
	echo gone >go &&
	test_expect_code 6 wait $! &&
	echo gone >expect &&
	test_cmp expect actual &&
	test_expect_code 127 flux exec --attach seen 2>err
'

test_expect_success 'a stopped command is not one that has ended' '
	flux exec --bg --waitable --label=stopped sh -c "kill -STOP \$\$; exit 7" &&
	{ flux sproc wait stopped & } &&
	running stopped &&
	wait_for 30 flux sproc kill 18 stopped &&
	test_expect_code 7 wait $!
'

test_expect_success 'the broker lists its own commands too' '
	flux start -S ferroflux.personality=minimal flux sproc ps -no "{label}" >actual &&
	grep "^rc2$" actual
'

test_expect_success 'the end of the broker is that of its processes' '
	flux start -S ferroflux.personality=minimal \
		flux exec --bg sh -c "trap : TERM; echo \$\$ >left; while :; do tail -f /dev/null & wait; done" &&
	gone $(cat left)
'

test_done

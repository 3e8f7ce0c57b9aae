#!/bin/sh

test_description='flux exec on the ranks of a tree, and on the nodes of a job

Covers what only several brokers show: targets, how failures are told together, input for
all, output that nobody reads, and interrupts. What the server of one broker does is covered
by the tests of the crate and by t0047.
'

. "$(dirname "$0")/sharness.sh"
test_under_flux 4 minimal -S tbon.topo=kary:2

test_expect_success 'all ranks, some, and all but some' '
	flux exec -n flux getattr rank | sort >actual &&
	printf "%d\n" 0 1 2 3 >expect && test_cmp expect actual &&
	flux exec -n -l -r 1-3 -x 2 flux getattr rank | sort >actual &&
	printf "%d: %d\n" 1 1 3 3 >expect && test_cmp expect actual &&
	on 3 flux exec -n -r 0,2 flux getattr rank | sort >actual &&
	printf "%d\n" 0 2 >expect && test_cmp expect actual &&
	test_expect_code 1 flux exec -n -r 0-4 true 2>err &&
	test_grep "One or more invalid --ranks specified: 4" err &&
	test_expect_code 1 flux exec -n -r 1 -x 1 true 2>err && test_grep "No targets specified" err
'

test_expect_success 'who fails alike is told of together, and the highest code counts' '
	test_expect_code 2 flux exec -n sh -c "exit 2" 2>err && test_grep "\[0-3\]: Exit 2" err &&
	test_expect_code 3 flux exec -n sh -c "exit \$(flux getattr rank)" 2>err &&
	cat >expect <<-\EOS &&
	flux-exec: 1: Exit 1
	flux-exec: 2: Exit 2
	flux-exec: 3: Exit 3
	EOS
	sed "s/^\[*/flux-exec: /; s/^flux-exec: flux-exec/flux-exec/" err | sort >actual && cat actual &&
	test_expect_code 139 flux exec -n sh -c "kill -SEGV \$\$" 2>err &&
	test_grep "\[0-3\]: Segmentation fault" err &&
	test_expect_code 127 flux exec -n /nosuch 2>err && test_grep "No such file or directory" err &&
	test_expect_code 126 flux exec -n /etc/passwd 2>err && test_grep "Permission denied" err
'

test_expect_success 'input goes to all' '
	seq 20000 >numbers && sum=$(cksum <numbers) &&
	flux exec cksum <numbers >actual &&
	for rank in 0 1 2 3; do echo "$sum"; done >expect && test_cmp expect actual
'

# interrupt COMMANDS: runs a command on all ranks that does these and goes on for ever.
interrupt() {
	{ flux exec -n sh -c "$1 echo up; exec tail -f /dev/null" >up 2>err & } && exec_pid=$! &&
	wait_for 20 all_are_up
}

all_are_up() {
	test "$(grep -c up up)" = 4
}

interrupted_says() {
	kill -INT "$exec_pid" && test_grep "$1" err
}

test_expect_success 'an interrupt goes to all, and two in a row leave them' '
	interrupt "" && kill -INT "$exec_pid" && test_expect_code 130 wait "$exec_pid" &&
	test_grep "\[0-3\]: Interrupt" err &&
	interrupt "trap \"\" INT;" && wait_for 20 interrupted_says "\[0-3\]: command still running at exit" &&
	test_expect_code 1 wait "$exec_pid"
'

# The second command writes as much as the first has to, and is read: by then the first
# would have ended, if it had not to wait.
test_expect_success 'output that nobody reads makes a program on another rank wait' '
	mkfifo pipe &&
	write="head -c 20000000 /dev/zero" &&
	{ flux exec -n -r 3 sh -c "$write; echo >written" >pipe & } && exec_pid=$! &&
	exec 9<pipe && head -c 100000 <&9 >begun &&
	flux exec -n -r 3 sh -c "$write" | wc -c >actual && echo 20000000 >expect &&
	test_cmp expect actual && test ! -e written &&
	cat <&9 >rest && exec 9<&- && test_expect_code 0 wait "$exec_pid" &&
	cat begun rest | wc -c >actual && test_cmp expect actual && test -e written
'

test_expect_success 'a process in the background of a rank is found there, and attached to' '
	flux exec -r 2 --bg --label=far sh -c "trap \"echo asked; exit 6\" TERM; tail -f /dev/null & wait" >pid &&
	test_grep "^2: [0-9]*$" pid &&
	test_must_fail flux exec -r 2 --bg --label=far true 2>err &&
	test_grep "command label is not unique" err &&
	test_expect_code 127 flux exec -r 1 --attach far 2>err &&
	test_must_fail flux exec -r 0-1 --attach far 2>err && test_grep "single target rank" err &&
	{ on 3 flux exec -v -r 2 --attach far >out 2>err & } && exec_pid=$! &&
	wait_for 20 test_grep "1 started" err &&
	test_must_fail flux exec -r 2 --attach far 2>busy &&
	test_grep "already has a client attached" busy &&
	flux sproc kill -r 2 15 far && test_expect_code 6 wait "$exec_pid" &&
	echo asked >expect && test_cmp expect out
'

test_expect_success 'ranks of a job are counted from its first, and its shells run the command' '
	cat >job <<-\EOS &&
	id=$(flux submit tail -f /dev/null) &&
	flux job wait-event -t 30 "$id" start >started &&
	flux exec -n -j "$id" sh -c "flux getattr rank; cat /proc/\$PPID/comm" >out &&
	flux exec -n -j "$id" -r 0-1 true 2>out-of-range
	test $? = 1 && flux exec -n -j "$id" -r 0 sh -c "exit 3" 2>failed
	test $? = 3 && flux cancel "$id" && flux job wait-event -t 30 "$id" clean &&
	! flux exec -n -j "$id" true 2>over
	EOS
	flux start sh job && printf "0\nflux-shell\n" >expect && test_cmp expect out &&
	test_grep "One or more invalid --ranks specified: 1" out-of-range &&
	test_grep "0: Exit 3" failed && test_grep "job is not running" over
'

test_done

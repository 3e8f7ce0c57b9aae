#!/bin/sh

test_description='tasks run on terminals, and clients attach to them

Covers what only real terminals can show: sizes, keys, modes that are restored, and clients that
go away. Which message has which answer is covered by the tests of the job shell.
'

. "$(dirname "$0")/sharness.sh"
test_under_flux 2 job
test_pty

# start OPTIONS...: a job whose task 0 waits for a client and then runs a shell; its id.
start() {
	flux submit -o pty.interactive "$@" sh
}

test_expect_success 'a task on a terminal is captured with what it shows' '
	flux run -o pty sh -c "test -t 0 && stty size && echo err >&2" >out 2>err &&
	printf "25 80\r\nerr\r\n" >expect &&
	test_cmp expect out &&
	test_cmp /dev/null err
'

test_expect_success 'what is not captured is shown to nobody' '
	flux run -o pty.capture=0 echo hi >out 2>err &&
	test_cmp /dev/null out
'

test_expect_success 'some tasks may have one, on any node' '
	flux run -N2 -n2 -o pty.ranks=1 --label-io sh -c "test -t 0 && echo yes || echo no" >out &&
	sort out | tr -d "\r" >actual &&
	printf "0: no\n1: yes\n" >expect &&
	test_cmp expect actual
'

test_expect_success 'input comes over the terminal and ends with a key' '
	printf "a\nb" | flux run -o pty sh -c "stty -echo; cat" >out &&
	tr -d "\r" <out >actual &&
	test_grep "^a$" actual &&
	test_grep "^b$" actual
'

test_expect_success 'a wrong option ends the job' '
	test_must_fail flux run -o pty.foo true 2>err &&
	test_grep "FATAL: pty: invalid shell pty option: 1 object item(s) left unpacked: foo" err
'

test_expect_success PYTHON 'a shell on a terminal has our keys, size and exit code' '
	test_expect_code 1 on_pty 30 100 flux run -o pty.interactive sh <<-\EOF >out &&
	send stty size\r
	expect 30 100
	size 40 120
	send \r
	send while test "$(stty size)" != "40 120"; do :; done; echo re""sized\r
	expect resized
	send exit 3\r
	EOF
	test_grep -a "\[detached: session exiting\]" out
'

test_expect_success PYTHON 'keys are signals there and none to us' '
	on_pty 25 80 flux run -o pty.interactive sh <<-\EOF
	send PS1="rea""dy "\r
	expect ready\x20
	send cat\r
	expect cat
	send \x03
	expect ready\x20
	send echo a""live; exit\r
	expect alive
	EOF
'

test_expect_success PYTHON 'who detaches can attach again, and others meanwhile' '
	id=$(start) &&
	on_pty 25 80 flux job attach $id <<-\EOF >out &&
	send X=42; echo o""k\r
	expect ok
	send \x1d
	expect [detached: Client requested detach]
	EOF
	on_pty 25 80 flux job attach $id <<-\EOF &&
	send echo X is $X\r
	expect X is 42
	send exit\r
	EOF
	flux job wait-event -t 30 $id clean
'

test_expect_success PYTHON 'a terminal that goes away leaves the job alone' '
	id=$(start) &&
	test_expect_code 1 on_pty 25 80 flux job attach $id <<-\EOF &&
	send echo o""k\r
	expect ok
	hangup
	EOF
	on_pty 25 80 flux job attach $id <<-\EOF
	send echo still; exit\r
	expect still
	EOF
'

test_expect_success PYTHON 'a client that is killed leaves nothing behind' '
	id=$(start) &&
	test_expect_code 137 on_pty 25 80 flux job attach $id <<-\EOF &&
	send echo o""k\r
	expect ok
	signal SIGKILL
	EOF
	on_pty 25 80 flux job attach $id <<-\EOF
	send echo still; exit\r
	expect still
	EOF
'

test_expect_success PYTHON 'the terminal is as it was when a signal ends us' '
	id=$(start) &&
	test_expect_code 131 on_pty 25 80 flux job attach $id <<-\EOF &&
	send echo o""k\r
	expect ok
	signal SIGQUIT
	EOF
	flux cancel $id &&
	flux job wait-event -t 30 $id clean
'

test_expect_success PYTHON 'and as long as we are stopped' '
	id=$(start) &&
	on_pty 25 80 flux job attach $id <<-\EOF
	send echo o""k\r
	expect ok
	modes raw
	signal SIGTSTP
	modes same
	signal SIGCONT
	modes raw
	send exit\r
	EOF
'

test_expect_success PYTHON 'a shell that is gone is a failure' '
	id=$(start) &&
	test_expect_code 1 on_pty 25 80 flux job attach $id <<-\EOF >out &&
	send kill -9 $PPID\r
	expect detached
	EOF
	test_grep -a "\[detached: remote pty disappeared\]" out
'

test_expect_success PYTHON 'an interactive terminal may be captured, and is shown once' '
	on_pty 25 80 flux run -o pty.interactive -o pty.capture=1 sh -c "stty -echo; read x; echo h\$x" \
		<<-\EOF >out &&
	send ello\r
	expect hello
	EOF
	test "$(grep -ac hello out)" = 1 &&
	flux job attach $(flux job last) >out &&
	test_grep hello out
'

test_expect_success 'who only looks on cannot have a terminal' '
	id=$(start) &&
	test_must_fail flux job attach --read-only $id 2>err &&
	test_grep "Cannot connect to pty in readonly mode" err &&
	flux cancel $id &&
	flux job wait-event -t 30 $id clean
'

test_expect_success 'a job waits for its first client after its task has ended' '
	id=$(flux submit -o pty.interactive echo hi) &&
	flux job wait-event -t 30 -p exec $id shell.task-exit &&
	test_must_fail flux job wait-event -t 0.2 $id finish &&
	flux job attach $id </dev/null >out &&
	test_grep hi out
'

test_done

#!/bin/sh

test_description='flux terminus: sessions of a server of our own

Covers the server as a process: it comes with the first session, outlives the terminal that it was
started from, and goes with the last one. What a session answers is covered by the tests of the job
shell, which has the same ones.
'

. "$(dirname "$0")/sharness.sh"
test_under_flux 1 job
test_pty

service=$(id -u)-terminus

test_expect_success 'without a server there is nothing to list, attach to or kill' '
	for verb in list "kill 0" kill-server
	do
		test_expect_code 1 flux terminus $verb 2>err &&
		test_grep "no server running at $service" err || return 1
	done &&
	test_expect_code 1 flux terminus kill 0 2>err &&
	echo "flux-terminus: kill: no server running at $service" >expect &&
	test_cmp expect err &&
	test_expect_code 1 flux terminus attach 0 2>err &&
	echo "flux-terminus: Invalid session or server at $service.0" >expect &&
	test_cmp expect err
'

test_expect_success 'sessions are not nested' '
	for verb in start "attach 0"
	do
		test_expect_code 1 env FLUX_TERMINUS_SESSION=0 flux terminus $verb 2>err &&
		echo "flux-terminus: Nesting flux-terminus sessions not supported" >expect &&
		test_cmp expect err || return 1
	done
'

test_expect_success 'the first session brings a server, and sessions are numbered' '
	flux terminus start -d sh -c "stty size >size; read x; exit 3" &&
	flux terminus start -d -n other cat &&
	flux terminus list >out &&
	sed "s/since .*/since DATE/; s/created .*)/created DATE)/" out >actual &&
	cat >expect <<-EOF &&
	server at $service running on rank 0 since DATE
	2 current sessions:
	0: [sh] 0 clients (created DATE)
	1: [other] 0 clients (created DATE)
	EOF
	test_cmp expect actual
'

test_expect_success 'input by a pipe is typed' '
	# The session may end before we have left it.
	{ echo go | flux terminus attach -p 0 || test $? = 3; } &&
	wait_for 30 sh -c "! flux terminus list | grep -q ^0:" &&
	echo 25 80 >expect &&
	test_cmp expect size
'

test_expect_success 'a session that is killed is gone, and the number is free' '
	flux terminus start -d cat &&
	flux terminus kill 0 &&
	flux terminus list >out &&
	test_grep "1 current session:" out &&
	test_must_fail grep ^0: out &&
	test_must_fail flux terminus kill 7
'

test_expect_success 'the server ends with its last session, and all of them with it' '
	flux terminus kill-server &&
	wait_for 30 gone "flux-terminus-serve[r] $service" &&
	test_must_fail flux terminus list
'

test_expect_success 'who waits ends as the session does' '
	test_expect_code 3 flux terminus start -d -w sh -c "exit 3" &&
	test_expect_code 143 flux terminus start -d -w sh -c "kill -TERM \$\$"
'

test_expect_success PYTHON 'a session has our terminal, and its end is ours' '
	test_expect_code 7 on_pty 30 100 flux terminus start sh <<-\EOF >out &&
	send stty size; echo $FLUX_TERMINUS_SESSION.\r
	expect 30 100
	expect 0.
	send exit 7\r
	EOF
	test_grep -a "\[detached: session exiting\]" out
'

test_expect_success PYTHON 'it outlives the terminal that it was started from' '
	test_expect_code 129 on_pty 25 80 flux terminus start sh <<-\EOF &&
	send X=1; echo o""k\r
	expect ok
	hangup
	EOF
	on_pty 25 80 flux terminus attach 0 <<-\EOF &&
	send echo X is $X\r
	expect X is 1
	send \x1d
	expect [detached: Client requested detach]
	EOF
	flux terminus kill-server
'

test_expect_success 'a job has sessions of its own' '
	id=$(flux submit -o pty cat) &&
	flux job wait-event -t 30 -p exec $id shell.start &&
	service=$(id -u)-shell-$(flux job id --to=f58plain $id).terminus &&
	flux terminus list -s $service >out &&
	test_grep "server at $service running on rank 0" out &&
	test_grep "^0: \[task0\] 0 clients" out &&
	flux terminus kill -s $service 0 &&
	test_expect_code 137 flux job attach $id
'

test_done

#!/bin/sh

test_description='users of the instance do not see that modules are killed

Covers what only real processes and commands show: each module in turn is killed with
SIGKILL, 60 times in all, beside loops of commands. No command fails, what each has asked
for is done once, and what is followed is followed to its end. What a module must remember
for that is covered by its own tests.
'

. "$(dirname "$0")/sharness.sh"
test_under_flux 1 full

# again_and_again NAME COMMAND...: COMMAND with the number of the round as $1, until the
# file `enough` appears. Rounds that failed go to `failed`, their number to NAME.rounds.
again_and_again() {
	name=$1 round=0
	shift
	while test ! -e enough
	do
		round=$((round + 1))
		sh -c "$*" command $round >>$name.out 2>$name.err ||
			{ echo "$name round $round: $(cat $name.err)" >>failed; }
	done
	echo $round >$name.rounds
}

# kill_in_turn N MODULE...: kills each module N times and waits for its successor.
kill_in_turn() {
	left=$1
	shift
	while test $left -gt 0
	do
		left=$((left - 1))
		for module in "$@"
		do
			pkill -KILL -P "$broker" -f "flux-module-$module\$" &&
				echo $module >>kills
			flux ping --count=1 $module >ping.log 2>&1
		done
	done
}

# under_fire: runs the loops until every module was killed six times, and follows what
# ends only then.
under_fire() {
	>failed && >kills
	flux kvs get --watch --append --raw log >followed 2>follow.err &
	follower=$!
	flux job attach $(cat waiting) >attached 2>attach.err &
	children=$!
	flux job wait-event $(cat waiting) clean >waited 2>wait.err &
	children="$children $!"
	flux job eventlog --follow $(cat waiting) >events 2>events.err &
	children="$children $!"
	again_and_again append "flux kvs put --append log=\$1," &
	children="$children $!"
	again_and_again submit "flux submit true" &
	children="$children $!"
	again_and_again run "flux run echo \$1" &
	children="$children $!"
	again_and_again look "flux jobs -a && flux kvs ls && flux resource list" &
	children="$children $!"
	kill_in_turn 6 kvs job-ingest job-manager content job-list job-info \
		kvs-watch sched-simple job-exec resource
	>enough
	echo end >fifo
	wait $children
}

# followed_all: whether the follower has shown the value that is there.
followed_all() {
	tr -d "\n" <followed >shown &&
	tr -d "\n" <expect | cmp -s - shown
}

test_expect_success 'a job waits for its end, and a key for more' '
	mkfifo fifo &&
	flux kvs put log= &&
	flux submit --job-name=waits sh -c "read line <$PWD/fifo; echo \$line" >waiting
'

test_expect_success 'commands run while each module is killed in turn' '
	broker=$(flux getattr broker.pid) &&
	under_fire &&
	test "$(wc -l <kills)" -ge 50
'

test_expect_success 'none of them failed' '
	test_cmp /dev/null failed
'

test_expect_success 'each append is there once, and was followed' '
	seq -s, "$(cat append.rounds)" | sed "s/\$/,/" >expect &&
	flux kvs get log >actual &&
	test_cmp expect actual &&
	wait_for 30 followed_all &&
	test_cmp /dev/null follow.err &&
	kill "$follower"
'

test_expect_success 'a job that was followed was followed to its end' '
	echo end >expect &&
	test_cmp expect attached &&
	grep clean waited &&
	flux job eventlog "$(cat waiting)" >expect &&
	test_cmp expect events &&
	cat attach.err wait.err events.err >complaints &&
	test_cmp /dev/null complaints
'

test_expect_success 'each job is there once' '
	flux queue drain &&
	flux jobs -nac0 -o "{name} {id.f58}" | grep "^true " | sort >listed &&
	sed "s/^/true /" submit.out | sort >acknowledged &&
	test "$(wc -l <acknowledged)" = "$(cat submit.rounds)" &&
	test_cmp acknowledged listed &&
	test "$(flux jobs -nac0 -o "{name}" | grep -c "^echo\$")" = "$(cat run.rounds)"
'

test_expect_success 'no job has failed' '
	flux jobs -nac0 -o "{id.f58} {result}" >results &&
	test -s results &&
	! grep -v " COMPLETED\$" results
'

test_expect_success 'each run has shown its output once' '
	seq "$(cat run.rounds)" >expect &&
	test_cmp expect run.out
'

test_done

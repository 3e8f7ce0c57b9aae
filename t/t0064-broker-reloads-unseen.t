#!/bin/sh

test_description='users of the instance do not see that modules are reloaded

Covers what only real processes and commands show: modules are reloaded one after the other
beside loops of commands. No command fails, and what each has asked for is done once. Which
requests wait, and what is said when the module does not come back, is covered by tests of
the broker.
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

# reload_in_turn N MODULE...: reloads each module N times.
reload_in_turn() {
	left=$1
	shift
	while test $left -gt 0
	do
		left=$((left - 1))
		for module in "$@"
		do
			flux module reload $module && echo $module >>reloads
		done
	done
}

# reload_under_load: runs the loops until every module was reloaded three times, and follows
# what ends only then.
reload_under_load() {
	>failed && >reloads
	flux kvs get --watch --append --raw log >followed 2>follow.err &
	follower=$!
	flux job attach $(cat waiting) >attached 2>attach.err &
	children=$!
	again_and_again append "flux kvs put --append log=\$1," &
	children="$children $!"
	again_and_again submit "flux submit true" &
	children="$children $!"
	again_and_again run "flux run echo \$1" &
	children="$children $!"
	again_and_again look "flux jobs -a && flux kvs ls && flux resource list" &
	children="$children $!"
	reload_in_turn 3 job-manager job-list sched-simple job-exec kvs job-ingest content \
		job-info kvs-watch resource
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

test_expect_success 'commands run while each module is reloaded in turn' '
	reload_under_load &&
	test "$(wc -l <reloads)" = 30
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
	test_cmp /dev/null attach.err
'

test_expect_success 'each job is there once and has not failed' '
	flux queue drain &&
	flux jobs -nac0 -o "{name} {id.f58}" | grep "^true " | sort >listed &&
	sed "s/^/true /" submit.out | sort >acknowledged &&
	test "$(wc -l <acknowledged)" = "$(cat submit.rounds)" &&
	test_cmp acknowledged listed &&
	flux jobs -nac0 -o "{id.f58} {result}" >results &&
	test -s results &&
	test_must_fail grep -v " COMPLETED\$" results
'

test_expect_success 'each run has shown its output once' '
	seq "$(cat run.rounds)" >expect &&
	test_cmp expect run.out
'

test_expect_success 'a module that cannot be loaded again is not waited for' '
	test_must_fail flux module reload heartbeat --no-such-option 2>err &&
	test_must_fail flux ping --count=1 heartbeat &&
	flux module load heartbeat &&
	flux ping --count=1 heartbeat
'

test_done

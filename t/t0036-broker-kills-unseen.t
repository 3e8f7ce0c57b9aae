#!/bin/sh

test_description='whoever uses the instance does not see that modules are killed

Covers what only real processes and commands show: each module in turn is killed with
SIGKILL, 60 times in all, beside loops of commands. No command fails, and what each has
asked for is done once. What a module must remember for that is covered by its tests.
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

# under_fire: runs the loops until every module was killed six times.
under_fire() {
	>failed && >kills
	again_and_again append "flux kvs put --append log=\$1," &
	again_and_again submit "flux submit true" &
	again_and_again run "flux run echo \$1" &
	again_and_again look "flux jobs -a && flux kvs ls && flux resource list" &
	kill_in_turn 6 kvs job-ingest job-manager content job-list job-info \
		kvs-watch sched-simple job-exec resource
	>enough
	wait
}

test_expect_success 'commands run while each module is killed in turn' '
	broker=$(flux getattr broker.pid) &&
	under_fire &&
	test "$(wc -l <kills)" -ge 50
'

test_expect_success 'none of them failed' '
	test_cmp /dev/null failed
'

test_expect_success 'each append is there once' '
	seq -s, "$(cat append.rounds)" | sed "s/\$/,/" >expect &&
	flux kvs get log >actual &&
	test_cmp expect actual
'

test_expect_success 'each job is there once, and all have run' '
	flux queue drain &&
	flux jobs -nac0 -o "{name} {id.f58}" | grep "^true " | sort >listed &&
	sed "s/^/true /" submit.out | sort >acknowledged &&
	test "$(wc -l <acknowledged)" = "$(cat submit.rounds)" &&
	test_cmp acknowledged listed &&
	test "$(flux jobs -nac0 -o "{name}" | grep -c "^echo\$")" = "$(cat run.rounds)" &&
	flux jobs -nac0 -o "{result}" | sort -u >results &&
	echo COMPLETED >expect &&
	test_cmp expect results
'

test_expect_success 'each run has shown its output once' '
	seq "$(cat run.rounds)" >expect &&
	test_cmp expect run.out
'

test_done

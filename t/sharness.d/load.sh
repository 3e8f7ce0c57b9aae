# load.sh: loops of commands beside an instance to which something is done meanwhile. No
# command may fail, and what each has asked for must be there once.

# test_again_and_again NAME COMMAND...: COMMAND with the number of the round as $1, until the
# file `enough` appears. Rounds that failed go to `failed`, their number to NAME.rounds.
test_again_and_again() {
	test__name=$1 test__round=0
	shift
	while test ! -e enough
	do
		test__round=$((test__round + 1))
		sh -c "$*" command $test__round >>$test__name.out 2>$test__name.err ||
			{ echo "$test__name round $test__round: $(cat $test__name.err)" >>failed; }
	done
	echo $test__round >$test__name.rounds
}

# test_begin_load: submits a job that waits for a line in `fifo`, its id to `waiting`; follows
# its output and the key `log`, and begins the loops.
test_begin_load() {
	mkfifo fifo && >failed && flux kvs put log= &&
	flux submit --job-name=waits sh -c "read line <$PWD/fifo; echo \$line" >waiting || return
	flux kvs get --watch --append --raw log >followed 2>follow.err &
	test__follower=$!
	flux job attach $(cat waiting) >attached 2>attach.err &
	test__loops=$!
	test_again_and_again append "flux kvs put --append log=\$1," &
	test__loops="$test__loops $!"
	test_again_and_again submit "flux submit true" &
	test__loops="$test__loops $!"
	test_again_and_again run "flux run echo \$1" &
	test__loops="$test__loops $!"
	test_again_and_again look "flux jobs -a && flux kvs ls && flux resource list" &
	test__loops="$test__loops $!"
}

# test_end_load: ends the loops, and the job.
test_end_load() {
	>enough
	echo end >fifo
	wait $test__loops
}

test__followed_all() {
	tr -d "\n" <followed >shown &&
	tr -d "\n" <expect | cmp -s - shown
}

# test_load_unseen: whether no command has failed, and all that was asked for is there once.
test_load_unseen() {
	test_cmp /dev/null failed &&
	seq -s, "$(cat append.rounds)" | sed "s/\$/,/" >expect &&
	flux kvs get log >actual &&
	test_cmp expect actual &&
	wait_for 30 test__followed_all &&
	test_cmp /dev/null follow.err &&
	kill "$test__follower" &&
	echo end >expect &&
	test_cmp expect attached &&
	test_cmp /dev/null attach.err &&
	flux queue drain &&
	flux jobs -nac0 -o "{name} {id.f58}" | grep "^true " | sort >listed &&
	sed "s/^/true /" submit.out | sort >acknowledged &&
	test "$(wc -l <acknowledged)" = "$(cat submit.rounds)" &&
	test_cmp acknowledged listed &&
	test "$(flux jobs -nac0 -o "{name}" | grep -c "^echo\$")" = "$(cat run.rounds)" &&
	flux jobs -nac0 -o "{id.f58} {result}" >results &&
	test -s results &&
	test_must_fail grep -v " COMPLETED\$" results &&
	seq "$(cat run.rounds)" >expect &&
	test_cmp expect run.out
}

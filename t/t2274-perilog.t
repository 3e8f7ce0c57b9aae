#!/bin/sh

test_description='prolog and epilog run around jobs, as doc/admin.md shows

Runs the example of that page, with its paths put below the folder of the test: real processes
on several ranks, drained nodes, a cancel, and a job manager that is killed. The order of
events and each way to end are covered by the tests of job-manager.
'

. "$(dirname "$0")/sharness.sh"
test_under_flux 2 job

doc=${TEST_DIRECTORY:-$(cd "$(dirname "$0")" && pwd)}/../doc/admin.md

# example: the files of the page.
example() {
	mkdir -p etc/flux/system/conf.d &&
	awk -v here="$PWD" '
	/^`\/etc.*`:$/ { file = here substr($0, 2, length($0) - 3); next }
	/^```/ && file != "" && !inside { inside = 1; next }
	/^```/ { inside = 0; file = ""; next }
	inside { gsub("/etc/flux", here "/etc/flux"); print >file }
	' "$doc" &&
	chmod +x etc/flux/system/prolog etc/flux/system/epilog etc/flux/system/housekeeping
}

# events ID: the names of its events from alloc on.
events() {
	flux job eventlog -f json "$1" | sed -n "s/.*\"name\":\"\([a-z-]*\)\".*/\1/p" |
		sed -n "/^alloc/,\$p" | tr "\n" " "
}

drained() {
	flux resource drain -no "{ranks} {reason}"
}

kill_manager() {
	kill -9 "$(pgrep -P "$(flux getattr broker.pid)" -f flux-module-job-manager\$)"
}

test_expect_success 'the example of the page is taken' '
	example &&
	flux config load etc/flux/system/conf.d &&
	flux dmesg >log &&
	test_grep "\[job-manager.prolog\] does nothing: the policy perilog is not loaded" log &&
	flux module reload job-manager
'

test_expect_success 'a job has its scratch space between prolog and epilog' '
	flux run -N2 -n2 sh -c "test -d $PWD/etc/flux/scratch/\$FLUX_JOB_ID" &&
	id=$(flux job last) &&
	wait_state "$id" inactive &&
	test ! -e "etc/flux/scratch/$id" &&
	events "$id" >actual &&
	test_grep "^alloc prolog-start prolog-finish start finish epilog-start .*epilog-finish free clean" actual &&
	flux dmesg >log &&
	test_grep "$id: prolog: .* (rank 1): stdout: node is ready" log &&
	test_must_fail grep "debug: scratch" log &&
	test -z "$(drained)"
'

test_expect_success 'housekeeping takes a node out of use' '
	flux run --requires=rank:1 rm -rf "$PWD/etc/flux/scratch" &&
	wait_for 30 sh -c "flux resource drain -no {ranks} | grep 1" &&
	test "$(drained)" = "1 scratch space is lost" &&
	flux resource undrain 1
'

test_expect_success 'a prolog that fails ends the job and drains its node' '
	rm -rf etc/flux/scratch && touch etc/flux/scratch &&
	test_expect_code 1 flux run --requires=rank:1 -n1 true 2>err &&
	test_grep "prolog exited with code=1 on .* (rank 1)" err &&
	id=$(flux job last) &&
	wait_state "$id" inactive &&
	events "$id" >actual &&
	test_grep "^alloc prolog-start exception epilog-start prolog-finish epilog-finish free clean" actual &&
	drained >actual &&
	echo "1 prolog failed for job $id" >expect &&
	test_cmp expect actual &&
	rm etc/flux/scratch &&
	flux resource undrain 1
'

# slow: a prolog that waits for its gate.
mkfifo gate
cat >slow <<EOF2
#!/bin/sh
echo "\$FLUX_JOB_ID" >>"$PWD/begun"
read -r code <"$PWD/gate"
exit \$code
EOF2
chmod +x slow

# begun N: whether the prolog was started N times.
begun() {
	test -e begun && test "$(wc -l <begun)" -eq "$1"
}

test_expect_success 'a cancel ends the prolog, and nothing is drained' '
	flux config unset job-manager.housekeeping &&
	flux config set job-manager.prolog "{\"command\":[\"$PWD/slow\"]}" &&
	flux submit true >id &&
	wait_for 30 begun 1 &&
	flux cancel "$(cat id)" &&
	wait_state "$(cat id)" inactive &&
	events "$(cat id)" >actual &&
	test_grep "^alloc prolog-start exception epilog-start prolog-finish epilog-finish free clean" actual &&
	test -z "$(drained)"
'

test_expect_success 'the prolog is run again when the job manager was killed' '
	rm begun &&
	flux submit true >id &&
	wait_for 30 begun 1 &&
	kill_manager &&
	wait_for 30 begun 2 &&
	echo 0 >gate &&
	wait_state "$(cat id)" inactive &&
	events "$(cat id)" >actual &&
	test_grep "^alloc prolog-start prolog-finish start finish epilog-start .*clean" actual
'

test_expect_success 'one that takes too long is ended' '
	flux config set job-manager.prolog "{\"command\":[\"$PWD/slow\"],\"timeout\":\"0.1s\"}" &&
	test_expect_code 1 flux run true 2>err &&
	test_grep "prolog timed out on unknown (rank (null))" err
'

test_expect_success 'settings that are wrong are named, and the old ones stay' '
	test_expect_code 1 flux config set job-manager.prolog.timeout soon 2>err &&
	test_grep "\[job-manager.prolog\]: invalid prolog timeout" err &&
	test_expect_code 1 flux config set job-manager.prolog.foo 1 2>err &&
	test_grep "job-manager.prolog.foo: unknown key" err &&
	flux config get job-manager.prolog.timeout >actual &&
	echo "\"0.1s\"" >expect &&
	test_cmp expect actual &&
	flux config unset job-manager.prolog &&
	flux config unset job-manager.epilog &&
	flux run true
'

test_done

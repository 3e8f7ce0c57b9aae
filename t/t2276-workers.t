#!/bin/sh

test_description='workers of a site outlive their server and the broker, as the howto has them to copy

Who has which task, and what is refused, is in the tests of the table in crates/node.
'

. "$(dirname "$0")/sharness.sh"
test_need_flux

page=$TEST_HARNESS_DIR/../doc/howto/write-a-worker.md
folder=$(dirname "$(command -v flux)")/examples
mkdir state

# block LANGUAGE N: the Nth example of the page in this language.
block() {
	awk -v open="\`\`\`$1" -v n="$2" '$0 == open { inside = ++count == n; next } /^```/ { inside = 0 } inside' "$page"
}

# here N: the Nth command of the page, with the programs where they are here.
here() {
	block sh $1 | sed "s,target/release/examples,$folder,"
}

for n in 1 2 3; do here $n >step.$n; done

# What commands inside an instance use of the harness.
sed -n "/^wait_for() {/,/^}/p" "$TEST_HARNESS_DIR/sharness.d/flux.sh" >functions
cat >>functions <<\EOF
is_held_twice() {
	test "$(wc -l <held)" -ge 2
}
is_recorded() {
	flux orphans | grep rigs.complete
}
EOF

# instance COMMANDS: runs them in an instance that keeps its state in `state`.
instance() {
	printf ". ./functions\n%s\n" "$1" >story
	flux start -Sstatedir="$PWD/state" -Srundir="$PWD/run" sh -e story
}
mkdir run

test_expect_success 'the page shows the programs that run here' '
	block rust 1 >server.rs &&
	block rust 2 >worker.rs &&
	test_cmp "$TEST_HARNESS_DIR/../modules/heartbeat/examples/rig_server.rs" server.rs &&
	test_cmp "$TEST_HARNESS_DIR/../crates/cli/examples/rig_worker.rs" worker.rs
'

test_expect_success 'a worker takes runs and says what came of them' '
	instance ". ./step.1; . ./step.2; echo \$! >worker.pid; . ./step.3
		kill \$(cat worker.pid)" >actual &&
	cat >expect <<-\EOF &&
	boot {"rig":"rig-7","code":0}
	power-on {"rig":"rig-7","code":0}
	EOF
	test_cmp expect actual
'

test_expect_success 'a worker outlives its server and the broker' '
	mkfifo gate &&
	test_expect_code 137 instance ". ./step.1
		$folder/rig_worker rig-8 2>worker.err & echo \$! >worker.pid
		$folder/rig_runs long=\"echo begun >>$PWD/marks; read line <$PWD/gate\" &
		wait_for 30 test -e marks
		pkill -KILL -P \$(flux getattr broker.pid) rig_server
		flux ping --count=1 rigs
		kill -KILL \$(flux getattr broker.pid)" >out 2>&1 &&
	kill -0 "$(cat worker.pid)" &&
	echo go >gate &&
	instance ". ./step.1; $folder/rig_runs long=again last=true" >actual &&
	cat >expect <<-\EOF &&
	last {"rig":"rig-8","code":0}
	long {"rig":"rig-8","code":0}
	EOF
	test_cmp expect actual &&
	echo begun >expect &&
	test_cmp expect marks &&
	kill "$(cat worker.pid)"
'

test_expect_success 'what a worker says that was replaced is recorded' '
	instance ". ./step.1
		$folder/rig_worker rig-9 2>worker.err & echo \$! >worker.pid
		$folder/rig_runs held=\"echo >>$PWD/held; read line <$PWD/gate || :\" >held.out &
		wait_for 30 test -e held
		$folder/rig_worker rig-9 2>other.err & echo \$! >other.pid
		wait_for 30 is_held_twice
		echo go >gate
		wait_for 30 test -s held.out
		wait_for 30 is_recorded
		flux orphans
		kill \$(cat other.pid)" >orphans &&
	test_grep taken-over orphans &&
	test_grep "another worker has taken over" worker.err
'

test_done

#!/bin/sh

test_description='jobs outlive the broker where its state outlives it

Covers kill -9 of real brokers under running jobs, each followed by a new broker on the same
statedir, in a rundir of its own: a job runs once, its output is complete, its outcome is
told. A job whose shell has died as well is told apart.
'

. "$(dirname "$0")/sharness.sh"
test_need_flux
mkdir state

# The broker is killed when the commands have said `killed`, which is the last of them.
cat >functions <<'EOS'
killed() {
	kill -KILL $(flux getattr broker.pid)
}
submitted() {
	flux submit "$@" >id &&
	flux job wait-event --quiet -p exec $(cat id) shell.start
}
EOS

# instance COMMANDS: runs them in an instance that keeps its state in `state`.
instance() {
	printf ". ./functions\n%s\n" "$1" >story
	flux start -Sstatedir="$PWD/state" --config-path="$PWD/conf" sh -e story
}

# crash COMMANDS: the same when the commands kill the broker.
crash() {
	test_expect_code 137 instance "$1
killed" >crash.out 2>&1
}

# count_up: a job that writes the numbers up to 300, a third of them at a time, and goes on
# when it is told to through the pipe `gate`. It ends with 5.
cat >count-up <<'EOF'
#!/bin/sh
echo once >>begun
seq 100
read go <gate
seq 101 200
read go <gate
seq 201 300
echo over >gate
exit 5
EOF
chmod +x count-up
mkfifo gate
mkdir conf

test_expect_success 'a job outlives two brokers, and is asked for its end at the third' '
	crash "submitted ./count-up" &&
	echo go >gate &&
	crash "flux job wait-event -p output --match-context=stream=stdout --count=2 $(cat id) data" &&
	echo go >gate &&
	read over <gate &&
	seq 300 >expect &&
	test_expect_code 5 instance "flux job attach $(cat id)" >actual &&
	test_cmp expect actual &&
	test "$(cat begun)" = once
'

test_expect_success 'its log says so' '
	instance "flux job eventlog -p exec $(cat id)" >log &&
	test "$(grep -c " reattach$" log)" -ge 1 &&
	test "$(grep -c " shell.start " log)" = 1 &&
	test "$(grep -c " complete status=1280$" log)" = 1
'

test_expect_success 'a job whose shell died too has failed, and the reason is told' '
	crash "submitted tail -f /dev/null" &&
	shell=$(pgrep -f "flux-shell $(flux job id $(cat id))\$") &&
	pkill -KILL -P "$shell" &&
	kill -KILL "$shell" &&
	instance "flux job wait-event $(cat id) clean >event; flux job eventlog $(cat id)" >log &&
	test_grep "exception type=\"exec\" severity=0 note=\"job is not recoverable" log &&
	test "$(grep -c " clean$" log)" = 1
'

test_expect_success 'a job that still runs can be cancelled' '
	crash "submitted tail -f /dev/null" &&
	instance "flux cancel $(cat id); flux job wait-event $(cat id) clean >event
		flux job eventlog $(cat id)" >log &&
	test_grep "exception type=\"cancel\"" log &&
	test_must_fail grep "not recoverable" log
'

# stops_when NAME WHAT: a job that says in NAME how it ends, with this on-lost-server.
cat >stops-when <<'EOF'
#!/bin/sh
trap "echo stopped >$1; exit 1" TERM
echo $$ >$1.pid
read go <gate.$1 &
wait $!
echo over >$1
EOF
chmod +x stops-when
mkfifo gate.stop gate.run

test_expect_success 'when the lease is over, a job ends that is to, and another runs on' '
	printf "[exec]\nlease = \"100ms\"\n" >conf/exec.toml &&
	crash "submitted --setattr=system.on-lost-server=stop ./stops-when stop; cp id stop.id
		submitted --setattr=system.on-lost-server=run ./stops-when run; cp id run.id" &&
	wait_for 20 test -e stop &&
	echo stopped >expect &&
	test_cmp expect stop &&
	test_must_fail test -e run &&
	instance "echo go >gate.run; flux job attach $(cat run.id); flux jobs -ano {status}" >actual &&
	test_cmp run - <<-\EOF &&
	over
	EOF
	test_grep COMPLETED actual
'

test_expect_success 'the job that was ended has failed, and the reason is told' '
	instance "flux job eventlog $(cat stop.id)" >log &&
	test_grep "exception type=\"exec\" severity=0 note=\"job is not recoverable" log
'

test_expect_success 'a word that means neither is refused' '
	test_must_fail instance "flux submit --setattr=system.on-lost-server=wait true" 2>err &&
	test_grep "attributes.system.on-lost-server must be run or stop" err
'

test_done

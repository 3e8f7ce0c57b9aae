#!/bin/sh

test_description='a job that was acknowledged outlives every kind of kill, and runs once

Covers real processes: modules killed in turn under the commands that submit jobs, wait
for them and print what they print, none of which may notice; then the broker, and a
new instance on the same state directory. cargo xtask crash does the same for longer,
with raw calls and every stream.
'

. "$(dirname "$0")/sharness.sh"
test_need_flux

# instance COMMAND...: runs it in an instance that keeps its state in `state`.
instance() {
	flux start -Sstatedir="$PWD/state" "$@"
}
mkdir state

# task N: leaves a mark, writes to both streams, and ends with N modulo 3.
cat >task <<'EOS'
echo $1 >>marks
seq $1 $(($1 + 300))
echo "complaint $1" >&2
exit $(($1 % 3))
EOS

# Kills the modules in turn, each when the one before it is back, until `enough` appears.
test_script_kill_in_turn

# ends_as N COMMAND...: COMMAND prints what task N prints, and ends as it does.
cat >functions <<'EOS'
ends_as() {
	n=$1
	shift
	"$@" >out 2>err
	code=$?
	seq $n $((n + 300)) >expect
	test $code = $((n % 3)) && cmp expect out &&
		test "$(head -n 1 err)" = "complaint $n"
}
EOS

# work FROM TO: submits tasks and waits for each in one of several ways. Acknowledged
# jobs go to `jobs`, complaints to `wrong`.
cat >work <<'EOS'
. ./functions
for i in $(seq $1 $2)
do
	if test $((i % 4)) = 0
	then
		ends_as $i flux run sh task $i || echo "run $i: $code $(cat err)" >>wrong
		continue
	fi
	id=$(flux submit sh task $i 2>err) || echo "submit $i: $(cat err)" >>wrong
	echo $i $id >>jobs
	case $((i % 4)) in
	1) ends_as $i flux job attach $id || echo "attach $i: $code $(cat err)" >>wrong ;;
	2) flux job wait-event $id clean >event 2>err ||
		echo "wait-event $i: $(cat err)" >>wrong ;;
	esac
done
:
EOS

# The broker is killed with a job that runs and a job that is held.
cat >story <<'EOS'
set -e
sh kill-in-turn job-exec job-manager kvs job-info job-ingest job-list content \
	kvs-watch sched-simple resource &
sh work 1 16
touch enough
wait $!
flux queue drain
flux submit tail -f /dev/null >running
flux job wait-event "$(cat running)" start >event
flux submit --urgency=hold sh task 50 >held
kill -KILL $(flux getattr broker.pid)
EOS

# Everything acknowledged is there, and did once what it was to do.
cat >check <<'EOS'
. ./functions
while read n id
do
	ends_as $n flux job attach $id || exit 1
done <jobs
sort -n marks >sorted
sort -n -u marks >once
cmp once sorted
EOS

test_expect_success 'modules are killed under the commands, which do not notice' '
	>jobs && >wrong && >marks &&
	test_expect_code 137 instance sh story >story.out 2>&1 &&
	test "$(cat kills)" -ge 10 &&
	test_cmp /dev/null wrong &&
	seq 1 16 >expect &&
	sort -n marks >actual &&
	test_cmp expect actual
'

test_expect_success 'what was acknowledged is there in a new instance' '
	instance sh check
'

test_expect_success 'a job that ran under the broker runs on and has one end, and the held one runs' '
	cat >more <<-\EOF &&
	set -e
	flux job wait-event "$(cat running)" clean >event
	flux job eventlog "$(cat running)" >log
	flux job urgency "$(cat held)" default
	flux job wait-event "$(cat held)" clean >event
	echo 50 "$(cat held)" >>jobs
	sh check
	EOF
	instance sh more &&
	test_grep "exception type=\"cancel\" severity=0" log &&
	test_must_fail grep "not recoverable" log &&
	test "$(grep -c " clean$" log)" = 1 &&
	test "$(grep -c "^50$" marks)" = 1
'

test_done

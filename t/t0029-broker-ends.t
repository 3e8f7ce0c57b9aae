#!/bin/sh

test_description='an instance ends in order, by anything that tells it to end

Covers rc scripts, signals to the broker, flux shutdown, and what is logged on the way.
That nothing is left behind is covered by t0021.
'

. "$(dirname "$0")/sharness.sh"
test_need_flux

# A socket path must be short.
sock=$(mktemp -u /tmp/flux-ends-XXXXXX)

# begin OPTION...: a broker without a program, run directly, in the background. Its
# standard error goes to err, its pid is in broker.
begin() {
	# Or what the one before said would be taken for this one's.
	rm -f err
	flux broker -Sbroker.rc2_none -Slocal-uri=local://$sock -Slog-stderr-level=6 "$@" 2>err &
	broker=$!
	wait_for 20 grep "quorum->run" err
}

script() {
	cat >"$1" && chmod +x "$1"
}

mkdir rc rc/rc1.d rc/rc3.d
script rc/rc1.d/2-b <<-EOS
	#!/bin/sh
	echo second && flux kvs get order
EOS
script rc/rc1.d/1-a <<-EOS
	#!/bin/sh
	echo first && flux kvs put order=kept
EOS
script rc/rc3.d/1-a <<-EOS
	#!/bin/sh
	echo last && flux kvs get order
EOS

test_expect_success 'the scripts of rc1.d and rc3.d are run in order, around the program' '
	FLUX_RC_EXTRA=$PWD/rc flux start -Slog-stderr-level=6 echo program >out 2>err &&
	grep -o "rc[13]\.[0-9]: [a-z]*$" err >actual &&
	printf "%s\n" "rc1.0: first" "rc1.1: second" "rc1.1: kept" "rc3.0: last" "rc3.0: kept" \
		>expect &&
	test_cmp expect actual
'

test_expect_success 'one that fails at the end gives the exit code, and says so' '
	echo "exit 3" >>rc/rc3.d/1-a &&
	test_expect_code 3 env FLUX_RC_EXTRA=$PWD/rc flux start -Slog-stderr-level=6 true 2>err &&
	test_grep "broker.err.*rc3.0: .*rc3.d/1-a Exited (rc=3)" err &&
	test_grep "rc3-fail: finalize->goodbye" err
'

test_expect_success 'one that fails at the start ends the instance with its code' '
	echo "exit 4" >>rc/rc1.d/1-a &&
	test_expect_code 4 env FLUX_RC_EXTRA=$PWD/rc flux start -Slog-stderr-level=6 \
		touch ran 2>err &&
	test_grep "rc1-fail: init->shutdown" err &&
	test ! -e ran
'

for signal in TERM INT
do
	test_expect_success "SIG$signal ends a broker without a program in order" "
		begin &&
		kill -$signal \$broker &&
		wait \$broker &&
		test_grep 'shutdown: run->cleanup' err &&
		test_grep 'builtins-done: unload-builtins->exit' err &&
		test_must_fail grep -E 'err\[0\]|being restarted' err &&
		test ! -e $sock
	"
done

# A job that is in no hurry to end, and a broker that gives it an hour.
cat >stays.toml <<'EOF'
[exec]
kill-timeout = "1h"
EOF
cat >stays.sh <<'EOF'
id=$(flux submit sh -c 'trap "" TERM; echo ready; while true; do read x </dev/zero; done')
flux job wait-event --waitcreate -p output $id data >/dev/null
EOF

test_expect_success 'broker.cleanup-timeout ends the wait for jobs that stay' '
	flux start --config-path=stays.toml -Sbroker.cleanup-timeout=0.1s sh stays.sh 2>err &&
	test_grep "broker.err.*cleanup timeout" err
'

test_expect_success 'a timeout that is no duration is refused at the start' '
	test_must_fail flux start -Sbroker.cleanup-timeout=soon true 2>err &&
	test_grep "broker.cleanup-timeout=soon: must be a duration or none" err
'

test_expect_success 'a signal ends it too' '
	rm -f err &&
	{ flux start --config-path=stays.toml -Slog-stderr-level=6 sh stays.sh 2>err & } &&
	starter=$! &&
	wait_for 20 grep "run->cleanup" err &&
	kill -TERM $starter &&
	wait $starter &&
	test_grep "cleanup: signal 15: jobs are not waited for" err &&
	test_grep "cleanup-fail: cleanup->shutdown" err
'

test_expect_success 'flux shutdown ends it too' '
	begin &&
	FLUX_URI=local://$sock flux shutdown &&
	wait $broker &&
	test_must_fail grep -E "err\[0\]|being restarted" err
'

test_expect_success 'flux dmesg --follow shows what comes, and ends with the instance' '
	begin &&
	{ FLUX_URI=local://$sock flux dmesg --follow >log & } &&
	follower=$! &&
	FLUX_URI=local://$sock flux logger here it comes &&
	wait_for 10 grep "here it comes" log &&
	kill -TERM $broker &&
	wait $broker &&
	test_might_fail wait $follower
'

test_expect_success 'ending many times leaves no complaint and restarts nothing' '
	for i in 1 2 3 4 5 6 7 8 9 10
	do
		flux start flux submit true >id 2>err &&
		test_cmp /dev/null err || return 1
	done
'

test_done

#!/bin/sh

test_description='who keeps an instance from beginning or ending is named

Covers the warnings and time limits of quorum and shutdown, and what becomes of brokers
whose launcher dies.
'

. "$(dirname "$0")/sharness.sh"
test_need_flux

start() {
	flux start -Sferroflux.personality=minimal "$@"
}

test_expect_success 'who is missing for the quorum is named until it comes' '
	run=$(mktemp -d /tmp/flux-XXXXXX) && test_when_finished "rm -rf $run" &&
	test_hosts 3 "ipc://$run/tbon-%h" &&
	{ start -s 3 --config-path="$PWD/conf" --test-hosts="fake[0-2]" --test-rundir="$run" \
		--test-start-mode=leader --test-exit-mode=leader -Sbroker.quorum=2 \
		-Sbroker.quorum-warn=0.1s flux overlay status --no-pretty >out 2>err & } &&
	wait_for 20 test_grep "quorum delayed: waiting for fake\[1-2\] (rank 1-2)" err &&
	test ! -s out &&
	FLUX_START_URI=local://$run/start run_rank 2 &&
	test_expect_code 0 wait $! && cat out err &&
	test_grep "broker.err\[0\]: quorum reached" err &&
	test_grep "^1 fake1: offline" out && test_grep "^2 fake2: full" out
'

# The end of the brokers of RANKS (a pattern) never ends by itself.
hangs() {
	echo "case \$(flux getattr rank) in $1) exec tail -f /dev/null ;; esac"
}

test_expect_success 'who does not end is named, and given up' '
	start -s 3 -Stbon.topo=kary:1 -Sbroker.rc3_path="$(hangs 2)" -Sbroker.shutdown-warn=0.1s \
		-Sbroker.shutdown-timeout=2s --test-exit-mode=leader --test-exit-timeout=0.1s \
		flux getattr hostlist >hosts 2>err &&
	cat err &&
	test_grep "broker.err\[1\]: shutdown delayed: waiting for 1 peers: .* (rank 2)" err &&
	test_grep "broker.err\[1\]: shutdown timeout: .* (rank 2)" err &&
	test_grep "flux-start: Exit timeout: killed rank 2" err
'

test_expect_success 'the limit leaves routers time to give up those below' '
	test_must_fail grep "broker.err\[0\]: shutdown timeout" err
'

# brokers_of PID: the brokers that a launcher has started.
brokers_of() {
	pgrep -P "$1" -x flux-broker >brokers
}

are_gone() {
	for broker in $(cat brokers)
	do
		! kill -0 "$broker" 2>kill.err || return 1
	done
}

test_expect_success 'a launcher that dies before all have met leaves no broker behind' '
	{ flux start -s 2 --test-start-mode=leader true 2>err & } &&
	launcher=$! && wait_for 20 brokers_of "$launcher" &&
	kill -9 "$launcher" && test_expect_code 137 wait "$launcher" &&
	wait_for 20 are_gone
'

test_expect_success 'nor does one that dies later' '
	{ flux start -s 3 -Sferroflux.personality=minimal \
		sh -c "echo up >up; exec tail -f /dev/null" 2>err & } &&
	launcher=$! && wait_for 20 test -s up && brokers_of "$launcher" &&
	test 3 = $(wc -l <brokers) &&
	kill -9 "$launcher" && test_expect_code 137 wait "$launcher" &&
	wait_for 20 are_gone
'

test_done

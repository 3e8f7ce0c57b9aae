#!/bin/sh

test_description='what is logged on one rank and seen on another'

. "$(dirname "$0")/sharness.sh"
test_need_flux

# brokers SCRIPT OPTION...: runs SCRIPT on rank 0 of three brokers in a chain, with
# these options. On a rank: $at R COMMAND.
brokers() {
	script=$1
	shift
	flux start --test-size=3 --test-rundir="$(pwd)/run" -S ferroflux.personality=minimal \
		-S tbon.topo=kary:1 "$@" sh -e -c "
			at() { FLUX_URI=local://$(pwd)/run/local-\$1; export FLUX_URI; shift; \"\$@\"; }
			$script
		" 2>err
}

test_expect_success 'an error on a leaf is shown by rank 0, and is in the ring of its own rank only' '
	mkdir run &&
	brokers "
		at 2 flux logger --severity=err --appname=leaf it burns
		at 2 flux logger --severity=warning --appname=leaf it smells
		at 2 flux dmesg >ring.2; at 1 flux dmesg >ring.1; at 0 flux dmesg >ring.0
	" &&
	grep -E "^[A-Z][a-z]{2} .* leaf.err\[2\]: it burns" err &&
	test_expect_code 1 grep smells err &&
	grep "leaf.err\[2\]: it burns" ring.2 &&
	test_expect_code 1 grep burns ring.1 ring.0
'

test_expect_success 'each rank on the way decides what goes further, and counts it' '
	brokers "
		at 2 flux logger --severity=debug --appname=leaf a detail
		at 2 flux module stats log >stats.2
		at 1 flux module stats log >stats.1
	" -S log-forward-level=7 -S log-stderr-level=7 &&
	grep "leaf.debug\[2\]: a detail" err &&
	grep -E "\"remote\": *0\b" stats.2 &&
	grep -E "\"remote\": *[1-9]" stats.1 &&
	brokers "at 2 flux logger --severity=err lost" -S log-forward-level=-1 &&
	test_expect_code 1 grep lost err
'

test_expect_success 'what a broker says before its parent knows it arrives' '
	brokers true -S log-forward-level=7 -S log-stderr-level=7 &&
	grep "broker.info\[2\]: parent-none\|broker.info\[2\]: .*join" err
'

test_expect_success 'a rank prints what is critical itself' '
	brokers "at 1 flux logger --severity=crit --appname=leaf now" &&
	grep "^<2>leaf.crit\[1\]: now" err &&
	grep "^[A-Z].* leaf.crit\[1\]: now" err
'

test_expect_success 'in local mode each rank prints what it says, once' '
	brokers "at 1 flux logger --severity=err --appname=leaf mine" -S log-stderr-mode=local &&
	grep "^<3>leaf.err\[1\]: mine" err &&
	test "$(grep -c mine err)" = 1
'

test_expect_success 'the file of rank 0 has what comes up' '
	brokers "at 2 flux logger --severity=err --appname=leaf noted" -S log-filename="$(pwd)/log" &&
	grep "leaf.err\[2\]: noted" log
'

test_done

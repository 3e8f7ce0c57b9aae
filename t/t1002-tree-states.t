#!/bin/sh

test_description='brokers of a tree go through their states together

Covers the states as logs of live brokers have them, and ends that are not as they should
be. The table of states is covered by the tests of the broker.
'

. "$(dirname "$0")/sharness.sh"
test_need_flux

start() {
	flux start -s "$@"
}

# moves FILE RANK: the moves that the log of the rank tells of.
moves() {
	sed -n "s/.*\[$2\]: \([a-z0-9-]*: [a-z0-9-]*->[a-z0-9-]*\) .*/\1/p" "$1"
}

test_expect_success 'the program finds all brokers online' '
	for size in 3 8
	do
		start $size -Stbon.topo=kary:2 -Sferroflux.personality=minimal sh -c "
			printf \"{\\\"name\\\":\\\"broker.online\\\"}\\0\" |
			perl $TEST_HARNESS_DIR/sharness.d/client.pl \$FLUX_URI rpc groups.get" >actual &&
		echo "0 {\"members\":\"0-$((size - 1))\"}" >expect && test_cmp expect actual || return 1
	done
'

test_expect_success 'a quorum that cannot be is refused' '
	test_expect_code 1 start 2 -Sbroker.quorum=9-10 touch ran 2>err &&
	test_grep "Error parsing broker.quorum attribute" err &&
	test_expect_code 1 start 2 -Sbroker.quorum=99 touch ran 2>err &&
	test_grep "Error parsing broker.quorum attribute" err && test ! -e ran &&
	for quorum in 0 0-1
	do
		start 2 -Sbroker.quorum=$quorum -Sferroflux.personality=minimal \
				flux overlay status --wait=full --timeout=0 2>err &&
		test_grep "broker.quorum is now a size - assuming" err || return 1
	done
'

test_expect_success 'each rank goes through its states' '
	start 2 -Sferroflux.personality=minimal -Slog-filename="$PWD/log" true &&
	moves log 0 >actual &&
	for move in quorum-full:.quorum-\>run rc2-success:.run-\>cleanup \
		children-complete:.shutdown-\>finalize
	do
		test_grep "^$move" actual || return 1
	done
'

test_expect_success 'a failure of rc1 is the end of all' '
	test_expect_code 1 start 2 -Sbroker.rc1_path="exit 1" --test-exit-mode=leader \
		--test-exit-timeout=0.5s touch ran 2>err &&
	test ! -e ran
'

test_expect_success 'an instance that is told to end does so on every rank' '
	cat >term <<-\EOS &&
	kill -TERM "$(flux getattr broker.pid)"
	exec tail -f /dev/null
	EOS
	test_expect_code 129 start 3 -Sferroflux.personality=minimal sh term
'

test_done

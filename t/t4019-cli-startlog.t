#!/bin/sh

test_description='flux startlog lists starts and ends, and knows a crash'

. "$(dirname "$0")/sharness.sh"
test_need_flux

# instance [OPTION...] COMMAND: runs an instance with its state in ./state.
instance() {
	TZ=UTC flux start -S statedir="$(pwd)/state" "$@"
}

day='20[0-9][0-9]-[01][0-9]-[0-3][0-9] [0-2][0-9]:[0-5][0-9]'

test_expect_success 'a first start is running' '
	mkdir state &&
	instance "flux startlog && flux startlog --check --quiet" >list &&
	test "$(wc -l <list)" = 1 &&
	test_grep "^$day - running ([0-9.]*s)\$" list
'

test_expect_success 'the store has the events, and a checkpoint from the start on' '
	instance "flux kvs eventlog get -u admin.eventlog >log &&
		flux content checkpoint list >points" &&
	sed "s/\"timestamp\":[0-9.]*,//; s/\"core_version\":\"[^\"]*\"/V/" log >actual &&
	cat >expect <<-\EOF &&
	{"name":"start","context":{"version":1,V}}
	{"name":"finish","context":{"version":1}}
	{"name":"start","context":{"version":1,V}}
	EOF
	test_cmp expect actual &&
	test "$(wc -l <points)" -gt 1
'

test_expect_success 'ends are listed, with the version on demand' '
	instance "flux startlog --check && flux startlog -v >versions" >list &&
	sed -n 1,2p list >past &&
	test "$(grep -c "^$day - $day ([0-9.]*s)\$" past)" = 2 &&
	test "$(grep -c ") $(flux version | sed -n "s/^commands:[[:space:]]*//p")\$" versions)" = 3
'

test_expect_success 'a start without an end was a crash' '
	{ instance "kill -9 \$(flux getattr broker.pid)" 2>/dev/null || :; } &&
	wait_for 30 gone "$(pwd)/state" &&
	instance "flux startlog; flux startlog --check --quiet; echo code \$?" >list 2>err &&
	test_grep "Flux was not shut down properly.  Data may have been lost" err &&
	test_grep "^$day - crashed\$" list &&
	test_grep "^$day - running" list &&
	test_grep "^code 1\$" list &&
	instance "flux startlog --check --quiet" 2>err &&
	test_expect_code 1 grep "in order" err
'

test_done

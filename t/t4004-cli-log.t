#!/bin/sh

test_description='flux logger and flux dmesg'

. "$(dirname "$0")/sharness.sh"
test_under_flux 1 minimal

test_expect_success 'what logger writes, dmesg shows at once' '
	flux logger --severity=warning --appname=me hello  there &&
	flux dmesg >log &&
	tail -1 log >last &&
	sed "s/^[^ ]* //" last >actual &&
	echo "me.warning[0]: hello there" >expect &&
	test_cmp expect actual
'

test_expect_success 'times are in UTC with microseconds' '
	grep -E "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z me" last
'

test_expect_success 'times for people count from the last date' '
	flux dmesg --human >log &&
	head -1 log | grep -E "^\[[A-Z][a-z]{2}[0-9]{2} [0-9]{2}:[0-9]{2}\] " &&
	grep -E "^\[ +\+[0-9]+\.[0-9]{6}\] me.warning\[0\]: hello there" log
'

test_expect_success 'colour is shown only when asked for' '
	flux dmesg >log &&
	test_expect_code 1 grep "$(printf "\033")" log &&
	flux dmesg --color=always >log &&
	grep "$(printf "\033")" log
'

test_expect_success 'an unknown severity is refused with the known ones' '
	test_expect_code 1 flux logger --severity=loud x 2>err &&
	grep "invalid severity" err &&
	grep "^hint: one of emerg, alert, crit, err, warning, notice, info, debug" err
'

test_expect_success 'read-clear shows the log once' '
	flux dmesg --read-clear >log &&
	grep "hello there" log &&
	flux dmesg >log &&
	test_expect_code 1 grep "hello there" log
'

test_expect_success 'clear shows nothing' '
	flux logger something &&
	flux dmesg --clear >log &&
	test_cmp /dev/null log &&
	flux dmesg >log &&
	test_expect_code 1 grep something log
'


test_expect_success 'new lines are followed, without the old ones' '
	flux logger old &&
	{ flux dmesg --new >new & } &&
	pid=$! &&
	wait_for 30 sh -c "flux logger news && test -s new" &&
	kill $pid &&
	test_expect_code 143 wait $pid &&
	grep "logger.notice\[0\]: news" new &&
	test_expect_code 1 grep "old" new
'

test_done

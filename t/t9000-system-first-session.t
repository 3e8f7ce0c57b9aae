#!/bin/sh

test_description='the command of the README, and a first session as a stranger would type it

Walks once through the whole system: start, submit, list, attach, cancel, reload
a service under the hands of its users, read the log. Details of each command are
covered by the tests of the command line.
'

. "$(dirname "$0")/sharness.sh"
test_need_flux

test_expect_success 'the command of the README runs a job on two cores' '
	flux start flux run -n2 hostname >actual &&
	{ hostname && hostname; } >expect &&
	test_cmp expect actual
'

cat >session.t <<'EOF'
. "$TEST_HARNESS_DIR/sharness.sh"
test_under_flux 1

test_expect_success 'a job is submitted, and listed while it runs' '
	flux submit sh -c "echo working; tail -f /dev/null" >id &&
	wait_event "$(cat id)" start &&
	flux jobs --no-header --format="{id.f58} {status_abbrev}" >jobs &&
	test_grep "^$(cat id) R$" jobs
'

test_expect_success 'attach shows its output, and its end when it is cancelled' '
	wait_event "$(cat id)" shell.start --path=guest.exec.eventlog --quiet &&
	flux cancel "$(cat id)" &&
	test_expect_code 143 flux job attach --label-io "$(cat id)" >out 2>err &&
	echo "0: working" >expect &&
	test_cmp expect out &&
	test_grep "job.exception .* type=cancel severity=0" err
'

test_expect_success 'it is listed as cancelled' '
	wait_state "$(cat id)" inactive &&
	flux jobs --filter=inactive --no-header --format="{id.f58} {status_abbrev}" >jobs &&
	echo "$(cat id) CA" >expect &&
	test_cmp expect jobs
'

test_expect_success 'a reloaded job-list knows the same' '
	flux module reload job-list &&
	flux jobs --filter=inactive --no-header --format="{id.f58} {status_abbrev}" >again &&
	test_cmp jobs again
'

test_expect_success 'the log has lines of the broker and of modules' '
	flux dmesg >log &&
	test_grep " broker\.[a-z]*\[0\]: " log
'

test_done
EOF

test_expect_success 'a session goes as a stranger would type it' '
	test_expect_code 0 sh session.t --root=results
'

test_expect_success 'and so does one with four brokers' '
	flux start --test-size=4 sh -c "flux overlay status && flux run -N4 -n8 -l hostname" >out &&
	test_grep "^└─ 3 $(hostname): full$" out &&
	sed -n "s/: $(hostname)$//p" out | sort >actual &&
	for rank in 0 1 2 3 4 5 6 7; do echo $rank; done >expect &&
	test_cmp expect actual
'

test_done

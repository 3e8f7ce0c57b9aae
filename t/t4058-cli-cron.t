#!/bin/sh

test_description='flux cron

Covers entries that pass through a real module and back: crontab lines, times of date(1), what
`dump` has, and messages of the service. The lines themselves are covered by the tests of
crates/cli.
'

. "$(dirname "$0")/sharness.sh"
test_under_flux 1 full

test_expect_success 'entries are made, stopped, started and deleted' '
	flux cron interval 1h true 2>actual &&
	flux cron event test.never true 2>>actual &&
	flux cron stop 1 >>actual &&
	flux cron start 1 >>actual &&
	flux cron delete 1 2 >>actual &&
	cat >expect <<-EOF &&
	interval: cron-1 created
	event: cron-2 created
	Stopped cron-1
	Started cron-1
	Removed cron-1: true
	Removed cron-2: true
	EOF
	test_cmp expect actual
'

test_expect_success 'crontab lines are read from standard input and from files' '
	echo "*/5 1-3 * * mon /bin/echo a  b" | flux cron tab 2>err &&
	test_grep "^tab: cron-3 created: scheduled in [0-9]*\.[0-9]*s at Mon .* 0[123]:.*:00 20" err &&
	test "$(flux cron dump -k command 3)" = "/bin/echo a  b" &&
	test "$(flux cron dump -k typedata.minute 3)" = 0,5,10,15,20,25,30,35,40,45,50,55 &&
	test "$(flux cron dump -k typedata.weekday 3)" = 1 &&
	test "$(flux cron dump -k typedata.year 3)" = 0-1100 &&
	printf "# none\n\n0 0 1 0 * true\n" >file &&
	flux cron tab file 2>err &&
	test_grep "^tab: cron-4 created: .* at .* Jan  1 00:00:00 20" err
'

test_expect_success 'a time is what date(1) says' '
	flux cron at "tomorrow 8:30" true 2>err &&
	test_grep "^at: cron-5 created: scheduled in .*s at .* 08:30:00 20" err &&
	test "$(flux cron dump -k repeat 5)" = 1 &&
	test "$(flux cron dump -k typedata.next_wakeup 5)" = "$(date -d "tomorrow 8:30" +%s).0"
'

test_expect_success 'what the service refuses is told' '
	test_expect_code 1 flux cron at "2001-01-01" true 2>actual &&
	test_expect_code 1 flux cron stop 9 2>>actual &&
	test_expect_code 1 flux cron start 5 2>>actual &&
	echo "60 * * * * true" | test_expect_code 1 flux cron tab 2>>actual &&
	cat >expect <<-EOF &&
	flux-cron at: there is no such time in the future
	flux-cron stop: No such file or directory
	flux-cron start: Invalid argument
	flux-cron tab: Failed to process crontab line: 60 * * * * true
	EOF
	test_cmp expect actual &&
	flux dmesg >log &&
	test_grep "ops.create: datetime: minute: \"60\" is out of range" log
'

test_expect_success 'without the module it fails' '
	flux module remove cron &&
	test_expect_code 1 flux cron list 2>err &&
	test_grep "^flux-cron list: " err &&
	flux module load cron sync=heartbeat.pulse
'

test_done

#!/bin/sh

test_description='cron runs commands of the instance, on its ranks

Covers real processes: their output in the log, their environment and folder, other ranks, a
command that does not end, what runs when an entry goes, crontab files at the start, and the
module loaded and removed. When an entry is due is covered by the tests of the module.
'

. "$(dirname "$0")/sharness.sh"
test_under_flux 2 full

logged() {
	flux dmesg | grep -q "$1"
}

# ended ID STATE: the last task of an entry has ended so.
ended() {
	test "$(flux cron dump -k task.1.state $1)" = "$2"
}

test_expect_success 'an instance has it, and tasks wait for the pulse' '
	flux module list | grep "^cron " &&
	flux ping -c1 cron &&
	flux module stats cron >stats &&
	test_grep "\"request\"" stats &&
	flux cron sync 2>actual &&
	echo "sync: sync to event \"heartbeat.pulse\" epsilon=0.015s." >expect &&
	test_cmp expect actual &&
	flux cron interval -c 1 0.01 echo waited &&
	wait_for 30 logged "\"waited\"" &&
	test "$(flux cron dump -k stats.deferred 1)" = 1 &&
	test_expect_code 1 flux module load cron foo=1 2>err &&
	flux cron sync --disable
'

test_expect_success 'output is logged, and a failure' '
	flux cron interval -N say -c 1 0.01 "echo out; echo err >&2; exit 3" &&
	wait_for 30 ended 2 Failed &&
	flux dmesg >log &&
	test_grep "cron.info\[0\]: cron-2\[say\]: rank=0: command=\"echo out.*\": \"out\"" log &&
	test_grep "cron.err\[0\]: cron-2\[say\]: rank=0: command=.*: \"err\"" log &&
	test_grep "cron.err\[0\]: cron-2: \"echo out.*\": Failed: Exit 3" log
'

test_expect_success 'a command runs where it is told to, and with what it is given' '
	mkdir folder &&
	VARIABLE=given flux cron interval -E -d "$PWD/folder" -o rank=1 -c 1 0.01 \
		"echo \$VARIABLE \$(flux getattr rank) >found" &&
	wait_for 30 ended 3 Exited &&
	echo "given 1" >expect &&
	test_cmp expect folder/found
'

test_expect_success 'a rank that is not there is a failure' '
	flux cron interval -o rank=7 -c 1 0.01 true &&
	wait_for 30 ended 4 "Rexec Failure"
'

test_expect_success 'a command that takes too long is ended, with all that it started' '
	flux cron interval -o timeout=0.1 -c 1 0.01 "tail -f /dev/null | cat" &&
	wait_for 30 ended 5 Timeout &&
	flux sproc ps -r 0 >actual &&
	! grep " sh$" actual
'

test_expect_success 'what runs when its entry is deleted is ended if that is wanted' '
	flux cron interval -d "$PWD" -c 1 0.01 "echo \$\$ >pid; tail -f /dev/null" &&
	wait_for 30 test -s pid &&
	flux cron delete --kill 6 >actual &&
	test_grep "^Removed cron-6: echo still running. Started a second ago$" actual &&
	wait_for 30 gone "$(cat pid)"
'

test_expect_success 'an event runs a command' '
	flux cron event -c 1 test.begin echo begun &&
	flux event pub test.begin &&
	wait_for 30 logged "\"begun\""
'

test_expect_success 'a time that date(1) knows runs a command once' '
	flux cron at "now + 1 second" echo now &&
	wait_for 30 logged "\"now\"" &&
	flux cron list >actual &&
	test_grep "^     8 echo            Stopped        1/1       .* ago  Success " actual
'

test_expect_success 'the module goes with its entries and is loaded again' '
	flux module reload cron &&
	flux cron list >actual &&
	test "$(wc -l <actual)" = 1
'

mkdir tabs
cat >tabs/first <<-EOS
	# every day
	0 0 * * * echo daily
	0 * * * * echo hourly
EOS

test_expect_success 'crontab files are read at the start' '
	flux start -Scron.directory=$PWD/tabs flux cron list >actual &&
	test_grep "^     1 echo  *Active " actual &&
	test_grep "^     2 echo  *Active " actual
'

test_expect_success 'one that cannot be read ends the start' '
	echo "no crontab" >tabs/second &&
	test_must_fail flux start -Scron.directory=$PWD/tabs touch ran 2>err &&
	test_grep "could not load crontab: .*/tabs/second" err &&
	test_grep "Failed to process crontab line: no crontab" err &&
	test ! -e ran
'

test_done

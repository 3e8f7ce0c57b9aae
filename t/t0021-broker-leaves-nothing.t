#!/bin/sh

test_description='however the broker ends, nothing remains of its instance

Covers an orderly end, SIGTERM and kill -9 of the broker with a job running: no
process, no socket and no folder is left behind.
'

. "$(dirname "$0")/sharness.sh"
test_need_flux

# begin: an instance in the background with a job in it. Sets broker, rundir,
# statedir and tasks.
begin() {
	rm -f facts &&
	{ flux start sh -c "
		flux submit sleep 7654321 >id &&
		flux job wait-event \$(cat id) start >/dev/null &&
		flux getattr rundir >facts.new &&
		flux getattr statedir >>facts.new &&
		flux getattr broker.pid >>facts.new &&
		mv facts.new facts &&
		exec tail -f /dev/null
	" 2>err & } &&
	starter=$! &&
	wait_for 30 test -e facts &&
	rundir=$(sed -n 1p facts) &&
	statedir=$(sed -n 2p facts) &&
	broker=$(sed -n 3p facts) &&
	test -S "$rundir/local-0"
}

nothing_left() {
	gone "sleep 7654321" &&
	test ! -e "$rundir" &&
	test ! -e "$statedir"
}

test_expect_success 'an orderly end leaves nothing' '
	flux start sh -c "flux getattr rundir; flux getattr statedir" >folders &&
	for folder in $(cat folders)
	do
		test ! -e "$folder" || return 1
	done
'

test_expect_success 'SIGTERM ends the job and the instance, and leaves nothing' '
	begin &&
	kill -TERM $broker &&
	test_expect_code 129 wait $starter &&
	wait_for 10 nothing_left
'

test_expect_success 'kill -9 of the broker leaves nothing either' '
	begin &&
	kill -KILL $broker &&
	test_expect_code 137 wait $starter &&
	wait_for 10 nothing_left
'

test_expect_success 'a statedir that was given stays, with what is in it' '
	mkdir state &&
	flux start -Sstatedir="$PWD/state" flux kvs put a=1 &&
	flux start -Sstatedir="$PWD/state" flux kvs get a >actual &&
	echo 1 >expect &&
	test_cmp expect actual
'

test_expect_success 'one that was given and is made stays too, after kill -9 as well' '
	test_expect_code 137 flux start -Sstatedir="$PWD/made" \
		sh -c "flux kvs put a=2 && kill -9 \$(flux getattr broker.pid)" &&
	flux start -Sstatedir="$PWD/made" flux kvs get a >actual &&
	echo 2 >expect &&
	test_cmp expect actual &&
	flux start -Sstatedir="$PWD/made" flux kvs get a >actual &&
	test_cmp expect actual
'

test_expect_success 'a statedir that cannot be written is refused with its name' '
	echo >file &&
	test_must_fail flux start -Sstatedir="$PWD/file" true 2>err &&
	test_grep "statedir $PWD/file: not a directory" err
'

test_done

#!/bin/sh

test_description='what clients may take of memory and descriptors has limits

Covers what only processes show: limits that the system sets, what children get of
them, and what a user sees who meets one. Who has which share is covered by the unit
tests of the runtime.
'

. "$(dirname "$0")/sharness.sh"
test_need_flux

test_expect_success 'with too few descriptors the broker says how many it needs' '
	test_expect_code 1 sh -c "ulimit -n 64 && exec flux start true" 2>err &&
	test_grep "flux-broker: at least 128 file descriptors are needed, and the limit is 64" err
'

test_expect_success 'with just enough it runs jobs' '
	echo hello >expect &&
	sh -c "ulimit -n 128 && exec flux start flux run echo hello" >actual &&
	test_cmp expect actual
'

test_expect_success 'children get the limit back that the broker was started with' '
	echo 100 >expect &&
	sh -c "ulimit -S -n 100 && exec flux start sh -c \"ulimit -S -n\"" >actual &&
	test_cmp expect actual
'

test_expect_success 'the budget of memory is an attribute' '
	flux start flux getattr ferroflux.message-bytes >actual &&
	test_grep "^[0-9][0-9]*$" actual &&
	test_expect_code 1 flux start -Sferroflux.message-bytes=x true 2>err &&
	test_grep "ferroflux.message-bytes=x: must be a number of bytes" err
'

test_expect_success 'a message above it ends its connection, and the log says why' '
	head -c 3000000 /dev/zero | tr "\0" x >big &&
	cat >session.sh <<-\EOF &&
	flux kvs put --raw big=- <big && exit 1
	flux kvs put small=1 && flux dmesg >log
	EOF
	flux start -Sferroflux.message-bytes=1000000 sh session.sh &&
	test_grep "was disconnected: .* messages of all clients take [0-9]* bytes and may take [0-9]*" log
'

test_done

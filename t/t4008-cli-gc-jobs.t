#!/bin/sh

test_description='garbage is collected among jobs, online and offline, and no job is lost'

. "$(dirname "$0")/sharness.sh"
test_need_flux

# instance [OPTION...] COMMAND: runs an instance with its state in ./state.
instance() {
	flux start -S statedir="$(pwd)/state" "$@"
}

test_expect_success 'jobs and collections go on at once' '
	mkdir state &&
	cat >busy.sh <<-\EOF &&
	flux submit --quiet --cc=1-60 --wait true & pid=$!
	for i in 1 2 3 4
	do
		flux kvs sync && flux gc 2>>gc.log || exit 1
	done
	wait $pid || exit 2
	for i in 1 2 3 4 5
	do
		flux kvs sync || exit 1
	done
	flux gc 2>>gc.log && flux content dropcache && flux fsck --quiet || exit 3
	flux jobs -a --no-header --format="{id} {status}" | sort >jobs
	flux job eventlog "$(flux job last)" >eventlog
	EOF
	instance "sh busy.sh" &&
	test "$(grep -c COMPLETED jobs)" = 60 &&
	test_grep " clean\$" eventlog &&
	test "$(grep -c "^flux: gc complete: " gc.log)" = 5 &&
	tail -n 1 gc.log >last &&
	test_grep "reclaimed [1-9][0-9]* blobs" last
'

test_expect_success 'they are all there after a shutdown with --gc' '
	test_expect_code 129 instance "flux shutdown --gc --quiet" &&
	test -L state/dump/RESTORE &&
	instance -S content.restore=auto \
		"flux jobs -a --no-header --format=\"{id} {status}\" | sort >actual &&
		flux submit true >id && flux job attach \$(cat id)" &&
	test_cmp jobs actual &&
	test_expect_code 1 grep -F "$(cat id)" jobs
'

test_done

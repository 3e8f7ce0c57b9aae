#!/bin/sh

test_description='the keys that flux kvs takes, and what it says of those that it does not
'

. "$(dirname "$0")/sharness.sh"
test_under_flux 1 kvs

test_expect_success 'keys may be deep, and one that is too deep says so' '
	deep=$(yes d | head -n 300 | tr "\n" .)end &&
	flux kvs put $deep=1 &&
	echo 1 >expect &&
	flux kvs get $deep >actual &&
	test_cmp expect actual &&
	flux dump -q deep.tar &&
	flux restore -q --key=back deep.tar &&
	flux kvs get back.$deep >actual &&
	test_cmp expect actual &&
	flux kvs unlink -R d back &&
	flux kvs put x=1 &&
	too=$(yes d | head -n 513 | tr "\n" .) &&
	for command in "put $too=1" "get $too" "ls $too" "dir $too" "unlink $too" "mkdir $too" \
		"copy $too x" "move x $too" "link x $too" "readlink $too" "eventlog get $too"
	do
		test_expect_code 1 flux kvs $command 2>err &&
		test_grep "key is too deep: it has more than 512 levels" err || return 1
	done
'

test_done

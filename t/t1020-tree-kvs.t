#!/bin/sh

test_description='the KVS and its content store on every rank

Covers what only an instance of several brokers shows: commits, lookups, watches and
namespaces from other ranks than 0, blobs that travel through the tree, and a router whose
kvs dies under commits from below. What one kvs does on another rank, message by message,
and what a tree of them survives, is covered by the tests of the module.
'

. "$(dirname "$0")/sharness.sh"
test_under_flux 4 kvs -S tbon.topo=kary:2

# on_all COMMAND...: on each rank, in order.
on_all() {
	for rank in 0 1 2 3
	do
		on $rank "$@" || return 1
	done
}

# sees RANK KEY VALUE
sees() {
	test "$(on "$1" flux kvs get "$2")" = "$3"
}

test_expect_success 'every rank has its modules' '
	for rank in 0 1 2 3
	do
		on $rank flux module list >modules && test_grep "^content " modules &&
		test_grep "^kvs " modules && test_grep "^kvs-watch " modules || return 1
	done
'

test_expect_success 'who has written a value reads it, on every rank' '
	for rank in 3 2 1 0
	do
		on $rank flux kvs put "own.$rank=of $rank" && sees $rank own.$rank "of $rank" || return 1
	done
'

test_expect_success 'others see it with its version' '
	version=$(on 3 flux kvs put -s waited=3) &&
	on_all flux kvs wait "$version" && on_all flux kvs get waited >actual &&
	printf "3\n3\n3\n3\n" >expect && test_cmp expect actual &&
	version=$(on 2 flux kvs unlink -s waited) && on_all flux kvs wait "$version" &&
	test_must_fail on 3 flux kvs get waited
'

test_expect_success 'large values and directories travel' '
	head -c 100000 /dev/urandom | base64 -w0 >large &&
	on 3 flux kvs put -r large=- <large && on_all flux kvs get -r large >actual &&
	cat large large large large >expect && test_cmp expect actual
'

test_expect_success 'a version that is held back on a rank is seen by the others' '
	version=$(flux kvs put -s held=old) && on_all flux kvs wait "$version" &&
	on 2 rpc kvs.setroot-pause "{\"namespace\":\"primary\"}" >pause &&
	test_when_finished "on 2 rpc kvs.setroot-unpause {\\\"namespace\\\":\\\"primary\\\"}" &&
	old=$(on 2 flux kvs get --treeobj .) &&
	version=$(on 1 flux kvs put -s held=new) && on 3 flux kvs wait "$version" &&
	sees 1 held new && sees 3 held new && sees 2 held old &&
	test "$(on 2 flux kvs get --at="$old" held)" = old &&
	on 2 rpc kvs.setroot-unpause "{\"namespace\":\"primary\"}" &&
	on 2 flux kvs wait "$version" && sees 2 held new
'

test_expect_success 'a namespace is made on one rank and there on all' '
	on 1 flux kvs namespace create apart && on 3 flux kvs put -N apart key=value &&
	version=$(on 3 flux kvs version -N apart) && on_all flux kvs wait -N apart "$version" &&
	on_all flux kvs get -N apart key >actual &&
	printf "value\nvalue\nvalue\nvalue\n" >expect && test_cmp expect actual &&
	on 3 flux kvs namespace list >list && test_grep "^apart " list &&
	test_must_fail on 2 flux kvs namespace create apart 2>err &&
	test_grep "apart: File exists" err
'

test_expect_success 'a link leads into a namespace that the rank has not used' '
	flux kvs namespace create fresh && flux kvs put -N fresh there=found &&
	version=$(flux kvs version) && flux kvs link -T fresh there link &&
	on 3 flux kvs wait $((version + 1)) && sees 3 link found
'

test_expect_success 'a namespace that is removed is gone everywhere' '
	on 2 flux kvs namespace remove apart &&
	for rank in 0 1 2 3
	do
		wait_for 20 test_must_fail on $rank flux kvs get -N apart key &&
		test_must_fail on $rank flux kvs get -N apart key 2>err &&
		test_grep "Operation not supported" err || return 1
	done &&
	test_must_fail on 3 flux kvs put -N apart key=value 2>err &&
	test_grep "Operation not supported" err &&
	on 3 flux kvs namespace create apart && on 3 flux kvs put -N apart key=again &&
	test "$(on 3 flux kvs get -N apart key)" = again
'

test_expect_success 'a watch sees what another rank writes' '
	on 3 flux kvs put watched=1 && mkfifo seen &&
	{ on 3 flux kvs get --watch --count=2 watched >seen & } && watcher=$! &&
	exec 9<seen && read first <&9 && on 2 flux kvs put watched=2 && read second <&9 &&
	test "$first $second" = "1 2" && wait $watcher
'

test_expect_success 'a blob is stored on one rank and loaded on all' '
	for size in 0 1 1000 100000 1000000
	do
		head -c $size /dev/urandom >blob && ref=$(on 3 flux content store <blob) &&
		for rank in 0 1 2 3
		do
			on $rank flux content load "$ref" >actual && cmp blob actual || return 1
		done || return 1
	done &&
	on 1 flux content flush && on 1 flux content dropcache &&
	on 1 flux content load "$ref" >actual && cmp blob actual &&
	on 3 flux module stats content >stats && test_grep "\"dirty\": *0" stats
'

test_expect_success 'what is not there is an error on every rank, and none is kept' '
	ref=sha1-0123456789012345678901234567890123456789 &&
	for rank in 0 1 3
	do
		test_must_fail on $rank flux content load $ref 2>err &&
		test_grep "No such file or directory" err || return 1
	done
'

test_expect_success 'what is for rank 0 says so elsewhere' '
	on 3 rpc content.register-backing "{\"name\":\"content-sqlite\"}" >actual &&
	test_grep "^22 content backing store can only be registered on rank 0" actual &&
	on 3 rpc content.mmap-add "{\"path\":\"/\",\"chunksize\":0,\"tag\":\"x\"}" >actual &&
	test_grep "^22 content may only be mmapped on rank 0" actual &&
	on 3 rpc content.checkpoint-get >actual && rpc content.checkpoint-get >expect &&
	test_cmp expect actual
'

test_expect_success 'a file of rank 0 is read from every rank, until it changes' '
	head -c 100000 /dev/urandom >mapped && ref=sha1-$(sha1sum mapped | cut -d" " -f1) &&
	file="{\"path\":\"$PWD/mapped\",\"chunksize\":0,\"tag\":\"x\"}" &&
	rpc content.mmap-add "$file" && rpc content.mmap-add "$file" >actual &&
	test_grep "^0 $" actual &&
	for rank in 0 1 3
	do
		on $rank flux content load $ref >actual && cmp mapped actual || return 1
	done &&
	flux module stats content >stats && test_grep "\"blobs\": *1" stats &&
	printf x | dd of=mapped conv=notrunc 2>/dev/null &&
	on_all flux content dropcache &&
	for rank in 0 1 3
	do
		test_must_fail on $rank flux content load $ref 2>err &&
		test_grep "mapped file content has changed" err || return 1
	done &&
	rpc content.mmap-remove "{\"tag\":\"x\"}" &&
	test_must_fail on 3 flux content load $ref 2>err &&
	test_grep "No such file or directory" err
'

test_expect_success 'commits are neither lost nor doubled when the kvs on their way dies' '
	{
		for n in $(seq 30)
		do
			on 3 flux kvs put --append log=$n, || echo "$n failed" >>failed
		done &
	} && writer=$! &&
	for rank in 1 3 0 1
	do
		version=$(on 3 flux kvs version) && on 3 flux kvs wait $((version + 2)) &&
		pkill -KILL -P "$(on $rank flux getattr broker.pid)" -f "flux-module-kvs\$" || return 1
	done &&
	wait $writer && test ! -e failed && on 3 flux kvs get log >actual &&
	seq 30 | tr "\n" , >expect && echo >>expect && test_cmp expect actual
'

test_done

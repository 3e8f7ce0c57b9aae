#!/bin/sh

test_description='flux gc deletes what nothing refers to, and nothing else'

. "$(dirname "$0")/sharness.sh"
test_under_flux 1 kvs

# churn N: makes N versions of a value, each with blobs of its own.
churn() {
	for i in $(seq "$1")
	do
		flux kvs put "churn.v=$i$(head -c 300 /dev/zero | tr "\0" x)" || return 1
	done
}

test_expect_success 'nothing is older than a checkpoint that is not there' '
	test_expect_code 1 flux gc 2>err &&
	head -n 1 err >actual &&
	echo "flux-gc: there is no checkpoint, so no blob is older than one" >expect &&
	test_cmp expect actual
'

test_expect_success 'old versions are counted, then reclaimed' '
	flux kvs put keep.small=1 &&
	head -c 100000 /dev/urandom >blob &&
	flux kvs put --raw keep.big=- <blob &&
	flux kvs namespace create ns &&
	flux kvs put --namespace=ns "inside=$(head -c 200 /dev/zero | tr "\0" n)" &&
	churn 20 &&
	for i in 1 2 3 4 5 6; do flux kvs sync || return 1; done &&
	flux gc --dry-run 2>dry &&
	test_grep "^flux: gc dry run: marked [0-9]*, [0-9]* blobs to reclaim (horizon epoch 6)\$" dry &&
	n=$(sed "s/.*, \([0-9]*\) blobs.*/\1/" dry) &&
	test "$n" -gt 20 &&
	flux gc -v 2>err &&
	test_grep "^flux-gc: horizon epoch 6\$" err &&
	test_grep "^flux: gc complete: marked [0-9]*, reclaimed [0-9]* blobs (horizon epoch 6)\$" err &&
	reclaimed=$(sed -n "s/.*reclaimed \([0-9]*\) blobs.*/\1/p" err) &&
	# The empty directory is counted, and kept.
	test "$reclaimed" = "$n" -o "$reclaimed" = $((n - 1))
'

test_expect_success 'what is needed is still there' '
	flux content dropcache &&
	flux fsck --quiet &&
	flux kvs get --raw keep.big | cmp blob - &&
	flux kvs get --raw --namespace=ns inside &&
	flux kvs get --raw churn.v | grep -q ^20 &&
	flux module reload kvs &&
	flux kvs get keep.small
'

test_expect_success 'checkpoints that are kept keep what they hold' '
	flux content checkpoint list >list &&
	flux gc -vv --no-cache --maxreqs=16 2>err &&
	test_grep "^flux-gc: marking primary\$" err &&
	test_grep "^flux-gc: marking ns\$" err &&
	test "$(grep -c "marking checkpoint" err)" = "$(($(wc -l <list) - 1))"
'

test_expect_success 'a tree with a hole is left alone' '
	ref=sha1-0000000000000000000000000000000000000000 &&
	flux kvs put --treeobj "bad={\"ver\":1,\"type\":\"dirref\",\"data\":[\"$ref\"]}" &&
	test_expect_code 1 flux gc 2>err &&
	head -n 1 err >actual &&
	echo "flux-gc: primary: bad: No such file or directory" >expect &&
	test_cmp expect actual &&
	flux kvs unlink -R bad
'

test_expect_success 'collections and commits go on at once' '
	{ churn 60 & } &&
	pid=$! &&
	for i in 1 2 3 4 5 6
	do
		flux kvs sync && flux gc || return 1
	done &&
	wait $pid &&
	flux content dropcache &&
	flux kvs sync &&
	flux fsck --quiet &&
	flux kvs get --raw churn.v | grep -q ^60
'

test_done

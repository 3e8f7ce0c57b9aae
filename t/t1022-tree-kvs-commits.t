#!/bin/sh

test_description='commits from every rank at once are all made, merged or not

Covers writers on all ranks that do not wait for each other, each of its own keys and all of
one list. What is merged with what is covered by the tests of the module.
'

. "$(dirname "$0")/sharness.sh"
test_under_flux 4 kvs -S tbon.topo=kary:2

COMMITS=100

# writes RANK THREAD OPTION...: commits one after the other; none may fail.
writes() {
	writer=$1.$2
	shift 2
	for n in $(seq $COMMITS)
	do
		on "${writer%.*}" flux kvs put "$@" "$DIR.$writer.key$n=$n" || return 1
	done
}

# all_at_once OPTION...: two threads on every rank.
all_at_once() {
	pids=
	for rank in 0 1 2 3
	do
		for thread in a b
		do
			writes $rank $thread "$@" &
			pids="$pids $!"
		done
	done
	for pid in $pids
	do
		wait "$pid" || return 1
	done
}

# has_all: what was written is there, on every rank.
has_all() {
	version=$(flux kvs version) && seq $COMMITS | sort >expect &&
	for rank in 0 1 2 3
	do
		on $rank flux kvs wait "$version" &&
		for writer in 0.a 0.b 1.a 1.b 2.a 2.b 3.a 3.b
		do
			on $rank flux kvs ls -1 "$DIR.$writer" >keys && sed "s/^key//" keys | sort >actual &&
			test_cmp expect actual || return 1
		done &&
		test "$(on $rank flux kvs get $DIR.3.b.key$COMMITS)" = $COMMITS || return 1
	done
}

test_expect_success 'commits that may be merged' '
	DIR=merged && first=$(flux kvs version) && all_at_once && has_all &&
	test $((version - first)) -le $((8 * COMMITS))
'

test_expect_success 'commits that may not: each is a version' '
	DIR=apart && first=$(flux kvs version) && all_at_once --no-merge && has_all &&
	test $((version - first)) -eq $((8 * COMMITS))
'

test_expect_success 'a list that all append to has each word once' '
	pids= &&
	for rank in 0 1 2 3
	do
		{
			for n in $(seq 25)
			do
				on $rank flux kvs put --append list="$rank.$n " || exit 1
			done
		} & pids="$pids $!"
	done &&
	for pid in $pids
	do
		wait $pid || return 1
	done &&
	flux kvs wait "$(on 3 flux kvs version)" &&
	flux kvs get list | tr " " "\n" | grep . | sort >actual &&
	for rank in 0 1 2 3; do seq 25 | sed "s/^/$rank./"; done | sort >expect &&
	test_cmp expect actual
'

test_done

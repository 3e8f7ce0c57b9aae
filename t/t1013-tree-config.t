#!/bin/sh

test_description='all ranks have the configuration of rank 0

A chain of four brokers: a change on rank 0 goes down three levels. Which change is refused
is covered by the tests of the broker.
'

. "$(dirname "$0")/sharness.sh"
test_under_flux 4 minimal -S tbon.topo=kary:1

# has RANK VALUE: whether the broker has the key with this value.
has() {
	test "$(on "$1" flux config get testing.a)" = "$2"
}

refused() {
	test_must_fail "$@" 2>err && test_grep "rank 3 has the configuration of rank 0" err
}

test_expect_success 'a change on rank 0 is seen on every rank' '
	printf "[testing]\na = 42\n" | flux config load &&
	for rank in 0 1 2 3; do wait_for 20 has $rank 42 || return 1; done
'

test_expect_success 'and so is the next' '
	printf "[testing]\na = 43\n" | flux config load && wait_for 20 has 3 43
'

test_expect_success 'other ranks refuse to be changed' '
	echo "{}" >empty && refused on 3 flux config load <empty &&
	refused on 3 flux config reload && has 3 43
'

test_done

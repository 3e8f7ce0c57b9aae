#!/bin/sh

test_description='guests and namespaces on other ranks than 0

Covers what a guest may do on rank 1 with its own namespace, those of others and that of the
instance: the rank that is asked knows whose a namespace is, and so does rank 0 below a
commit. What is checked of a commit is covered by the tests of the module.
'

. "$(dirname "$0")/sharness.sh"
test_under_flux 4 kvs -S tbon.topo=kary:2

# guest COMMAND...: on rank 1 as user 42; other COMMAND...: the same as user 43.
guest() {
	FLUX_HANDLE_USERID=42 FLUX_HANDLE_ROLEMASK=0x2 on 1 "$@"
}

other() {
	FLUX_HANDLE_USERID=43 FLUX_HANDLE_ROLEMASK=0x2 on 1 "$@"
}

# refused TEXT COMMAND...: fails and says why.
refused() {
	text=$1
	shift
	test_must_fail "$@" 2>err && test_grep "$text" err
}

NOT_YOURS="Operation not permitted"

test_expect_success 'a namespace is made for a guest, on another rank' '
	on 1 flux kvs namespace create -o 42 theirs && flux kvs namespace create ours &&
	flux kvs namespace list >list && test_grep "^theirs  *42 " list &&
	test "$(guest flux kvs getroot -N theirs -o)" = 42
'

test_expect_success 'its owner writes, reads and waits there' '
	guest flux kvs put -N theirs a.b=1 c=2 && test "$(guest flux kvs get -N theirs a.b)" = 1 &&
	guest flux kvs ls -1 -N theirs >actual && printf "a\nc\n" >expect &&
	test_cmp expect actual && guest flux kvs dir -N theirs >actual && test_grep "^c = 2" actual &&
	version=$(guest flux kvs version -N theirs) && guest flux kvs wait -N theirs "$version" &&
	guest flux kvs unlink -N theirs c && guest flux kvs mkdir -N theirs d &&
	guest flux kvs get --watch --count=1 -N theirs a.b
'

test_expect_success 'so does the owner of the instance, on every rank' '
	for rank in 0 1 2 3
	do
		on $rank flux kvs put -N theirs rank=$rank &&
		test "$(on $rank flux kvs get -N theirs rank)" = $rank || return 1
	done &&
	version=$(on 3 flux kvs version -N theirs) && guest flux kvs wait -N theirs "$version" &&
	test "$(guest flux kvs get -N theirs rank)" = 3
'

test_expect_success 'another guest does nothing of that' '
	for command in "get -N theirs a.b" "put -N theirs a.b=2" "version -N theirs" \
		"wait -N theirs 1" "ls -N theirs" "dir -N theirs" "unlink -N theirs a.b" \
		"mkdir -N theirs e" "getroot -N theirs" "get --watch --count=1 -N theirs a.b"
	do
		refused "$NOT_YOURS" other flux kvs $command || return 1
	done &&
	test "$(guest flux kvs get -N theirs a.b)" = 1
'

test_expect_success 'and nobody does in what is of the instance' '
	flux kvs put secret=1 && flux kvs put -N ours secret=1 &&
	version=$(flux kvs version) && on 1 flux kvs wait "$version" &&
	for name in primary ours
	do
		for command in "get -N $name secret" "put -N $name secret=2" "version -N $name" \
			"wait -N $name 1" "ls -N $name" "unlink -N $name secret"
		do
			refused "$NOT_YOURS" guest flux kvs $command || return 1
		done
	done &&
	test "$(flux kvs get secret)$(on 1 flux kvs get -N ours secret)" = 11
'

test_expect_success 'a link of a guest leads nowhere that it may not go' '
	refused "guests may not commit symlink objects" guest flux kvs link -N theirs -T ours secret l &&
	on 1 flux kvs link -N theirs -T ours secret l && test "$(on 1 flux kvs get -N theirs l)" = 1 &&
	refused "$NOT_YOURS" guest flux kvs get -N theirs l
'

test_expect_success 'guests make and remove no namespaces' '
	credentials="Request requires owner credentials" &&
	refused "$credentials" guest flux kvs namespace create mine &&
	refused "$credentials" guest flux kvs namespace remove theirs &&
	refused "$credentials" guest flux kvs namespace list &&
	on 1 flux kvs namespace remove theirs &&
	wait_for 20 refused "Operation not supported" guest flux kvs get -N theirs a.b
'

test_done

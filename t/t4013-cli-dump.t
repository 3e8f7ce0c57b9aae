#!/bin/sh

test_description='flux dump and flux restore: the store as a tar archive, and back

What restore takes from others, and what both refuse, is in t4007.
'

. "$(dirname "$0")/sharness.sh"
test_under_flux 1 kvs

# fill KEY: something of every kind below KEY.
fill() {
	flux kvs put "$1.text=hello" "$1.empty=" "$1.sub.deep.er=1" "$1.sub.v=2" &&
	head -c 10000000 /dev/urandom >huge &&
	flux kvs put --raw "$1.huge=-" <huge &&
	printf "a\\0b\\377\\nc" | flux kvs put --raw "$1.binary=-" &&
	for i in $(seq 20)
	do
		flux kvs eventlog append --timestamp="$i" "$1.log" "event$i" \
			"note=\"$(head -c 100 /dev/zero | tr "\0" x)\"" || return 1
	done &&
	flux kvs link sub.v "$1.link" &&
	flux kvs link --target-namespace=other a.b "$1.away" &&
	long=$(head -c 150 /dev/zero | tr "\0" n) &&
	flux kvs put "$1.$long.$long=long" &&
	flux kvs link "$long.$long" "$1.$long.link" &&
	flux kvs put "$1.with space=1" "$1.gr\&n=2" "$1.Größe=3" "$1.a/b=slash" &&
	printf "%s=%s\\n" "$1.new
line" x >pair &&
	flux kvs put "$(cat pair)" &&
	flux kvs mkdir "$1.sub.nothing"
}

# listing KEY: every key below KEY with its whole value.
listing() {
	flux kvs dir -R --width=0 "$1" | sed "s/^$1\\.//" | grep -av "nothing\\.$"
}

# members ARCHIVE: a line for each member, without its time, and sums of what is in them.
members() {
	{
		tar tvf "$1" | sed "s/ [0-9]\{4\}-[0-9-]* [0-9:]* / /" &&
		tar xOf "$1" | sha1sum
	} 2>tar.err
}

test_expect_success 'a tree of all kinds is dumped' '
	fill tree &&
	flux kvs get --raw tree.huge | cmp huge - &&
	flux dump one.tar 2>err &&
	echo "flux-dump: archived 16 keys" >expect &&
	test_cmp expect err &&
	ls one.tar* >actual &&
	echo one.tar >expect &&
	test_cmp expect actual
'

test_expect_success 'tar(1) reads it' '
	tar tvf one.tar 2>tar.err >list &&
	test_grep "^-rw-r--r-- .* 10000000 .* tree/huge\$" list &&
	test_grep "^-rw-r--r-- .* 0 1970-01-01 00:00 tree/empty\$" list &&
	test_grep "^l.* tree/away -> other::a.b\$" list &&
	test_grep " tree/Größe\$" list &&
	test_grep " tree/a/b\$" list &&
	test "$(tar xOf one.tar tree/text)" = hello &&
	tar xOf one.tar tree/huge | cmp huge - &&
	test_might_fail grep -v "unknown extended header" tar.err >other &&
	test_cmp /dev/null other
'

test_expect_success 'in a directory values come before what is below' '
	tar tf one.tar 2>/dev/null | sed -n "s,^tree/sub/,,p" >actual &&
	printf "%s\n" v deep/er >expect &&
	test_cmp expect actual
'

test_expect_success 'restored at a key it is the same tree' '
	flux restore --key=back one.tar 2>err &&
	test_grep "^flux-restore: restored 16 keys ([0-9]* blobs)\$" err &&
	test_grep "^flux-restore: writing snapshot sha1-[0-9a-f]\{8\} to KVS key .back.\$" err &&
	listing tree >expect &&
	listing back.tree >actual &&
	test_cmp expect actual &&
	flux kvs get --raw back.tree.huge | cmp huge - &&
	flux kvs get --raw back.tree.binary >actual &&
	printf "a\\0b\\377\\nc" >expect &&
	cmp expect actual &&
	flux kvs readlink back.tree.away >actual &&
	echo other::a.b >expect &&
	test_cmp expect actual &&
	flux kvs get "back.tree.a/b" &&
	flux kvs eventlog get back.tree.log >actual &&
	flux kvs eventlog get tree.log >expect &&
	test_cmp expect actual
'

test_expect_success 'dumped again it is the same archive, however packed' '
	flux kvs unlink -R tree &&
	flux kvs move back.tree tree &&
	flux kvs unlink -R back &&
	members one.tar >expect &&
	for suffix in .tar .tgz .tar.gz .tar.bz2 .tar.xz
	do
		flux dump -q --maxreqs=30 "two$suffix" &&
		members "two$suffix" >actual &&
		test_cmp expect actual || return 1
	done &&
	flux dump - >two.tar &&
	members two.tar >actual &&
	test_cmp expect actual
'

test_expect_success 'it is restored from standard input, however packed' '
	listing tree >expect &&
	for file in two.tar two.tgz two.tar.bz2 two.tar.xz
	do
		flux restore -q --key=in - <"$file" 2>err &&
		test_cmp /dev/null err &&
		listing in.tree >actual &&
		test_cmp expect actual || return 1
	done &&
	flux kvs unlink -R in
'

test_expect_success 'past the memory of the content service, one by one' '
	flux dump -q --no-cache --maxreqs=1 direct.tar &&
	members one.tar >expect &&
	members direct.tar >actual &&
	test_cmp expect actual &&
	flux restore -q --no-cache --maxreqs=1 --key=in direct.tar &&
	listing tree >expect &&
	listing in.tree >actual &&
	test_cmp expect actual &&
	flux kvs unlink -R in
'

test_expect_success 'thousands of keys come and go' '
	mkdir many &&
	(cd many && seq 20000 | split -l 1 -a 4 - k && mkdir d && mv ka* d) &&
	tar cf many.tar many &&
	flux restore --key=m many.tar 2>err &&
	test_grep "restored 20000 keys" err &&
	flux dump --maxreqs=64 many.tgz 2>err &&
	echo "flux-dump: archived 20016 keys" >expect &&
	test_cmp expect err &&
	tar tf many.tgz >list 2>tar.err &&
	test "$(wc -l <list)" = 20016
'

test_done

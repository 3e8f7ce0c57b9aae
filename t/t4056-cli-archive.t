#!/bin/sh

test_description='flux archive stores files and extracts them on every broker

Covers what only a live tree of brokers shows: blobs travel from rank 0, mapped files are
read where they are, and what --preserve keeps outlives a restart. Options and refusals
are covered by the tests of crates/cli, unsafe paths by those of crates/filemap.
'

. "$(dirname "$0")/sharness.sh"
test_under_flux 3 kvs

test_expect_success 'make files' '
	mkdir -p in/d/e &&
	echo text >in/d/small &&
	dd if=/dev/urandom of=in/d/large bs=1M count=5 2>/dev/null &&
	truncate -s 64M in/d/sparse &&
	echo end >>in/d/sparse &&
	ln -s small in/d/link &&
	chmod 700 in/d/e
'

test_expect_success 'every rank extracts what was stored' '
	flux archive create -C in d &&
	flux exec mkdir -p "$(pwd)/out" &&
	flux exec sh -c "
		mkdir $(pwd)/out/\$(flux getattr rank) &&
		flux archive extract --waitcreate -C $(pwd)/out/\$(flux getattr rank)" &&
	for rank in 0 1 2
	do
		diff -r in/d out/$rank/d || return 1
	done
'

test_expect_success 'holes stay holes, and modes stay' '
	test "$(stat -c %b out/2/d/sparse)" -le 64 &&
	test "$(stat -c %a out/2/d/e)" = 700 &&
	test "$(readlink out/2/d/link)" = small
'

test_expect_success 'an archive is removed' '
	flux archive remove &&
	test_expect_code 1 flux archive list 2>actual &&
	echo "flux-archive: KVS lookup archive.main: No such file or directory" >expect &&
	test_cmp expect actual
'

test_expect_success 'a mapped file is read where it is, on any rank' '
	dd if=/dev/urandom of=in/d/large bs=1M count=5 2>/dev/null &&
	flux archive create -n map --mmap -C in d &&
	flux module stats content >stats &&
	grep "$(pwd)/in/d/large" stats &&
	mkdir mapped &&
	flux exec -r 2 flux archive extract -n map -C "$(pwd)/mapped" &&
	diff -r in/d mapped/d
'

test_expect_success 'contents of a mapped file that changed are not given' '
	flux exec -r 0-2 flux content dropcache &&
	dd if=/dev/zero of=in/d/large bs=1M count=5 conv=notrunc 2>/dev/null &&
	mkdir changed &&
	test_must_fail flux archive extract -n map -C changed d/large 2>err &&
	test -s err
'

test_expect_success 'and with the archive the mapping goes' '
	flux archive remove -n map &&
	flux module stats content >stats &&
	test_must_fail grep "$(pwd)/in/d/large" stats
'

test_expect_success 'only rank 0 maps files' '
	test_must_fail flux exec -r 1 flux archive create -n x --mmap -C "$(pwd)/in" d 2>err &&
	grep "flux-archive: --mmap only works on the rank 0 broker" err
'

test_done

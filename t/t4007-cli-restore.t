#!/bin/sh

test_description='flux restore takes archives of any program; what it and flux dump refuse'

. "$(dirname "$0")/sharness.sh"
test_under_flux 1 kvs

test_expect_success 'a tree with a large value is dumped' '
	head -c 10000000 /dev/urandom >huge &&
	flux kvs put --raw tree.huge=- <huge &&
	flux kvs put tree.text=hello tree.sub.v=1 &&
	flux dump -q one.tar &&
	flux dump -q two.tgz
'

test_expect_success 'an archive of other programs in any order is restored' '
	mkdir -p files/a/b files/c &&
	echo 1 >files/a/x && echo 2 >files/a/b/y && echo 3 >files/c/z && ln -s a.x files/l &&
	tar cf ordered.tar -C files . &&
	tar cf mixed.tar -C files a/x c/z a/b/y l &&
	flux restore --key=files ordered.tar &&
	flux kvs dir -R files >expect &&
	cat >plain <<-\EOF &&
	files.a.b.y = 2
	files.a.x = 1
	files.c.z = 3
	files.l -> a.x
	EOF
	test_cmp plain expect &&
	flux kvs unlink -R files &&
	flux restore --key=files mixed.tar &&
	flux kvs dir -R files >actual &&
	test_cmp expect actual
'

test_expect_success 'keys are listed on demand, and large ones left out' '
	flux dump -v files.tar 2>err &&
	test_grep "^files.a.b.y\$" err &&
	flux restore -v --size-limit=1M --key=small files.tar 2>err &&
	test_grep "skipping: tree.huge exceeds size limit of 1048576 bytes" err &&
	test_grep "^files.a.b.y\$" err &&
	flux kvs get small.tree.text &&
	test_expect_code 1 flux kvs get small.tree.huge
'

# refused TEXT COMMAND...: the command fails with 1 and its first line is TEXT.
refused() {
	echo "$1" >expect &&
	shift &&
	test_expect_code 1 flux "$@" 2>err &&
	head -n 1 err >actual &&
	test_cmp expect actual
}

test_expect_success 'what cannot be is refused' '
	refused "flux-restore: Please specify a restore target with --checkpoint or --key" \
		restore one.tar &&
	refused "flux-restore: please unload kvs module before using --checkpoint" \
		restore --checkpoint one.tar &&
	refused "flux-restore: nope.tar: No such file or directory" restore --key=x nope.tar &&
	refused "flux-dump: x.zip: unknown suffix of an archive" dump x.zip &&
	refused "flux-dump: /nope/x.tar: No such file or directory" dump /nope/x.tar &&
	head -c 5000 /dev/urandom >garbage.tar &&
	refused "flux-restore: garbage.tar: damaged, or not a tar archive" \
		restore --key=garbage garbage.tar &&
	head -c 5000 two.tgz >cut.tgz &&
	test_expect_code 1 flux restore --key=garbage cut.tgz &&
	test_expect_code 1 flux kvs get garbage
'

test_expect_success 'an archive is checked without storing anything' '
	flux restore --check one.tar 2>err &&
	echo "flux-restore: read 3 keys" >expect &&
	test_cmp expect err &&
	test_expect_code 1 flux restore --check --quiet cut.tgz
'

test_expect_success 'a key whose blob is gone ends a dump, or is left out' '
	ref=sha1-0000000000000000000000000000000000000000 &&
	flux kvs put --treeobj "bad.v={\"ver\":1,\"type\":\"valref\",\"data\":[\"$ref\"]}" &&
	flux kvs put --treeobj "bad.d={\"ver\":1,\"type\":\"dirref\",\"data\":[\"$ref\"]}" &&
	refused "flux-dump: bad.v: No such file or directory" dump bad.tar &&
	test ! -e bad.tar &&
	flux dump --ignore-failed-read bad.tar 2>err &&
	test_grep "^flux-dump: bad.v: No such file or directory\$" err &&
	test_grep "^flux-dump: bad.d: No such file or directory\$" err &&
	tar tf bad.tar 2>/dev/null | grep -q tree/text &&
	flux kvs unlink -R bad
'

test_expect_success 'a checkpoint is dumped and restored without the kvs' '
	flux kvs put after=checkpoint &&
	flux module remove kvs-watch &&
	flux module remove kvs &&
	refused "flux-dump: error fetching current KVS root: No service matching kvs.getroot is registered" \
		dump x.tar &&
	flux dump -q --checkpoint point.tgz &&
	test "$(tar xOf point.tgz after)" = checkpoint &&
	mkdir -p new && echo content >new/key &&
	tar cf new.tar -C new key &&
	flux restore --checkpoint new.tar 2>err &&
	test_grep "^flux-restore: writing snapshot sha1-[0-9a-f]\{8\} to checkpoint\$" err &&
	flux module load kvs &&
	flux module load kvs-watch &&
	flux kvs get key >actual &&
	echo content >expect &&
	test "$(flux kvs version)" = 0 &&
	test_expect_code 1 flux kvs get after
'

test_done

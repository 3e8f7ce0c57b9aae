#!/bin/sh

test_description='an instance starts on a damaged file, with what can be read of it

Covers damage done to content.sqlite between two runs of an instance: what the second one
has, what it says, and that the damaged file is kept. Which pages cost what is covered by
the unit tests of the content store.
'

. "$(dirname "$0")/sharness.sh"
test_need_flux

# instance COMMAND...: runs it in an instance that keeps its state in `state`.
instance() {
	flux start -Sferroflux.personality=kvs -Sstatedir="$PWD/state" "$@"
}

# fresh: the state is as it was before the damage.
fresh() {
	rm -rf state && cp -r whole state
}

# noise PAGE: one page of the file, counted from 0, becomes noise.
noise() {
	head -c 4096 /dev/urandom |
		dd of=state/content.sqlite bs=4096 seek="$1" conv=notrunc 2>dd.err
}

cat >fill <<'EOS'
set -e
for dir in $(seq 30)
do
	flux kvs put dir$dir.long="$(seq $dir 400)" dir$dir.short=$dir
done
EOS

# Says which keys are lost. A value is what it was, or it cannot be read.
cat >look <<'EOS'
same() {
	value=$(flux kvs get "$1" 2>>why) || { echo "$1" && return 0; }
	test "$value" = "$2"
}
set -e
for dir in $(seq 30)
do
	same dir$dir.short $dir
	same dir$dir.long "$(seq $dir 400)"
done
flux kvs put new=1
test "$(flux kvs get new)" = 1
EOS


test_expect_success 'there is a file to damage' '
	mkdir state &&
	instance sh fill &&
	cp -r state whole
'

test_expect_success 'without its first page nothing is lost' '
	fresh && noise 0 && cp state/content.sqlite damaged &&
	instance sh look >lost 2>err &&
	test ! -s lost &&
	test_grep "content.sqlite: file is not a database; kept as .*/content.sqlite.damaged-1" err &&
	test_cmp damaged state/content.sqlite.damaged-1
'

test_expect_success 'the next start finds nothing wrong' '
	instance sh look >lost 2>err &&
	test ! -s lost &&
	test_must_fail grep damaged err &&
	test ! -e state/content.sqlite.damaged-2
'

test_expect_success 'a damaged page costs what is on it and no more' '
	pages=$(($(stat -c %s whole/content.sqlite) / 4096)) && page=1 &&
	while test $page -lt $pages
	do
		fresh && noise $page &&
		test_might_fail instance sh look >found 2>err &&
		instance sh look >lost 2>err &&
		test "$(wc -l <lost)" -lt 8 || { echo "page $page" && return 1; }
		page=$((page + 5))
	done
'

test_expect_success 'a file that was cut in half is refused or opens at a whole root' '
	fresh && truncate -s $(($(stat -c %s whole/content.sqlite) / 2)) state/content.sqlite &&
	cp state/content.sqlite damaged &&
	if instance flux kvs ls >out 2>err
	then
		test_cmp damaged state/content.sqlite.damaged-1
	else
		test_grep "content.sqlite: .*malformed; no.* can be read" err &&
		test_cmp damaged state/content.sqlite
	fi
'

test_small_disk 16m

test_expect_success SMALLDISK 'a disk that cannot be written is refused by name, and is all right again later' '
	cp -r whole disk/state &&
	mount -o remount,ro disk &&
	test_expect_code 1 flux start -Sstatedir="$PWD/disk/state" touch ran 2>err &&
	test_grep "disk/state: .*Read-only file system" err &&
	test ! -e ran &&
	mount -o remount,rw disk &&
	flux start -Sferroflux.personality=kvs -Sstatedir="$PWD/disk/state" flux kvs get dir1.short
'

test_done

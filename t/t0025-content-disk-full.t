#!/bin/sh

test_description='a full disk, or a damaged file, costs what was not acknowledged and no more

Covers the content store on a small file system: what is refused and how, that reads
and the instance go on, that all is well by itself when there is room, and that every
acknowledged key is there after a restart. Rollback of single batches is covered by the
unit tests of the content store, a file that can be read in part by t0032.
'

. "$(dirname "$0")/sharness.sh"
test_need_flux

test_small_disk 16m
test_scripts_of_kept

# instance COMMAND...: runs it in an instance that keeps its state in disk/state.
instance() {
	flux start -Sferroflux.personality=kvs -Sstatedir="$PWD/disk/state" "$@"
}

cat >story <<'EOS'
set -e
head -c 14000000 /dev/zero >disk/filler
sh put-until-refused before
cat refusal >refusal.first
test $(wc -l <kept) -gt 3
sh check-kept
for again in 1 2 3
do
	! flux kvs put small=1 2>>refusal.first
done
flux module list >modules
rm disk/filler
flux kvs put after=1
echo after "$(printf 1 | cksum)" >>kept
sh check-kept
flux dmesg >log
EOS

test_expect_success SMALLDISK 'a full disk refuses commits, keeps the rest, and is got over' '
	mkdir disk/state && >kept &&
	instance sh story &&
	test_grep "disk/state/content.sqlite: database or disk is full" refusal.first &&
	test_must_fail grep -v "content.sqlite: database or disk is full" refusal.first &&
	test_grep "content.err.*content.sqlite: database or disk is full" log &&
	test_must_fail grep "being restarted" log
'

test_expect_success SMALLDISK 'after a restart every acknowledged key is there' '
	instance sh check-kept &&
	instance flux kvs get after
'

# fill_up: leaves room for a few keys.
fill_up() {
	free=$(df --output=avail -B1 disk | tail -1) &&
	head -c $((free - 500000)) /dev/zero >disk/filler
}

test_expect_success SMALLDISK 'so it is when the instance ended while the disk was full' '
	fill_up &&
	test_might_fail instance sh put-until-refused ended &&
	rm disk/filler &&
	instance sh check-kept
'

test_expect_success SMALLDISK 'and when it was killed while the disk was full' '
	fill_up &&
	echo "sh put-until-refused killed; kill -9 \$(flux getattr broker.pid)" >kill-it &&
	test_expect_code 137 instance sh kill-it &&
	rm disk/filler &&
	instance sh check-kept
'

test_expect_success SMALLDISK 'a start on a disk without any room is refused by name' '
	mkdir disk/other &&
	test_must_fail dd if=/dev/zero of=disk/filler bs=4096 2>dd.err &&
	test_expect_code 1 flux start -Sstatedir="$PWD/disk/other" touch ran 2>err &&
	test_grep "disk/other.*content.sqlite: database or disk is full" err &&
	test ! -e ran &&
	rm disk/filler &&
	flux start -Sferroflux.personality=kvs -Sstatedir="$PWD/disk/other" flux kvs put a=1
'

# damaged TEXT: a start on the file as it is names it, and says this.
damaged() {
	cp content.sqlite broken.sqlite &&
	test_expect_code 1 flux start -Sstatedir="$PWD/damage" touch ran 2>err &&
	test_grep "content: $PWD/damage/content.sqlite: $1" err &&
	test_grep "rc1: module content failed to load" err &&
	test ! -e ran
}

test_expect_success 'there is a file to damage' '
	mkdir damage &&
	flux start -Sferroflux.personality=kvs -Sstatedir="$PWD/damage" flux kvs put a=1 &&
	cp damage/content.sqlite .
'

test_expect_success 'a file that is something else is refused by name' '
	head -c 100000 /dev/urandom >damage/content.sqlite &&
	damaged "file is not a database"
'

test_expect_success 'a file that was cut short is refused by name' '
	rm -f damage/* && head -c 6000 content.sqlite >damage/content.sqlite &&
	damaged "database disk image is malformed"
'

test_expect_success 'a folder in place of the file is refused by name' '
	rm -f damage/* && mkdir damage/content.sqlite &&
	damaged ""
'

test_expect_success 'the file itself is as good as ever' '
	rm -r damage/* && cp content.sqlite damage &&
	flux start -Sferroflux.personality=kvs -Sstatedir="$PWD/damage" flux kvs get a
'

test_done

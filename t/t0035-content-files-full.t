#!/bin/sh

test_description='a full disk costs an instance on content-files what was not acknowledged

Covers the store of files on a small file system, as t0025 does for SQLite: what is refused
and how, that reads go on, that all is well by itself when there is room, and that every
acknowledged key is there after a restart and after kill -9.
'

. "$(dirname "$0")/sharness.sh"
test_need_flux

test_small_disk 16m
test_scripts_of_kept

# instance COMMAND...: runs it in an instance that keeps its state in disk/state.
instance() {
	flux start -Sferroflux.personality=kvs -Sstatedir="$PWD/disk/state" \
		-Scontent.backing-module=content-files "$@"
}

cat >story <<'EOS'
set -e
head -c 12000000 /dev/zero >disk/filler
sh put-until-refused before
cat refusal >refusal.first
test $(wc -l <kept) -gt 3
sh check-kept
! flux kvs put big="$(cat noise)" 2>>refusal.first
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
	test_grep "disk/state/content.files/.*: No space left on device" refusal.first &&
	test_must_fail grep -v "content.files.*: No space left on device" refusal.first &&
	test_grep "content.err.*content.files/.*: No space left on device" log &&
	test_must_fail grep "being restarted" log
'

test_expect_success SMALLDISK 'after a restart every acknowledged key is there' '
	instance sh check-kept &&
	instance flux kvs get after
'

test_expect_success SMALLDISK 'and when the instance was killed while the disk was full' '
	free=$(df --output=avail -B1 disk | tail -1) &&
	head -c $((free - 500000)) /dev/zero >disk/filler &&
	echo "sh put-until-refused killed; kill -9 \$(flux getattr broker.pid)" >kill-it &&
	test_expect_code 137 instance sh kill-it &&
	rm disk/filler &&
	instance sh check-kept
'

test_expect_success SMALLDISK 'a start on a disk without any room is refused by name' '
	mkdir disk/other &&
	test_must_fail dd if=/dev/zero of=disk/filler bs=4096 2>dd.err &&
	test_expect_code 1 flux start -Sstatedir="$PWD/disk/other" \
		-Scontent.backing-module=content-files touch ran 2>err &&
	test_grep "disk/other.*content.files.*: No space left on device" err &&
	test ! -e ran
'

test_done

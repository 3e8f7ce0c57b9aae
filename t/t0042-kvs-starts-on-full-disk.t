#!/bin/sh

test_description='services that start again while the disk is full answer reads, and go on when there is room

Covers modules that are killed on a full disk, and an instance that is started on one: what
is there can be read, what is new is refused with the reason, and nothing has to be done
when there is room again. What a full disk refuses otherwise is covered by t0025 and t0026.
'

. "$(dirname "$0")/sharness.sh"
test_need_flux

test_small_disk 16m
if ! test_have_prereq SMALLDISK
then
	skip_all='it takes root to mount a small file system'
	test_done
fi
mkdir disk/state

# instance COMMAND...: runs it in an instance that keeps its state in disk/state.
instance() {
	flux start -Sstatedir="$PWD/disk/state" "$@"
}

# Leaves no room at all.
cat >fill-up <<'EOS'
head -c 20000000 /dev/zero >disk/filler 2>full.err
! flux kvs put "full=$(seq 20000 | tr '\n' ' ')" 2>refusal || exit 1
head -c 20000000 /dev/zero >>disk/filler 2>full.err
! flux kvs put full=1 2>>refusal
EOS

# Kills modules, each when the one before it is back.
cat >story <<'EOS'
set -e
flux kvs put before=1
flux submit true >id
flux queue drain
sh fill-up
for module in kvs content job-manager job-ingest job-list
do
	pkill -KILL -P "$(flux getattr broker.pid)" -f "flux-module-$module\$"
	flux ping --count=1 $module >ping.log
	test "$(flux kvs get before)" = 1
	! flux kvs put during=1 2>>refusal.killed
	flux jobs -nac0 -o "{id.f58} {result}" >>jobs
done
! flux submit true 2>>refusal.submit
rm disk/filler
flux kvs put after=1
flux submit true >>id
flux queue drain
flux jobs -nac0 -o "{id.f58} {result}" | sort >jobs.after
EOS

test_expect_success 'modules that are killed on a full disk come back, and reads are answered' '
	instance sh story &&
	test "$(wc -l <jobs)" = 5 &&
	test_grep "COMPLETED" jobs &&
	test_must_fail grep -v "COMPLETED" jobs
'

test_expect_success 'what is new is refused with the reason' '
	test "$(wc -l <refusal.killed)" = 5 &&
	test_must_fail grep -v "database or disk is full" refusal.killed &&
	test_grep "Errno 28\\|disk is full\\|No space left" refusal.submit
'

test_expect_success 'and everything goes on when there is room' '
	sed "s/\$/ COMPLETED/" id | sort >expect &&
	test_cmp expect jobs.after
'

cat >read-only <<'EOS'
set -e
test "$(flux kvs get before)" = 1
flux jobs -nac0 -o "{id.f58} {result}" | sort >jobs.full
! flux kvs put during=2 2>refusal.start
rm disk/filler
flux kvs put after=2
EOS

test_expect_success 'an instance that is started on a full disk answers reads, and goes on too' '
	test_must_fail dd if=/dev/zero of=disk/filler bs=4096 2>dd.err &&
	instance sh read-only &&
	test_cmp expect jobs.full &&
	test_grep "database or disk is full" refusal.start &&
	test "$(instance flux kvs get after)" = 2
'

test_done

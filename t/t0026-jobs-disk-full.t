#!/bin/sh

test_description='jobs wait while the disk is full, and go on when there is room

Covers the services that run jobs when the content store refuses them: submissions are
refused with the reason, what was acknowledged runs once there is room, and no service
is lost meanwhile. The content store itself is covered by t0025.
'

. "$(dirname "$0")/sharness.sh"
test_need_flux

test_small_disk 8m
if ! test_have_prereq SMALLDISK
then
	skip_all='it takes root to mount a small file system'
	test_done
fi
mkdir disk/state

# Submits jobs until the disk is full, then makes room. Ids go to `ids`.
cat >story <<'EOS'
set -e
flux submit true >ids
flux queue drain
free=$(df --output=avail -B1 disk | tail -1)
head -c $((free - 60000)) /dev/zero >disk/filler
while flux submit echo here >>ids 2>refusal
do
	test $(wc -l <ids) -lt 500
done
head -c 8000000 /dev/zero >>disk/filler 2>full || :
! flux submit true 2>>refusal
flux jobs -a >jobs
flux module list >modules
rm disk/filler
flux submit true >>ids
flux queue drain
flux jobs -nac0 -o '{id.f58} {result}' | sort >listed
flux dmesg >log
EOS

test_expect_success 'submissions are refused, and go on by themselves when there is room' '
	flux start -Sstatedir="$PWD/disk/state" sh story &&
	test_grep "Errno 28" refusal &&
	test_grep "content.sqlite: database or disk is full" log
'

test_expect_success 'every acknowledged job has run' '
	sed "s/\$/ COMPLETED/" ids | sort >expect &&
	comm -23 expect listed >lost &&
	test_cmp /dev/null lost
'

test_expect_success 'no service was lost or given up' '
	test_grep "^job-manager .* R " modules &&
	test_grep "^sched-simple .* R " modules &&
	test_must_fail grep -E "being restarted|giving it up" log
'

test_expect_success 'the jobs are there after a restart' '
	flux start -Sstatedir="$PWD/disk/state" \
		flux jobs -nac0 -o "{id.f58} {result}" >again &&
	sort again >actual &&
	test_cmp listed actual
'

test_done

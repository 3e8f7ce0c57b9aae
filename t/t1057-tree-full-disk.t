#!/bin/sh

test_description='a follower whose disk is full serves as before

Covers commits, lookups and jobs on a follower without room for a byte, and what a job there is
told of output that it cannot write: it fails in the end. The disk of rank 0 is covered by t0025, t0026 and t0042.
'

. "$(dirname "$0")/sharness.sh"
test_need_flux

test_small_disk 4m
if ! test_have_prereq SMALLDISK
then
	skip_all='it takes root to mount a small file system'
	test_done
fi
mkdir state

# story COMMANDS: runs them on rank 0 of two brokers whose sockets are on the full disk.
story() {
	cat >story.sh &&
	flux start -s 2 -Sstatedir="$PWD/state" --test-rundir="$PWD/disk" sh -c '
		head -c 20000000 /dev/zero >disk/filler 2>full.err
		! echo more >>disk/filler 2>full.err || exit 1
		. ./story.sh'
}

test_expect_success SMALLDISK 'a commit of the follower is stored, and read on both ranks' '
	story <<-\EOS &&
	flux exec -r1 flux kvs put a=1 && flux kvs get a && flux exec -r1 flux kvs get a
	EOS
	test "$(flux start -Sstatedir="$PWD/state" flux kvs get a)" = 1
'

test_expect_success SMALLDISK 'a job runs there' '
	story >actual <<-\EOS &&
	flux run --requires=rank:1 flux getattr rank
	EOS
	echo 1 >expect && test_cmp expect actual
'

test_expect_success SMALLDISK 'output for a file on the full disk is reported lost, and the next job has room again' '
	story 2>err <<-\EOS &&
	flux run --requires=rank:1 --output=disk/out seq 10000
	test $? = 1 || exit 1
	rm disk/filler
	flux run --requires=rank:1 --output=disk/next seq 3
	EOS
	test_grep "error writing output file disk/out: No space left on device" err &&
	seq 3 >expect && test_cmp expect disk/next
'

test_done

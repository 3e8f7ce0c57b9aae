#!/bin/sh

test_description='a log that nobody reads is no concern of jobs, and what was logged is not lost

Covers what only real processes show: a named pipe that is stuck, a full disk, a follower that is
stopped, and the lines of programs and modules that end in order.
'

. "$(dirname "$0")/sharness.sh"
test_need_flux

# Ten jobs, with more lines in the log than pipes and sockets hold, in an instance of its own.
cat >jobs-run <<'EOF2' && chmod +x jobs-run
i=0
while test $i -lt 400
do
	i=$((i + 1))
	printf 'log.append <24>1 - 0 flood - - - %04000d\n' $i
done | perl "$TEST_HARNESS_DIR/sharness.d/client.pl" "$FLUX_URI" talk >flood.log || exit 1
i=0
while test $i -lt 10
do
	i=$((i + 1))
	flux run echo $i >>ran || exit 1
done
EOF2
export TEST_HARNESS_DIR

# under_sink OPTION...: runs them in an instance with these options.
under_sink() {
	>ran && timeout 120 flux start -S ferroflux.personality=job "$@" sh ./jobs-run &&
		test $(wc -l <ran) = 10
}

test_expect_success OURS 'a log file that is a pipe which nobody reads is not waited for' '
	mkfifo fifo && under_sink -S log-filename="$PWD/fifo"
'

test_expect_success OURS 'nor one whose reader is stopped' '
	{ cat fifo >read & } && reader=$! &&
	kill -STOP $reader && code=0 &&
	{ under_sink -S log-filename="$PWD/fifo" || code=$?; } &&
	kill -KILL $reader && test $code = 0
'

test_expect_success OURS 'nor one on a disk that is full' '
	under_sink -S log-filename=/dev/full 2>err && grep "No space left" err
'

cat >follower <<'EOF2'
flux dmesg --follow >followed &
follower=$!
until test -s followed
do
	flux logger here
done
kill -STOP $follower
sh ./jobs-run
code=$?
kill -KILL $follower
exit $code
EOF2

test_expect_success OURS 'a follower that is stopped is not waited for' '
	>ran && timeout 120 flux start -S ferroflux.personality=job sh ./follower &&
	test $(wc -l <ran) = 10
'

cat >lines <<'EOF2'
flux dmesg --clear
i=0
while test $i -lt 20
do
	i=$((i + 1))
	flux logger "line $i of many" || exit 1
	flux run sh -c "flux logger \"job $i of many\"" || exit 1
done
flux dmesg | grep -c "line .* of many"
flux dmesg | grep -c "job .* of many"
EOF2

test_expect_success OURS 'the lines of programs that end in order are all there' '
	flux start -S ferroflux.personality=job sh ./lines >counts &&
	printf "20\n20\n" >expect && diff expect counts
'

test_done

#!/bin/sh

test_description='an acknowledged commit is never gone without a word

Covers what a damaged store says to an operator after kill -9: in the log, in flux fsck and
in flux startlog, until the operator takes note of it. Which damage costs what is covered
by the unit tests of the content store and by cargo xtask damage.
'

. "$(dirname "$0")/sharness.sh"
test_need_flux

# instance COMMAND...: runs it in an instance that keeps its state in `state`.
instance() {
	flux start -Sstatedir="$PWD/state" "$@"
}

# fresh: the state is as the kill left it.
fresh() {
	rm -rf state && cp -r killed state
}

cat >story <<'EOS'
for i in $(seq 20)
do
	flux kvs put k$i=v$i || exit 1
done
broker=$(flux getattr broker.pid)
# It must not see its modules die; and this shell dies with it, so it is the last.
kill -STOP $broker
kill -9 $(pgrep -P $broker -f flux-module-) $broker
EOS

cat >look <<'EOS'
for i in $(seq 20)
do
	test "$(flux kvs get k$i 2>>why)" = v$i || echo k$i
done >lost
flux fsck >fsck 2>&1
echo $? >fsck.rc
flux dmesg >log
flux startlog >startlog
flux startlog --check --quiet
echo $? >check.rc
EOS

# flip FILE: flips a bit in its middle.
flip() {
	"$PERL" -e "
		open my \$file, '+<', \$ARGV[0] or die;
		my \$at = int((-s \$file) / 2);
		seek \$file, \$at, 0; read \$file, my \$byte, 1;
		seek \$file, \$at, 0; print \$file chr(ord(\$byte) ^ 1);
	" "$1"
}
PERL=${PERL:-perl}

test_expect_success 'an instance is killed' '
	mkdir state &&
	test_expect_code 137 instance sh story &&
	test -s state/content.sqlite-wal &&
	cp -r state killed
'

test_expect_success 'a kill alone is no damage' '
	instance sh look &&
	test_cmp /dev/null lost &&
	test "$(cat fsck.rc)" = 0 &&
	test ! -e state/content.sqlite.damage
'

test_expect_success 'a flipped bit in the log is told, and what lies behind it is there' '
	fresh && flip state/content.sqlite-wal &&
	instance sh look &&
	test "$(wc -l <lost)" -le 1 &&
	test "$(cat fsck.rc)" = 1 && test "$(cat check.rc)" = 1 &&
	for file in fsck log startlog
	do
		test_grep "content.sqlite: .* in the write-ahead log are damaged" $file || return 1
	done &&
	! cmp -s state/content.sqlite.damaged-1-wal killed/content.sqlite-wal
'

test_expect_success 'it is told until someone takes note of it' '
	test_expect_code 1 instance flux fsck --quiet 2>again &&
	test_grep "damage found" again &&
	instance flux fsck --accept &&
	instance flux fsck --quiet 2>err &&
	test_must_fail grep damage err &&
	instance flux startlog >startlog &&
	test_grep damage startlog
'

test_expect_success 'a log that was cut short is told' '
	fresh && truncate -s $(($(stat -c %s killed/content.sqlite-wal) / 2)) state/content.sqlite-wal &&
	instance sh look &&
	test "$(cat fsck.rc)" = 1 &&
	test_grep "transactions .* are lost" fsck
'

test_expect_success 'without the log that had everything there is no start, and it is said why' '
	fresh && rm state/content.sqlite-wal &&
	test_expect_code 1 instance touch ran 2>err &&
	test_grep "transactions 1 to .* are missing; nothing in it can be read" err &&
	test ! -e ran
'

test_expect_success 'an empty file beside its log is told, and the log has everything' '
	fresh && : >state/content.sqlite &&
	instance sh look &&
	test_cmp /dev/null lost &&
	test "$(cat fsck.rc)" = 1 &&
	test_grep "content.sqlite: it is empty" fsck
'

test_expect_success 'a witness that is damaged or missing is told, and costs nothing' '
	fresh && flip state/content.sqlite.witness &&
	instance sh look &&
	test_cmp /dev/null lost && test "$(cat fsck.rc)" = 1 &&
	test_grep "witness is damaged" fsck &&
	fresh && rm state/content.sqlite.witness &&
	instance sh look &&
	test_cmp /dev/null lost && test "$(cat fsck.rc)" = 1 &&
	test_grep "witness is missing" fsck
'

test_done

#!/bin/sh

test_description='an instance is for its owner alone, and its folders for one broker

Covers what only files, sockets and processes show: modes under any umask, folders that
others may write to, a second broker on the folders of the first, and a stranger on the
socket of the modules. Which response passes is covered by the tests of the broker.
'

. "$(dirname "$0")/sharness.sh"
test_need_flux

# What the broker makes for itself is made here.
TMPDIR=$PWD/tmp && mkdir tmp && export TMPDIR

cat >look <<'EOS'
set -e
flux run true
run=$(flux getattr rundir) state=$(flux getattr statedir)
find "$state" "$run" -perm /077 ! -path "$run" ! -type l ! -name local-0 -print
find "$run" -prune -perm 0711 -print >>found
find "$run" -name modules-0 -perm 0700 -print >>found
find "$run" -name local-0 -perm 0777 -print >>found
EOS

# private OPTION...: nothing of an instance is open to others, regardless of what the umask adds,
# but for the way to the local socket.
private() {
	: >found
	(umask 000 && flux start "$@" sh look) >open &&
	test_must_be_empty open &&
	test "$(wc -l <found)" = 3
}

test_must_be_empty() {
	test ! -s "$1" || { cat "$1" && return 1; }
}

test_expect_success 'under umask 000 nothing of an instance is open to others' '
	private &&
	private -Sstatedir="$PWD/new" -Srundir="$PWD/run" &&
	private -Scontent.backing-module=content-files
'

test_expect_success 'what an older release left open is closed' '
	mkdir -m 0700 old &&
	flux start -Sstatedir="$PWD/old" flux kvs put a=1 &&
	chmod 644 old/content.sqlite &&
	private -Sstatedir="$PWD/old"
'

test_expect_success 'a folder that others may write to is refused' '
	mkdir -m 0775 group && mkdir -m 0757 all &&
	for dir in group all
	do
		for name in statedir rundir
		do
			test_expect_code 1 flux start -S$name="$PWD/$dir" touch ran 2>err &&
			test_grep "$name $PWD/$dir: writable by users other than its owner" err ||
				return 1
		done
	done &&
	test ! -e ran
'

# begin: a broker on the folders `state` and `run`, whose pid is in $broker.
begin() {
	flux broker -Sbroker.rc2_none -Sferroflux.personality=kvs -Sstatedir="$PWD/state" \
		-Srundir="$PWD/run1" 2>log &
	broker=$!
	FLUX_URI=local://$PWD/run1/local-0
	export FLUX_URI
	wait_for 30 flux kvs dir
}

test_expect_success 'a second broker on the same folders is refused' '
	mkdir -m 0700 state run1 &&
	begin && flux kvs put a=1 &&
	test_expect_code 1 flux start -Sstatedir="$PWD/state" touch ran 2>err &&
	test_grep "statedir $PWD/state: in use by the broker with pid $broker" err &&
	test_expect_code 1 flux start -Srundir="$PWD/run1" touch ran 2>err &&
	test_grep "rundir $PWD/run1: in use by the broker with pid $broker" err &&
	test ! -e ran &&
	flux kvs put a=2
'

test_expect_success 'not even while the store of the first is away' '
	pkill -KILL -P $broker -f "flux-module-content\$" &&
	test_expect_code 1 flux start -Sstatedir="$PWD/state" touch ran 2>err &&
	test ! -e ran &&
	flux kvs get a >actual && echo 2 >expect && test_cmp expect actual
'

test_expect_success 'when the first was killed, the next has what it left' '
	kill -9 $broker && test_expect_code 137 wait $broker &&
	(unset FLUX_URI && flux start -Sstatedir="$PWD/state" -Srundir="$PWD/run1" \
		flux kvs get a) >actual &&
	test_cmp expect actual
'

# thief: how a stranger fares who greets as the kvs of the instance.
thief() {
	uuid=$(tr "\\0" "\\n" <"/proc/$kvs/environ" | sed -n "s/^FLUX_MODULE_UUID=//p") &&
	perl "$TEST_HARNESS_DIR/sharness.d/thief.pl" "$PWD/run1/modules-0" "$uuid"
}

test_expect_success 'a stranger does not take the place of a module' '
	begin && kvs=$(pgrep -P $broker -f "flux-module-kvs\$") &&
	thief >actual && echo closed >expect && test_cmp expect actual &&
	flux kvs put a=3 && flux kvs get a >actual && echo 3 >expect && test_cmp expect actual &&
	flux dmesg >dmesg && test_grep "is not module kvs: link closed" dmesg &&
	test "$(pgrep -P $broker -f "flux-module-kvs\$")" = "$kvs"
'

test_expect_success 'and the instance ends as ever' '
	kill $broker && wait $broker
'

test_done

#!/bin/sh

test_description='an instance can keep its blobs in a folder instead of one file

Covers the attribute content.backing-module on a whole instance: jobs run, and what was
acknowledged is there after a restart and after kill -9 of content and of the broker.
What the folder holds and how a batch is undone is covered by the unit tests of the
content store.
'

. "$(dirname "$0")/sharness.sh"
test_need_flux

# instance PERSONALITY COMMAND...: runs it in an instance that keeps its state in `state`.
instance() {
	personality=$1
	shift
	flux start -Sferroflux.personality=$personality -Sstatedir="$PWD/state" \
		-Scontent.backing-module=content-files "$@"
}

mkdir state

cat >jobs <<'EOS'
set -e
flux run echo hello >out
flux kvs put a.b=1 long="$(seq 100)"
flux kvs put a.c=2
flux module stats content-files >stats
EOS

test_expect_success 'jobs run, and the folder has the blobs' '
	instance job sh jobs &&
	echo hello >expect &&
	test_cmp expect out &&
	ls state/content.files >files &&
	test_grep "^sha1-.*" files &&
	test ! -e state/content.sqlite &&
	test_grep "\"object_count\":" stats
'

test_expect_success 'a blob is a file of its name' '
	seq 100 | head -c -1 >long &&
	test_cmp long "state/content.files/sha1-$(sha1sum <long | cut -d" " -f1)"
'

cat >look <<'EOS'
set -e
test "$(flux kvs get a.b) $(flux kvs get a.c)" = "1 2"
flux kvs get long >actual
seq 100 >expect
cmp expect actual
EOS

test_expect_success 'after a restart all is there' '
	instance job sh look &&
	instance job flux jobs -ano "{name}" >names &&
	test_grep "^echo$" names
'

cat >kill-content <<'EOS'
set -e
i=0
while test $((i += 1)) -le 20
do
	flux kvs put k$i=$i
	test $((i % 5)) = 0 && pkill -KILL -P $(flux getattr broker.pid) -f "flux-module-content\$"
done
i=0
while test $((i += 1)) -le 20
do
	test "$(flux kvs get k$i)" = $i
done
EOS

test_expect_success 'kill -9 of content loses nothing' '
	instance kvs sh kill-content
'

cat >kill-broker <<'EOS'
i=0
while test $((i += 1)) -le 20
do
	flux kvs put last=$i || exit 1
	echo $i >last
done
kill -9 $(flux getattr broker.pid)
EOS

test_expect_success 'neither does kill -9 of the broker' '
	test_expect_code 137 instance kvs sh kill-broker &&
	instance kvs flux kvs get last >actual &&
	test_cmp last actual &&
	instance kvs sh look
'

test_expect_success 'an unknown store is refused by name at the start' '
	test_expect_code 1 flux start -Scontent.backing-module=content-tape touch ran 2>err &&
	test_grep "content.backing-module=content-tape: must be content-sqlite or content-files" err &&
	test ! -e ran
'

test_expect_success 'the service answers under the name of its store only' '
	flux start -Sferroflux.personality=kvs flux module stats content-sqlite >stats &&
	test_grep "\"journal_mode\":" stats &&
	test_must_fail instance kvs flux module stats content-sqlite
'

test_done

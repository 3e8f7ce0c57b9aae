#!/bin/sh

test_description='garbage is collected while an instance works, and its space is given back

Covers both stores behind an instance that commits all the while: nothing that a key refers
to is deleted, and the disk gets room. What flux gc says is covered by t4015, what a sweep
deletes by the unit tests of the content store.
'

. "$(dirname "$0")/sharness.sh"
test_need_flux

# instance STORE COMMAND...: runs it on a state of its own.
instance() {
	store=$1
	shift
	mkdir -p state.$store &&
	flux start -Sferroflux.personality=kvs -Sstatedir="$PWD/state.$store" \
		-Scontent.backing-module=$store "$@"
}

# Prints a number of the store's statistics.
cat >stat-of <<'EOS'
flux module stats $(flux getattr content.backing-module) | sed -n "s/.*\"$1\": \([0-9]*\).*/\1/p"
EOS

# Values that change: the old ones are garbage.
cat >waste <<'EOS'
set -e
for round in $(seq 20)
do
	head -c 90000 /dev/urandom | base64 -w0 >noise
	flux kvs put big.a="$(cat noise)" keep.k$round=$round
	flux kvs put big.b="$(rev noise)"
done
flux kvs sync
EOS

# Writes, and reads what was written, until there is a file `enough`.
cat >work <<'EOS'
i=0
while test ! -e enough
do
	flux kvs put work.w$((i += 1))="$(seq $i $((i + 100)))" work.last=$i || exit 1
	flux kvs unlink -f work.w$((i - 3)) 2>>unlink.err
	test "$(flux kvs get work.w$i)" = "$(seq $i $((i + 100)))" || exit 1
done
EOS

cat >collect <<'EOS'
set -e
sh waste
sh stat-of object_count >count.before
test $(sh stat-of dbfile_size) -gt 3500000
sh work &
worker=$!
until test "$(flux kvs get --waitcreate work.last)" -gt 20
do
	flux gc 2>>gc.log
	flux kvs sync
done
: >enough
wait $worker
rm enough
flux gc 2>>gc.log
sh stat-of object_count >count.after
test $(cat count.after) -lt $(cat count.before)
for round in $(seq 20)
do
	test $(flux kvs get keep.k$round) = $round
done
last=$(flux kvs get work.last)
for i in $last $((last - 1)) $((last - 2))
do
	test "$(flux kvs get work.w$i)" = "$(seq $i $((i + 100)))"
done
flux kvs get big.a | tr -d '\n' | cmp noise -
flux content dropcache
flux fsck
EOS

for store in content-sqlite content-files
do
	test_expect_success "$store: gc deletes garbage only, while commits go on" "
		>gc.log &&
		instance $store sh collect &&
		test_grep 'gc complete: marked [0-9]*, reclaimed [1-9]' gc.log
	"

	test_expect_success "$store: after a restart all is there" "
		instance $store flux fsck &&
		test \"\$(instance $store flux kvs get keep.k20)\" = 20
	"
done

test_expect_success 'the file has given its space back' '
	size=$(stat -c %s state.content-sqlite/content.sqlite) &&
	echo "$size bytes" &&
	test $size -gt 100000 &&
	test $size -lt 2500000
'

test_expect_success 'kill -9 of content during a collection costs nothing' '
	cat >killed <<-\EOS &&
	set -e
	sh waste
	flux gc 2>gc.err &
	gc=$!
	for again in 1 2 3
	do
		pkill -KILL -P $(flux getattr broker.pid) -f "flux-module-content\$"
		flux kvs put again=$again
	done
	wait $gc
	flux fsck
	EOS
	instance content-sqlite sh killed
'

test_done

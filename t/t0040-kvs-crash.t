#!/bin/sh

test_description='what the key-value store has acknowledged outlives every kind of kill

Covers real processes and real files: modules killed in turn while keys are put and a
log is appended to and followed, then the broker, then a new instance on the same state
directory. cargo xtask crash does the same for longer, and the simulator in every order.
'

. "$(dirname "$0")/sharness.sh"
test_need_flux

# instance COMMAND...: runs it in an instance that keeps its state in `state`.
instance() {
	flux start -Sferroflux.personality=kvs -Sstatedir="$PWD/state" "$@"
}
mkdir state

# Kills the modules in turn, each when the one before it is back, until `enough` appears.
test_script_kill_in_turn

# write FROM TO: puts keys and appends entries. What was acknowledged goes to `kept` and
# `logged`, complaints to `refused`.
cat >write <<'EOS'
for i in $(seq -f %03g "$1" "$2")
do
	flux kvs put dir$((1$i % 7)).k$i=$i 2>>refused && echo dir$((1$i % 7)).k$i $i >>kept
	flux kvs eventlog append log e$i 2>>refused && echo e$i >>logged
done
:
EOS

cat >story <<'EOS'
set -e
flux kvs eventlog append log e000
flux kvs eventlog get --watch log >followed 2>follower.err &
sh kill-in-turn kvs content kvs-watch &
sh write 1 30
touch enough
wait $!
flux kvs eventlog get log >log.before
kill -KILL $(flux getattr broker.pid)
EOS

# Everything acknowledged is there, once and in order, and nothing else.
cat >check <<'EOS'
set -e
while read key value
do
	test "$(flux kvs get $key)" = $value
done <kept
flux kvs eventlog get log >log
cut -d" " -f2 log >names
sort -c -u names
comm -23 logged names >lost
test ! -s lost
head -n "$(wc -l <followed)" log | cmp - followed
EOS

test_expect_success 'modules are killed under writers, and then the broker' '
	>kept && >logged && >refused && >followed &&
	test_expect_code 137 instance sh story >story.out 2>&1 &&
	test "$(cat kills)" -ge 3 &&
	test -s kept && test -s logged
'

test_expect_success 'what was acknowledged is there in a new instance' '
	instance sh check
'

test_expect_success 'followers of the log saw each entry once and in order' '
	test -s followed &&
	cut -d" " -f2 followed >names &&
	sort -c -u names
'

test_expect_success 'the new instance goes on where the old one was' '
	cat >more <<-\EOS &&
	set -e
	before=$(flux kvs version)
	sh write 31 33
	test $(flux kvs version) = $((before + 6))
	sh check
	EOS
	rm -f enough && : >followed &&
	instance sh more
'

test_done

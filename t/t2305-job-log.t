#!/bin/sh

test_description='jobs come back from every layout of the job log, and from damaged ones

Covers what only a live instance can show: state directories of each version of the job
log and of flux-core (t/dumps), which are read through the real key-value store, and
damage to real values. What each record means, and every other kind of damage, is in the
unit tests of joblog/ and in transcripts of the job manager.
'

. "$(dirname "$0")/sharness.sh"
test_need_flux

DUMPS=$TEST_HARNESS_DIR/dumps

# restored NAME COMMAND...: runs COMMAND in an instance with what t/dumps/NAME has.
restored() {
	name=$1 &&
	shift &&
	rm -rf "$name" &&
	cp -R "$DUMPS/$name" "$name" &&
	find "$name" -name "*.b64" >binaries &&
	while read -r file
	do
		base64 -d <"$file" >"${file%.b64}" && rm "$file" || return 1
	done <binaries &&
	tar cf "$name.tar" -C "$name" . &&
	flux start -Scontent.restore="$PWD/$name.tar" "$@"
}

# instance COMMAND...: runs it in an instance that keeps its state in `state`.
instance() {
	flux start -Sstatedir="$PWD/state" "$@"
}

# What became of the jobs, what is left to run, and what the job manager said of its start.
cat >look <<'EOS'
flux jobs -Anao "{id} {status} {name}" >jobs
flux dmesg | grep job-manager | sed "s/^.*job-manager/job-manager/" >said
EOS

# The job that is held goes on, and the log goes on after it.
cat >go-on <<'EOS'
. ./look
flux job urgency "$1" 16 &&
flux job wait-event -t 30 "$1" clean >clean &&
flux module reload job-manager &&
flux jobs -Anao "{id} {status} {name}" >jobs-after &&
flux dmesg | grep "reading every" >walked-after
flux kvs get job-log.head >head
EOS

for version in 1 2
do
	test_expect_success "a job log of version $version is read" '
		held=$(sed -n "s/ SCHED .*//p" "$DUMPS/job-log-$version.jobs") &&
		restored job-log-$version sh ./go-on "$held" &&
		test_cmp "$DUMPS/job-log-$version.jobs" jobs &&
		test_grep "restart: 4 jobs" said &&
		! grep "reading every" said &&
		sed "s/ SCHED / COMPLETED /" jobs | sort >expect &&
		sort jobs-after >actual &&
		test_cmp expect actual &&
		test_cmp /dev/null walked-after &&
		test_grep "\"version\":2.*\"active\":0,\"inactive\":4" head
	'
done

test_expect_success 'a job log of an earlier version is read by its rows, not by keys' '
	rm -rf keyless && cp -R "$DUMPS/job-log-1" keyless &&
	for log in $(grep -l clean keyless/job/*/*/*/*/eventlog)
	do
		rm -r "$(dirname "$log")" || return 1
	done &&
	base64 -d <keyless/job-log/level0.b64 >keyless/job-log/level0 &&
	tar cf keyless.tar -C keyless . &&
	flux start -Scontent.restore="$PWD/keyless.tar" sh ./look &&
	test_cmp "$DUMPS/job-log-1.jobs" jobs
'

test_expect_success 'a state directory of flux-core is read by its keys' '
	held=$(flux job id --to=f58 job.0000.0014.ec00.0000) &&
	cat >core <<-\EOS &&
	. ./go-on
	shift
	flux kvs dir -R job-lost+found >lost
	for id in "$@"
	do
		flux kvs get job-lost+found.job.$id.reason || exit 1
	done >reasons
	EOS
	flux job id --to=f58 job.0000.0015.0000.0000 job.0000.0016.0000.0000 \
		job.0000.0017.0000.0000 >damaged &&
	restored flux-core sh ./core "$held" $(cat damaged) &&
	cat >expect <<-\EOF &&
	SCHED hostname
	CANCELED hostname
	COMPLETED hostname
	EOF
	cut -d" " -f2- jobs >actual &&
	test_cmp expect actual &&
	test_grep "restart: 3 jobs" said
'

test_expect_success 'its damaged jobs are set aside, each with the reason' '
	cat >expect <<-\EOF &&
	eventlog does not end with a newline
	R is missing or malformed
	jobspec is missing or malformed
	EOF
	test_cmp expect reasons &&
	for id in $(cat damaged)
	do
		test_grep "job $id not replayed: " said &&
		test_grep "job $id was moved to job-lost+found.job.$id" said &&
		test_grep "job-lost+found.job.$id.eventlog" lost || return 1
	done
'

# Damages the log in one way after each start, and says what the next one makes of it.
cat >damage <<'EOS'
set -e
flux kvs get --raw job-log.level0 >level0
size=$(wc -c <level0)
case $1 in
bit)
	head -c $((size / 2)) level0 >damaged
	head -c $((size / 2 + 1)) level0 | tail -c 1 | tr "\000-\377" "\001-\377\000" >>damaged
	tail -c $((size - size / 2 - 1)) level0 >>damaged
	flux kvs put --raw job-log.level0=- <damaged ;;
tail) flux kvs unlink job-log.level0 ;;
head) flux kvs unlink job-log.head ;;
gap) flux kvs put job-log.seg.0.0= job-log.seg.0.2= ;;
esac
EOS

cat >check <<'EOS'
flux jobs -ano "{id} {status}" >jobs
flux dmesg | sed -n "/job-log/p" >said
EOS

test_expect_success 'jobs are run' '
	mkdir state &&
	instance sh -c "flux submit --quiet --cc=1-5 true && flux queue drain &&
		flux submit --quiet --urgency=hold true && flux jobs -ano \"{id} {status}\"" >expect &&
	test $(wc -l <expect) = 6 &&
	instance sh ./check &&
	test_cmp expect jobs
'

# damaged HOW WHAT: what the start says of it, and that no job is missing.
damaged() {
	instance sh ./damage $1 &&
	instance sh ./check &&
	test_cmp expect jobs &&
	test_grep "$2: reading every job" said &&
	instance sh ./check &&
	test_cmp expect jobs &&
	! grep "reading every" said
}

test_expect_success 'a flipped bit, a lost end and a missing piece are found, and no job is lost' '
	damaged bit "job-log.level0: checksum mismatch" &&
	damaged tail "job-log: its sum is .*; its head has 1 active, 5 inactive.*" &&
	damaged gap "job-log.seg.0.1: it is missing" &&
	instance sh ./damage head &&
	instance sh ./check &&
	test_cmp expect jobs
'

test_done

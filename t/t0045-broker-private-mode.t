#!/bin/sh

test_description='in private mode a guest does not learn that others have jobs

Covers every method of a whole instance that takes a job id and that a guest may call: it
is answered for a job of another user as for one that is not there. What each module
counts and lists is covered by its unit tests.
'

. "$(dirname "$0")/sharness.sh"
if ! test_have_prereq ROOT || ! command -v setpriv >/dev/null ||
	! perl -MSocket -e 1 2>/dev/null
then
	skip_all='it takes root, setpriv and perl to be somebody else'
	test_done
fi
test_under_flux 1 job

# as_guest TOPIC JSON: prints number and text of the answer to another user.
as_guest() {
	printf "%s\0" "$2" | HOME=/nonexistent setpriv --reuid=65534 --regid=65534 --clear-groups \
		perl "$TEST_HARNESS_DIR/sharness.d/client.pl" "$(flux getattr local-uri)" rpc "$1"
}

# private true|false: whether others' jobs are hidden from guests, who may connect.
private() {
	printf "[access]\nallow-guest-user = true\nprivate-mode = $1\n" | flux config load
}

cat >topics <<'END'
job-manager.getattr {"id":ID,"attrs":["eventlog"]}
job-manager.raise {"id":ID,"severity":7,"type":"x"}
job-manager.kill {"id":ID,"signum":10}
job-manager.urgency {"id":ID,"urgency":3}
job-manager.memo {"id":ID,"memo":{"a":1}}
job-list.list-id {"id":ID,"attrs":["all"]}
job-list.list-id {"id":ID,"attrs":["all"],"state":64}
job-info.lookup {"id":ID,"keys":["J"],"flags":0}
job-info.lookup {"id":ID,"keys":["guest"],"flags":0}
job-info.update-lookup {"id":ID,"key":"R","flags":0}
job-exec.critical-ranks {"id":ID,"ranks":"0"}
job-exec.shell-barrier {"id":ID,"rank":0}
job-exec.override {"jobid":ID,"event":"start"}
kvs.getroot {"namespace":"job-ID"}
kvs.lookup {"namespace":"job-ID","key":"exec","flags":0}
kvs.commit {"namespace":"job-ID","ops":[],"flags":0}
kvs.wait-version {"namespace":"job-ID","rootseq":9}
kvs-watch.lookup {"namespace":"job-ID","key":"exec.eventlog","flags":0}
0-shell-F58.proctable {}
END

# answers ID F58: what a guest is told of it, a line for each topic.
answers() {
	while read -r topic payload
	do
		topic=$(echo "$topic" | sed "s/F58/$2/")
		payload=$(echo "$payload" | sed "s/ID/$1/")
		as_guest "$topic" "$payload" | sed "s/$1/ID/; s/$2/F58/" || return 1
	done <topics
}

test_expect_success 'the owner has a job that runs, and one that is over' '
	flux submit true >over && flux queue drain &&
	flux submit tail -f /dev/null >id && wait_state "$(cat id)" run &&
	for file in over id
	do
		flux job id --to=dec "$(cat $file)" >$file.dec &&
		sed "s/^ƒ/f/" $file >$file.f58 || return 1
	done
'

test_expect_success 'without private mode a guest is told that they are not its own' '
	private false &&
	as_guest job-manager.kill "{\"id\":$(cat id.dec),\"signum\":10}" >answer &&
	test_grep "^1 guests may only send signals to their own jobs" answer &&
	as_guest kvs.getroot "{\"namespace\":\"job-$(cat id.dec)\"}" >answer &&
	test_grep "^1" answer
'

test_expect_success 'in private mode they are as jobs that never were' '
	private true &&
	answers 123456789 fBukQL >expect &&
	for file in id over
	do
		answers "$(cat $file.dec)" "$(cat $file.f58)" >actual &&
		test_cmp expect actual || return 1
	done
'

test_expect_success 'nor is a guest told how many there are' '
	for topic in job-manager.getinfo job-manager.stats-get job-manager.alloc-query \
		job-list.job-stats job-list.stats-get job-ingest.stats-get
	do
		as_guest $topic "{}" >answer && test_grep "^1" answer || return 1
	done &&
	as_guest job-list.list "{\"max_entries\":0,\"attrs\":[\"id\"]}" >answer &&
	test_grep "{\"jobs\":\[\]}" answer
'

test_expect_success 'a guest is told of no namespace, and of no root, in any mode' '
	for mode in true false
	do
		private $mode &&
		for topic in kvs.stats-get kvs-watch.stats-get
		do
			as_guest $topic "{}" >answer && test_grep "^0" answer &&
			test_must_fail grep -E "job-[0-9]|primary|sha1-" answer || return 1
		done
	done
'

test_expect_success 'the owner is told all' '
	private true &&
	flux jobs -nao "{id}" >listed && test "$(wc -l <listed)" = 2 &&
	flux module stats kvs >stats && test_grep primary stats &&
	flux cancel "$(cat id)" && wait_state "$(cat id)" inactive
'

test_done

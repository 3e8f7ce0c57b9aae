#!/bin/sh

test_description='job-ingest: signed jobspecs that have much in common share what they have in common
'

. "$(dirname "$0")/sharness.sh"
test_under_flux 1 job

# parts ID: the blobs of J, a line each.
parts() {
	flux kvs get --treeobj "$(flux job id --to=kvs "$1").J" | grep -o "sha1-[0-9a-f]*"
}

# own ID: what J says when its parts are put together by hand.
own() {
	for part in $(parts "$1")
	do
		flux content load "$part" || return 1
	done
}

test_expect_success 'jobs with the same large environment are submitted' '
	flux queue stop --quiet &&
	LARGE=$(head -c 4000 /dev/urandom | od -An -tx1 | tr -d " \n") &&
	export LARGE &&
	flux submit --cc=1-12 true >ids &&
	test "$(wc -l <ids)" -eq 12
'

test_expect_success OURS 'the first is whole, and the others share a part with another' '
	parts "$(head -n 1 ids)" >first &&
	test "$(wc -l <first)" -eq 1 &&
	for id in $(cat ids)
	do
		parts "$id" || return 1
	done >all &&
	sort all | uniq -d >shared &&
	test "$(wc -l <shared)" -ge 1 &&
	for id in $(tail -n 8 ids)
	do
		parts "$id" | grep -qFf shared || return 1
	done
'

test_expect_success 'each J is read in one piece, and is that of its job' '
	n=0 &&
	for id in $(cat ids)
	do
		n=$((n + 1)) &&
		flux job info "$id" J >whole &&
		own "$id" >joined &&
		echo >>joined &&
		test_cmp joined whole &&
		cut -d. -f2 whole | base64 -d >jobspec &&
		test_grep "\"FLUX_JOB_CC\":\"$n\"" jobspec &&
		test_grep "\"LARGE\":\"$LARGE\"" jobspec || return 1
	done
'

test_expect_success OURS 'a collection keeps them, and a dump and a restore too' '
	id=$(tail -n 1 ids) &&
	flux job info "$id" J >before &&
	flux kvs put --sync collected=1 &&
	flux gc &&
	flux kvs dropcache &&
	flux content dropcache &&
	flux job info "$id" J >after &&
	test_cmp before after &&
	flux fsck &&
	flux dump all.tar &&
	flux restore --key=copy all.tar &&
	flux kvs get "copy.$(flux job id --to=kvs "$id").J" >restored &&
	test_cmp before restored
'

test_expect_success 'the jobs run' '
	unset LARGE &&
	flux queue start &&
	flux queue drain &&
	flux jobs -a --no-header --format="{result}" >results &&
	echo COMPLETED >expect &&
	sort -u results >actual &&
	test_cmp expect actual
'

test_done

#!/bin/sh

test_description='jobs come in on every rank

Covers what needs several brokers: ids of different ranks, ranks that make none, and what a
rank says that starts before rank 0. What is checked of a job is covered by the tests of the
module.
'

. "$(dirname "$0")/sharness.sh"
test_under_flux 4 job

# millis ID: when the id was made.
millis() {
	flux job id --to=dec "$1" | awk '{ printf "%d\n", $1 / 16777216 }'
}

# has_ingest RANK
has_ingest() {
	on "$1" flux module list | grep -q "^job-ingest "
}

test_expect_success 'a job is submitted on every rank, and its id is that of the rank' '
	for rank in 0 1 2 3
	do
		id=$(on $rank flux submit true) && flux job wait-event --timeout=30s $id submit &&
		generator=$(flux job id --to=dec $id | perl -ne "print ((\$_ >> 10) & 16383)") &&
		test "$generator" = $rank || return 1
	done
'

test_expect_success 'ids of ranks are in the order of their times' '
	first=$(flux submit true) && second=$(on 1 flux submit true) &&
	test "$(millis "$first")" -le "$(millis "$second")"
'

test_expect_success 'a rank that is too high makes no ids, and submits all the same' '
	on 3 flux module reload job-ingest max-fluid-generator-id=2 &&
	test_must_fail has_ingest 3 &&
	id=$(on 3 flux submit true) && wait_event $id submit &&
	on 2 flux module reload job-ingest max-fluid-generator-id=2 && has_ingest 2 &&
	on 3 flux module load job-ingest && has_ingest 3
'

test_expect_success 'rank 0 comes first' '
	flux module remove job-ingest &&
	test_when_finished "on 1 flux module load job-ingest" &&
	test_when_finished "flux module load job-ingest" &&
	on 1 flux module remove job-ingest &&
	test_must_fail on 1 flux module load job-ingest 2>err &&
	test_grep "load job-ingest: job-ingest must be loaded on rank 0 first" err &&
	on 1 flux dmesg >log && test_grep "job-ingest must be loaded on rank 0 first" log
'

test_done

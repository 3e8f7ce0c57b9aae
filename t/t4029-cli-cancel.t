#!/bin/sh

test_description='flux cancel: jobs by id, and all that are chosen
'

. "$(dirname "$0")/sharness.sh"
test_under_flux 1 job

# two_jobs: submits a job that runs and one that is held.
two_jobs() {
	flux submit --wait-event=start tail -f /dev/null >runs &&
	flux submit --urgency=hold true >held
}

test_expect_success 'jobs are cancelled without a word' '
	two_jobs &&
	flux cancel -m "not needed" $(cat runs held) >actual 2>&1 &&
	test_cmp /dev/null actual &&
	flux queue drain &&
	flux jobs -no "{inactive_reason}" $(cat runs held) >actual &&
	printf "%s\n" "Canceled: not needed" "Canceled: not needed" >expect &&
	test_cmp expect actual
'

test_expect_success 'a job that is over needs no cancelling' '
	flux cancel $(cat runs)
'

test_expect_success 'a job that was never there is told' '
	test_expect_code 1 flux cancel 99 2>actual &&
	echo "flux-cancel: ERROR: ƒ2i: unknown job id" >expect &&
	test_cmp expect actual
'

test_expect_success 'who names no jobs is told' '
	test_expect_code 1 flux cancel 2>actual &&
	echo "flux-cancel: ERROR: No target jobs were provided" >expect &&
	test_cmp expect actual
'

test_expect_success '--dry-run counts' '
	two_jobs &&
	flux cancel --all -n 2>actual &&
	echo "flux-cancel: Would cancel 2 jobs" >expect &&
	test_cmp expect actual &&
	flux cancel -S pending -n 2>actual &&
	echo "flux-cancel: Would cancel 1 job" >expect &&
	test_cmp expect actual
'

test_expect_success 'states choose' '
	flux cancel --all --states=running 2>actual &&
	echo "flux-cancel: Canceled 1 job (0 errors)" >expect &&
	test_cmp expect actual &&
	test_expect_code 143 flux job attach $(cat runs) &&
	test "$(flux jobs -no "{id.f58}" $(cat held))" = "$(cat held)"
'

test_expect_success 'users choose' '
	flux cancel -u nobody 2>actual &&
	echo "flux-cancel: Matched 0 jobs" >expect &&
	test_cmp expect actual &&
	flux cancel -u all 2>actual &&
	echo "flux-cancel: Canceled 1 job (0 errors)" >expect &&
	test_cmp expect actual
'

test_expect_success 'that there are none is said, but not to who is quiet' '
	flux cancel --all 2>actual &&
	echo "flux-cancel: Matched 0 jobs" >expect &&
	test_cmp expect actual &&
	flux cancel --all --quiet 2>actual &&
	test_cmp /dev/null actual
'

test_done

#!/bin/sh

test_description='flux job trace: the way of a job through all services

How a table, phases and a trace file are made of what is known is covered by the tests of the
command.
'

. "$(dirname "$0")/sharness.sh"
test_under_flux 2 job

# steps FILE [WHERE]: the steps of a table, of one place or of all, on one line.
steps() {
	awk -v where="$2" 'NR > 1 && (where == "" || $4 == where) { printf "%s ", $5 }' "$1"
}

test_expect_success 'a job that waits has got as far as the queue' '
	id=$(flux submit --urgency=hold true) &&
	flux job trace $id >actual &&
	test "$(steps actual "job-ingest[0]")" = "numbered store-asked stored answered " &&
	steps actual "job-manager[0]" >found &&
	test_grep "^submit taken validate depend priority " found &&
	test_must_fail grep alloc actual &&
	flux job trace --phases $id >actual &&
	test_grep "^queue .* so far$" actual &&
	flux cancel $id
'

test_expect_success 'one that is over has gone through all of them' '
	flux submit --wait true >id &&
	flux job trace $(cat id) >actual &&
	test "$(steps actual "sched[0]")" = "queued allocated freed " &&
	steps actual "job-exec[0]" >found &&
	for step in start-taken init starting shell-spawned shell-runs shell-hello shell-told shell-exit \
		end-told complete done
	do
		test_grep -w -e "$step" found || return 1
	done &&
	test "$(steps actual "job-shell[0]")" = "shell.init shell.start shell.task-exit " &&
	steps actual "job-manager[0]" >found &&
	test_grep "alloc-asked .*alloc .*start-asked .*start .*finish .*release .*free .*clean" found &&
	awk "NR > 1 { print \$1 }" actual >times &&
	sort -n -c times
'

test_expect_success 'its phases are those of its life' '
	flux job trace --phases $(cat id) >actual &&
	echo "PHASE ingest depend priority queue start run end clean " >expect &&
	awk "{ printf \"%s \", \$1 } END { print \"\" }" actual >found &&
	test_cmp expect found
'

test_expect_success 'shells of other ranks are told with their ranks' '
	id=$(flux submit --wait -N2 true) &&
	flux job trace $id >actual &&
	for rank in 0 1
	do
		steps actual "job-exec[$rank]" >found &&
		test_grep "shell-spawned .*shell-hello .*barrier-come .*barrier-open .*shell-exit" found ||
			return 1
	done
'

test_expect_success 'with --follow it waits for the end' '
	held=$(flux submit --urgency=hold true) &&
	{
		flux job trace --follow $held >actual &
	} &&
	follower=$! &&
	flux job urgency $held default &&
	wait $follower &&
	test_grep " clean$" actual
'

test_expect_success 'as JSON, and as a file for a viewer' '
	flux job trace --json $(cat id) >actual &&
	test_grep "\"over\":true,\"steps\":\[{\"began\":0.0,\"waited\":0.0,\"service\":\"job-manager\"" actual &&
	test_grep "\"phases\":\[{\"phase\":\"ingest\",\"began\":0.0,\"took\":" actual &&
	flux job trace --chrome=trace.json $(cat id) >actual &&
	test ! -s actual &&
	test_grep "\"traceEvents\":\[{" trace.json &&
	test_grep "\"name\":\"job-exec\[0\]\"" trace.json
'

test_expect_success 'a guest sees the logs of its job, and is told what it does not see' '
	FLUX_HANDLE_ROLEMASK=0x2 flux job trace $(cat id) >actual 2>err &&
	echo "flux-job: only the owner of the instance sees the steps that services note" >expect &&
	test_cmp expect err &&
	test_grep " shell.start" actual &&
	test_must_fail grep numbered actual
'

test_expect_success 'a job of an instance that is a job is named by a path' '
	outer=$(flux alloc --bg -n1) &&
	inner=$(flux proxy $outer flux submit --wait true) &&
	flux job trace $outer/$inner >actual &&
	test_grep " clean$" actual &&
	flux cancel $outer
'

test_expect_success 'what is not there is refused' '
	test_expect_code 1 flux job trace f1 2>actual &&
	echo "flux-job: job f1 not found" >expect &&
	test_cmp expect actual &&
	test_expect_code 1 flux job trace --chrome=/nonexistent/x $(cat id) 2>actual &&
	echo "flux-job: /nonexistent/x: No such file or directory" >expect &&
	test_cmp expect actual
'

test_done

#!/bin/sh

test_description='job-list and the journal: where it knows jobs from, and job managers that go and come

What is asked of the next job manager is covered by the tests of the module.
'

. "$(dirname "$0")/sharness.sh"
test_under_flux 1 job

# Ids and results of all jobs, as job-list tells them.
all() {
	flux jobs -nac0 -o "{id.dec} {state} {result} {ranks} {nnodes} {ntasks} {expiration}"
}

# traced: a trace of job-list that has begun is in the file trace, its process in $tracer.
trace() {
	flux module trace job-list >trace 2>err &
	tracer=$!
	has_begun() {
		flux ping --count=1 job-list >/dev/null && grep -q job-list.ping trace
	} &&
	wait_for 20 has_begun
}

test_expect_success 'there are jobs of all kinds' '
	flux submit --quiet --cc=1-20 --wait true &&
	test_must_fail flux submit --wait false &&
	flux submit --urgency=hold true >held &&
	flux submit --wait-event=start tail -f /dev/null >runs &&
	flux cancel $(flux submit --urgency=hold true) &&
	all >before &&
	test $(wc -l <before) = 24
'

test_expect_success 'a reload asks the journal and neither the KVS nor job-info' '
	trace &&
	flux module reload job-list &&
	all >after &&
	test_cmp before after &&
	flux module stats job-list >stats &&
	has_stats() {
		grep -q job-list.stats-get trace
	} &&
	wait_for 20 has_stats &&
	kill $tracer &&
	test_grep "tx job-list > job-manager.events-journal " trace &&
	test_must_fail grep -E "(kvs|kvs-watch|job-info|content)\." trace
'

test_expect_success 'job-list stays when job-manager is reloaded' '
	flux dmesg -C &&
	flux module reload job-manager &&
	flux submit --wait true >id &&
	flux jobs -no "{result}" $(cat id) >actual &&
	echo COMPLETED >expect &&
	test_cmp expect actual &&
	flux module list | grep -q job-list &&
	all | grep -v "^$(flux job id --to=dec $(cat id)) " >again &&
	test_cmp before again &&
	flux dmesg >log &&
	test_must_fail grep -E "job-list.*(err|not in hash)" log
'

test_expect_success 'job-list stays when job-manager is killed' '
	all >before &&
	pkill -KILL -P "$(flux getattr broker.pid)" -f "flux-module-job-manager\$" &&
	all >after &&
	test_cmp before after
'

test_expect_success 'without a job-manager what was known is told' '
	flux module remove job-manager &&
	all >after &&
	test_cmp before after &&
	flux module load job-manager &&
	flux submit --wait true &&
	is_told() {
		all >after && test $(wc -l <after) = $(($(wc -l <before) + 1))
	} &&
	wait_for 10 is_told
'

test_expect_success 'an operator may have job-list end with the journal' '
	echo "job-list.journal-end = \"exit\"" | flux config load &&
	flux module remove job-manager &&
	has_ended() {
		flux dmesg | grep -q "module job-list waits for module job-manager"
	} &&
	wait_for 20 has_ended &&
	flux dmesg >log &&
	test_grep "journal: EOF (exiting)" log &&
	flux module load job-manager &&
	all >again &&
	test_cmp after again
'

test_expect_success 'the log says that the history goes out' '
	flux dmesg >log &&
	test_grep "begin sending journal backlog: [0-9]* jobs" log &&
	test_grep "finished sending journal backlog" log
'

test_expect_success 'the size of the journal cannot be limited' '
	echo "job-manager.journal-size-limit = 100" >limit.toml &&
	test_must_fail flux config load limit.toml 2>err &&
	test_grep journal-size-limit err
'

test_expect_success 'the jobs that are left end' '
	flux cancel $(cat held) $(cat runs) &&
	flux queue drain
'

test_done

#!/bin/sh

test_description='flux queue: whether jobs are taken and run, and waiting for them
'

. "$(dirname "$0")/sharness.sh"
test_under_flux 1 job

test_expect_success 'jobs are taken and run at first' '
	flux queue status >actual &&
	printf "%s\n" "Job submission is enabled" "Scheduling is started" >expect &&
	test_cmp expect actual
'

test_expect_success 'a disabled queue takes no jobs, and says why' '
	flux queue disable --message="back at noon" >actual &&
	echo "Job submission is disabled: back at noon" >expect &&
	test_cmp expect actual &&
	test_expect_code 1 flux submit true 2>actual &&
	echo "[Errno 22] job submission is disabled: back at noon" >expect &&
	test_cmp expect actual
'

test_expect_success 'the reason is the usual one if none is given' '
	flux queue disable >actual &&
	echo "Job submission is disabled: disabled by administrator" >expect &&
	test_cmp expect actual
'

test_expect_success 'an enabled queue takes jobs again' '
	flux queue enable >actual &&
	echo "Job submission is enabled" >expect &&
	test_cmp expect actual &&
	flux submit true
'

test_expect_success 'a stopped queue runs no jobs' '
	flux queue stop --message=later >actual &&
	echo "Scheduling is stopped: later" >expect &&
	test_cmp expect actual &&
	flux submit true >id &&
	wait_event $(cat id) priority -q &&
	flux queue idle >actual &&
	echo "1 jobs" >expect &&
	test_cmp expect actual
'

test_expect_success 'a drain gives up after its time' '
	test_expect_code 1 flux queue drain -t 1ms 2>actual &&
	echo "flux-queue: drain: timeout" >expect &&
	test_cmp expect actual
'

test_expect_success 'a started queue runs them' '
	flux queue start >actual &&
	echo "Scheduling is started" >expect &&
	test_cmp expect actual &&
	flux queue drain &&
	flux job status $(cat id)
'

test_expect_success 'an idle queue says that nothing waits, a quiet one nothing' '
	flux queue idle >actual &&
	echo "0 jobs" >expect &&
	test_cmp expect actual &&
	flux queue idle --quiet >actual &&
	flux queue stop --quiet >>actual &&
	flux queue start --quiet >>actual &&
	test_cmp /dev/null actual
'

test_expect_success '-v counts requests and jobs' '
	id=$(flux submit --wait-event=start tail -f /dev/null) &&
	flux queue status -v >actual &&
	flux cancel $id &&
	cat >expect <<-EOF &&
	Job submission is enabled
	Scheduling is started
	0 alloc requests queued
	0 alloc requests pending to scheduler
	1 running jobs
	EOF
	test_cmp expect actual
'

test_expect_success 'a queue that is not there is named' '
	test_expect_code 1 flux queue status nosuch 2>actual &&
	echo "flux-queue: status: '\''nosuch'\'' is not a valid queue" >expect &&
	test_cmp expect actual
'

test_expect_success 'limits are listed, and one that is malformed is refused' '
	echo "policy.limits.duration = 7200" >conf.toml &&
	test_expect_code 1 flux config load conf.toml 2>actual &&
	cat >expect <<-\EOF &&
	flux-config: load: error updating job-ingest: error parsing [policy.limits] config table: '\''duration'\'' is not a valid FSD
	EOF
	test_cmp expect actual &&
	flux queue list -no "{limits.timelimit!F} {limits.range.nnodes}" >actual &&
	echo "inf 0-inf" >expect &&
	test_cmp expect actual &&
	echo "policy.limits.duration = \"2h\"" >conf.toml &&
	flux config load conf.toml &&
	flux queue list -no "{limits.timelimit!F} {limits.range.nnodes}" >actual &&
	echo "2h 0-inf" >expect &&
	test_cmp expect actual
'

test_expect_success 'nodes are counted by state' '
	flux queue list -no "{enabled}{started} {resources.all.nnodes} {resources.up.nnodes} {resources.down.nnodes}" >actual &&
	echo "✔✔ 1 1 0" >expect &&
	test_cmp expect actual
'

test_expect_success 'every named format can be used' '
	for name in default policy nodes; do
		flux queue list -o $name >out && test "$(wc -l <out)" = 2 || return 1
	done
'

test_done

#!/bin/sh

test_description='flux jobs --recursive: the jobs of instances that are jobs
'

. "$(dirname "$0")/sharness.sh"
test_under_flux 1 job

# An instance that runs as a job, says where it is, and has a job of its own.
test_expect_success 'an instance runs as a job' '
	cat >inner <<-\EOF &&
	flux submit --job-name=inner --urgency=hold true
	flux --parent job memo "$(flux getattr jobid)" ready=1
	exec tail -f /dev/null
	EOF
	flux submit --job-name=outer flux start sh inner >id &&
	wait_event $(cat id) memo --match-context=ready=1
'

test_expect_success 'its jobs are listed after ours' '
	flux jobs -R -no "{name}" >actual &&
	printf "%s\n" outer "" "$(cat id):" inner >expect &&
	test_cmp expect actual
'

test_expect_success 'but not below the level that is asked for' '
	flux jobs -R -L 0 -no "{name}" >actual &&
	echo outer >expect &&
	test_cmp expect actual
'

test_expect_success 'and not without being asked for' '
	flux jobs -no "{name}" >actual &&
	test_cmp expect actual
'

test_expect_success 'the uri is shown' '
	flux jobs -no "{uri} {uri.local}" >actual &&
	test_grep "^ssh://[^ ]* local://[^ ]*$" actual
'

test_expect_success 'what the instance says of itself is shown' '
	flux jobs -no "{instance.stats}|{instance.stats.total}|{instance.progress!P}|{instance.resources.up.nnodes}" >actual &&
	echo "PD:1 R:0 CD:0 F:0|1|0%|1" >expect &&
	test_cmp expect actual &&
	flux jobs -no "{instance.stats}" -f inactive >actual &&
	test_cmp /dev/null actual
'

test_expect_success 'an instance that does not answer is told and passed over' '
	flux job memo $(cat id) uri=local:///nonexistent &&
	flux jobs -R -no "{name}" >actual 2>err &&
	echo outer >expect &&
	test_cmp expect actual &&
	test_grep "^flux-jobs: ERROR: $(cat id): Unable to connect to Flux" err
'

test_expect_success 'the instance is done with' '
	flux cancel $(cat id) &&
	flux queue drain
'

test_done

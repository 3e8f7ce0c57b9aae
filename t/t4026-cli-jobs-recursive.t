#!/bin/sh

test_description='flux jobs --recursive: the jobs of instances that are jobs
'

. "$(dirname "$0")/sharness.sh"
test_under_flux 1 job

# An instance that runs as a job, has a job of its own, and says where it is.
test_expect_success 'an instance runs as a job' '
	cat >inner <<-\EOF &&
	flux submit --job-name=inner --urgency=hold true
	uri=$FLUX_URI
	FLUX_URI=$OUTER_URI flux job memo $OUTER_ID uri=$uri
	exec tail -f /dev/null
	EOF
	cat >outer <<-\EOF &&
	export OUTER_URI=$FLUX_URI OUTER_ID=$FLUX_JOB_ID
	exec flux start sh inner
	EOF
	flux submit --job-name=outer sh outer >id &&
	wait_event $(cat id) memo
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
	test_grep "^local://[^ ]* local://[^ ]*$" actual
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

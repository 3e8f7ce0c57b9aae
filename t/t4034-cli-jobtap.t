#!/bin/sh

test_description='flux jobtap, and jobs that wait for others: what a user sees
'

. "$(dirname "$0")/sharness.sh"
test_under_flux 1 job

test_expect_success 'plugins that are there from the start have to be asked for' '
	flux jobtap list >actual &&
	! test -s actual &&
	flux jobtap list --all >actual &&
	grep -x .dependency-after actual &&
	grep -x .priority-default actual
'

test_expect_success 'a plugin is loaded once' '
	flux jobtap load submit-hold.so &&
	flux jobtap list >actual &&
	echo submit-hold >expect &&
	test_cmp expect actual &&
	test_expect_code 1 flux jobtap load submit-hold 2>actual &&
	echo "flux-jobtap: ERROR: submit-hold already loaded" >expect &&
	test_cmp expect actual
'

test_expect_success 'a plugin that is not there is named' '
	test_expect_code 1 flux jobtap load nothing 2>actual &&
	echo "flux-jobtap: ERROR: nothing not found" >expect &&
	test_cmp expect actual &&
	test_expect_code 1 flux jobtap remove nothing 2>actual &&
	test_cmp expect actual &&
	test_expect_code 1 flux jobtap query nothing 2>actual &&
	echo "flux-jobtap: ERROR: nothing: plugin not found" >expect &&
	test_cmp expect actual
'

test_expect_success 'it does what it is for, and no more once it is removed' '
	id=$(flux submit true) &&
	flux job wait-event -t 30 $id priority &&
	test "$(flux jobs -no {urgency} $id)" = 0 &&
	flux jobtap remove "submit-*" &&
	flux job urgency $id default &&
	flux job wait-event -t 30 $id clean
'

test_expect_success 'a job that no plugin gives a priority keeps its own, and the log says so' '
	flux queue stop &&
	id=$(flux submit --urgency=20 true) &&
	flux job wait-event -t 30 $id priority &&
	flux jobtap remove .priority-default &&
	flux jobtap reprioritize &&
	test "$(flux jobs -no {priority} $id)" = 20 &&
	flux dmesg | grep "$id: BUG: plugin didn.t return priority" &&
	flux jobtap load .priority-default &&
	flux queue start &&
	flux job wait-event -t 30 $id clean
'

test_expect_success 'a job waits for another one, and is shown to' '
	flux queue stop &&
	first=$(flux submit true) &&
	second=$(flux submit --dependency=afterok:$first true) &&
	echo "after-success=$first" >expect &&
	flux jobs -no "{dependencies}" $second >actual &&
	test_cmp expect actual &&
	flux jobtap query .dependency-after >actual &&
	grep "\"description\":\"after-success=$first\"" actual &&
	flux queue start &&
	flux job wait-event -t 30 $second clean &&
	test "$(flux jobs -no {result} $second)" = COMPLETED
'

test_expect_success 'a job that waits for what cannot come is refused or ended' '
	id=$(flux submit false) &&
	flux job wait-event -t 30 $id clean &&
	test_expect_code 1 flux submit --dependency=afterok:$id true 2>actual &&
	echo "[Errno 22] dependency: afterok: job $id failed or was canceled" >expect &&
	test_cmp expect actual &&
	test_expect_code 1 flux submit --dependency=string:x true 2>actual &&
	echo "[Errno 22] dependency scheme \"string\" not supported" >expect &&
	test_cmp expect actual
'

test_expect_success 'a job begins at its time' '
	id=$(flux submit --begin-time=+1s true) &&
	flux job wait-event -t 30 $id dependency-remove &&
	flux job wait-event -t 30 $id clean
'

test_expect_success 'dependencies and those who look after them survive a reload' '
	flux queue stop &&
	first=$(flux submit --job-name=one --dependency=singleton true) &&
	second=$(flux submit --job-name=one --dependency=singleton true) &&
	third=$(flux submit --dependency=afterany:$second true) &&
	flux module reload job-manager &&
	flux queue start &&
	flux job wait-event -t 30 $third clean
'

test_done

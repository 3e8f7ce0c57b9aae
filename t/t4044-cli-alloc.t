#!/bin/sh

test_description='flux alloc: an instance of our own
'

. "$(dirname "$0")/sharness.sh"
test_under_flux 2 job

unset FLUX_SSH FLUX_URI_RESOLVE_LOCAL

test_expect_success 'a command runs in an instance with the resources asked for' '
	flux alloc -n1 flux resource list -s free -no "{nnodes} {ncores}" >actual </dev/null &&
	echo "1 1" >expect &&
	test_cmp expect actual &&
	flux alloc -N2 flux getattr size >actual </dev/null &&
	echo 2 >expect &&
	test_cmp expect actual
'

test_expect_success 'the job id is told only if that is wanted' '
	flux alloc -n1 -v true >out 2>err </dev/null &&
	test ! -s out &&
	echo "jobid: $(flux job last)" >expect &&
	test_cmp expect err
'

test_expect_success 'alloc ends as its command does' '
	test_expect_code 7 flux alloc -n1 sh -c "exit 7" 2>err </dev/null &&
	test_grep "broker.err\[0\]: rc2.0: sh -c exit 7 Exited (rc=7)" err &&
	test_grep "flux-job: task(s) exited with exit code 7" err &&
	test_expect_code 137 flux alloc -n1 sh -c "kill -KILL \$\$" 2>err </dev/null &&
	test_grep "Killed (rc=137)" err &&
	test_expect_code 127 flux alloc -n1 /nonexistent 2>err </dev/null
'

test_expect_success 'without a command and a terminal there is nothing to run' '
	test_expect_code 1 flux alloc -n1 2>err </dev/null &&
	test_grep "stdin is not a tty - can.t run interactive shell" err
'

test_expect_success 'what can never run is told' '
	test_expect_code 1 flux alloc -N99 true 2>err </dev/null &&
	test_grep "type=alloc severity=0" err &&
	test_must_fail flux alloc true 2>err </dev/null &&
	echo "flux-alloc: ERROR: Number of slots to allocate must be specified" >expect &&
	test_cmp expect err
'

test_expect_success 'an instance in the background takes jobs when its id is printed' '
	id=$(flux alloc -n1 --bg -v 2>err) &&
	uri=$(flux uri --local $id) &&
	FLUX_URI=$uri flux run true &&
	sed "s/:  *[0-9.]*s:/:/" err >actual &&
	cat >expect <<-EOT &&
	$id: waiting for resources
	$id: resources allocated
	$id: waiting for instance
	$id: ready
	EOT
	test_cmp expect actual &&
	flux shutdown --quiet $id &&
	flux job status $id
'

test_expect_success 'one that does not come up says why' '
	test_expect_code 1 flux alloc -n1 --bg --broker-opts=-Sbroker.rc1_path=/bin/false 2>err &&
	test_grep "flux-alloc: ERROR: $(flux job last): \(unexpectedly exited\|instance startup failed\)" err &&
	test_expect_code 1 flux alloc -n1 --bg --broker-opts=--nonsense 2>err &&
	test_grep "flux-alloc: ERROR: $(flux job last): unexpectedly exited" err
'

test_expect_success 'ctrl-C cancels the job' '
	flux queue stop &&
	{ flux alloc -n1 --bg -v 2>err & } &&
	alloc=$! &&
	wait_for 30 grep waiting err &&
	kill -INT $alloc &&
	test_expect_code 1 wait $alloc &&
	id=$(flux job last) &&
	tail -n1 err >actual &&
	echo "$id: Interrupt: canceling job" >expect &&
	test_cmp expect actual &&
	flux job wait-event -t 30 $id clean &&
	flux queue start
'

test_done

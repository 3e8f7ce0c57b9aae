#!/bin/sh

test_description='--resources-shape and --resources-json: resources of a job as a list

The language and its errors are covered by the tests of its parser: this shows that such jobs
run, and that the service refuses what version 1 of the jobspec does not have.
'

. "$(dirname "$0")/sharness.sh"
test_under_flux 2 job

test_expect_success 'a shape is what the job gets' '
	flux run --label-io --resources-shape=slot=2/core hostname >out &&
	test "$(wc -l <out)" = 2 &&
	flux jobs -no "{ntasks} {ncores}" "$(flux job last)" >actual &&
	echo "2 2" >expect &&
	test_cmp expect actual
'

test_expect_success 'nodes of it are nodes of the job' '
	id=$(flux submit --wait --resources-shape="node=2/slot/core" true) &&
	flux jobs -no "{nnodes} {ntasks}" "$id" >actual &&
	echo "2 2" >expect &&
	test_cmp expect actual
'

test_expect_success 'other options of resources do not count' '
	flux submit --dry-run -N7 -n9 -x --resources-shape=slot/core true >one &&
	flux submit --dry-run --resources-shape=slot/core true >two &&
	test_cmp one two
'

test_expect_success 'a jobspec has a list that may be taken over' '
	flux submit --dry-run -n2 true >jobspec &&
	id=$(flux submit --wait --resources-json=jobspec true) &&
	flux jobs -no "{ntasks}" "$id" >actual &&
	echo 2 >expect &&
	test_cmp expect actual
'

test_expect_success 'what version 1 does not have is refused by the service' '
	test_expect_code 1 flux submit --resources-shape="slot=1-4/core" true 2>actual &&
	echo "[Errno 1] resource count must be an integer for type '"'slot'"' (got '"'1-4'"')" \
		>expect &&
	test_cmp expect actual
'

test_expect_success 'an instance may have a shape' '
	id=$(flux batch --resources-shape=slot=2/core --wrap flux resource info) &&
	flux job status "$id" &&
	test_grep "2 Cores" "flux-$id.out"
'

test_done

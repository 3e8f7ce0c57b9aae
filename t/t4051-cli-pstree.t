#!/bin/sh

test_description='flux pstree: jobs as a tree, those of instances below them

Labels, details and connectors, one by one, are covered by the tests of the command.
'

. "$(dirname "$0")/sharness.sh"
test_under_flux 1 job

test_expect_success 'without jobs there is the root alone' '
	flux pstree >actual &&
	echo . >expect &&
	test_cmp expect actual &&
	flux pstree -x >actual &&
	test_grep "^       JOBID USER     ST NTASKS NNODES  RUNTIME$" actual
'

# It says where it is by itself too; what it says last counts.
test_expect_success 'an instance runs as a job' '
	cat >inner.sh <<-\EOF &&
	#!/bin/sh
	flux submit --job-name=inner --cc=1-2 --wait-event=start tail -f /dev/null
	flux submit --job-name=waits --urgency=hold true
	FLUX_URI=$(flux getattr parent-uri) flux job memo $(flux getattr jobid) uri=$FLUX_URI
	flux pstree >$OUT/above
	touch $OUT/ready
	exec tail -f /dev/null
	EOF
	OUT=$PWD flux batch --job-name=outer -n2 inner.sh >id &&
	flux submit --job-name=held --urgency=hold true >held &&
	wait_for 60 test -e ready
'

test_expect_success 'its jobs are below it' '
	flux pstree >actual &&
	cat >expect <<-\EOF &&
	.
	└── outer
	    └── 2*[inner]
	EOF
	test_cmp expect actual &&
	flux pstree -a --ascii >actual &&
	cat >expect <<-\EOF &&
	.
	|-- held:S
	`-- outer
	    |-- waits:S
	    `-- 2*[inner:R]
	EOF
	test_cmp expect actual
'

test_expect_success 'in itself the root has the name of the job' '
	cat >expect <<-\EOF &&
	outer
	└── 2*[inner]
	EOF
	test_cmp expect above
'

test_expect_success 'details tell of each instance' '
	flux pstree -n --details=progress --skip-root=no >actual &&
	test $(wc -l <actual) = 4 &&
	test_grep "^           \..* \.$" actual &&
	test_grep "^ *$(cat id) .* └── outer$" actual &&
	flux pstree -n -d stats $(cat id) | head -1 >actual &&
	test_grep "PD:1 R:2 CD:0 F:0 .* outer$" actual
'

test_expect_success 'an instance that cannot be asked is a leaf' '
	flux job memo $(cat id) uri=local:///nonexistent &&
	flux pstree -p >actual &&
	cat >expect <<-\EOF &&
	. .
	└── outer
	EOF
	test_cmp expect actual
'

test_expect_success 'nothing is left' '
	flux cancel $(cat id held) &&
	flux queue drain
'

test_done

#!/bin/sh

test_description='tasks get the topology as a file, and users learn what a job took

Covers what needs a host and its kernel: the file and its variables, and what is said where
nothing is counted. What is left out of the topology, and values with their sentences, is
covered by the tests of the job shell.
'

. "$(dirname "$0")/sharness.sh"
test_under_flux 1 job

test_expect_success 'the file is there, for tasks alone' '
	HWLOC_COMPONENTS=x flux run -o hwloc.xmlfile sh -c "echo \$HWLOC_XMLFILE; echo \${HWLOC_COMPONENTS-unset}
		stat -c %a \$HWLOC_XMLFILE; grep -c \"type=.Machine\" \$HWLOC_XMLFILE; echo {{tmpdir}}/hwloc.xml" >actual &&
	tail -1 actual >path && { cat path && printf "unset\n640\n1\n"; cat path; } >expect &&
	test_cmp expect actual
'

test_expect_success 'a file of the job itself stays named' '
	HWLOC_XMLFILE=/mine flux run -o hwloc.xmlfile printenv HWLOC_XMLFILE >actual &&
	echo /mine >expect && test_cmp expect actual &&
	test_expect_code 1 flux run printenv HWLOC_XMLFILE
'

test_expect_success 'it can be restricted to the cores of the job' '
	flux run -n1 -c1 -o hwloc.xmlfile sh -c "grep -c type=.Core \$HWLOC_XMLFILE || :" >all &&
	flux run -n1 -c1 -o hwloc.xmlfile -o hwloc.restrict \
		sh -c "grep -c type=.Core \$HWLOC_XMLFILE" >own &&
	echo 1 >expect && test_cmp expect own &&
	test $(cat all) -ge 1
'

command -v hwloc-calc >/dev/null && test_set_prereq HWLOC

test_expect_success HWLOC 'hwloc reads it as it reads the host' '
	flux run -n1 -c1 -o hwloc.xmlfile -o hwloc.restrict hwloc-calc --number-of core machine:0 >actual &&
	echo 1 >expect && test_cmp expect actual &&
	flux run -n1 -c1 -o hwloc.xmlfile -o cpu-affinity=off hwloc-calc --number-of pu machine:0 >actual &&
	nproc >expect && test_cmp expect actual
'

test_expect_success 'a file that is there already is an error' '
	echo mine >file &&
	test_expect_code 1 flux run --add-file=hwloc.xml=file -o hwloc.xmlfile true 2>err &&
	test_grep "ERROR: hwloc: error creating .*/hwloc.xml: File exists" err &&
	test_grep "ERROR: plugin .hwloc.: shell.post-init failed" err &&
	test_grep "FATAL: shell_post_init" err
'

test_expect_success 'a value that makes no sense ends the job' '
	test_expect_code 1 flux run -o hwloc.xmlfile=foo true 2>err &&
	test_grep "ERROR: hwloc: failed to unpack hwloc options" err &&
	test_grep "FATAL: shell_post_init" err &&
	test_expect_code 1 flux run -o sysmon.bad=1 true 2>err &&
	test_grep "ERROR: sysmon: option parse error: 1 object item(s) left unpacked: bad" err &&
	test_expect_code 1 flux run -o sysmon.period=x true 2>err &&
	test_grep "ERROR: sysmon: sysmon.period is not a valid FSD" err
'

# Whether the kernel counts what control groups take depends on the host.
test_expect_success 'sysmon tells memory and load, or why not' '
	flux run -o verbose=2 -o sysmon.period=0.05s sh -c "for i in \$(seq 30000); do :; done" 2>err &&
	if test -f /sys/fs/cgroup/cgroup.controllers
	then
		test_grep "sysmon: \\(loadavg-overall=[0-9.]*\\|no cpu.stat (disabled)\\)" err
	else
		test_grep " WARN: sysmon: incompatible cgroup configuration (disabled)" err &&
		test_grep "DEBUG: oom: disabling oom detection: no memory.events" err
	fi
'

test_expect_success 'processes beside the tasks are not run where requests are to be signed' '
	id=$(flux submit --wait-event=exec.shell.start -o rexec.sign-required=1 tail -f /dev/null) &&
	service=$(flux job eventlog --format=json --path=exec $id |
		sed -n "s/.*\"service\":\"\([^\"]*\)\".*/\1/p") &&
	test_expect_code 126 flux exec --service=$service.rexec true 2>err &&
	test_grep "a signed request is required" err &&
	flux cancel $id
'

test_done

#!/bin/sh

test_description='an option of the job shell has an effect, or a word on why not

Covers what only real jobs show: exit codes, what attach prints of the shell'\''s log, and
what the kernel does to tasks. Each value and its sentence is covered by the tests of the
job shell and of the crate proto.
'

. "$(dirname "$0")/sharness.sh"
test_under_flux 1 job

# told CODE OPTION TEXT: a job with this option ends with CODE, and its log has TEXT.
told() {
	echo "# $2" &&
	test_expect_code "$1" flux run "$2" true 2>err &&
	test_grep -F -e "$3" err
}

test_expect_success 'a value that makes no sense ends the job, which says why' '
	told 1 -overbose=foo "FATAL: failed to parse attributes.system.shell.verbose" &&
	told 1 -onosetpgrp=x "FATAL: failed to parse attributes.system.shell.nosetpgrp" &&
	told 1 -oexit-timeout=aaa "ERROR: task-exit: exit-timeout is not a valid Flux Standard Duration" &&
	told 1 -orlimit.foo=1 "ERROR: rlimit: invalid shell option rlimit.foo=1" &&
	told 1 "-ocpu-affinity=map:0x0;1" "cpu-affinity: cpuset 0x0 contains no cores or is invalid" &&
	told 1 -ooom.wrongopt=1 "unpack error: 1 object item(s) left unpacked: wrongopt" &&
	told 1 -osignal=foo "error in shell \`signal'\'' option: Expected object, got string" &&
	told 1 -osignal.timeleft=3y "signal: signal.timeleft=3y is invalid" &&
	told 1 -ooutput.limit=2G "output.kvs: Invalid KVS output.limit=2G" &&
	told 1 -oinput.limit=64M "input.util: failed to initialize input ctx" &&
	told 1 -ooutput.batch-timeout=x "output.kvs: invalid output.batch-timeout option" &&
	told 1 -ooutput.client.lwm=2000 "output.config: invalid client.lwm and/or client.hwm specified" &&
	told 1 -oinput.stdin.type=foo "input.service: input.stdin.type=foo invalid" &&
	told 1 --input=/nonexistent "FATAL: input.file: error opening input file '\''/nonexistent'\'': No such file" &&
	told 1 -opmi=3 "pmi-simple: pmi shell option must be a string" &&
	told 1 -ocoprocess=1 "coprocess: coprocess option must be a non-empty object" &&
	told 1 -ocoprocess.x.ranks=0 "coprocess: x: Object item not found: command" &&
	told 1 -opmi-simple.foo=1 "pmi-simple: option error: 1 object item(s) left unpacked: foo" &&
	told 1 -oper-resource.type=foo "error distributing 1 tasks per-foo over R"
'

test_expect_success 'the plug-in that refuses is named, and the exception is of type exec' '
	told 1 -opmi=3 "ERROR: plugin '\''pmi-simple'\'': shell.init failed" &&
	told 1 -opmi=3 "FATAL: shell_init" &&
	flux job wait-event -m type=exec -m severity=0 "$(flux job last)" exception >event &&
	test_grep "shell_init" event
'

test_expect_success 'some values are told, and the job runs' '
	told 0 -overbose=3 " WARN: Ignoring shell verbosity > 2" &&
	told 0 -ocpu-affinity=1 " WARN: cpu-affinity: cpu-affinity: invalid option: on" &&
	told 0 "-ogpu-affinity=[1]" " WARN: gpu-affinity: Failed to get gpu-affinity shell option, ignoring" &&
	told 0 -ooutput.mode=foo " WARN: output.task: ignoring invalid output.mode=foo" &&
	told 0 -ooutput.stdout.buffer.type=foo "output.config: invalid buffer type specified: foo" &&
	told 0 -ompibind=off " WARN: option mpibind is unknown and was not used" &&
	told 0 -overbos=1 "option verbos is unknown and was not used: did you mean verbose?"
'

test_expect_success 'a task map that makes no sense ends the job, which says why' '
	told 1 --taskmap=block:oops "FATAL: block taskmap does not accept a value (got oops)" &&
	told 1 --taskmap=nosuch "FATAL: failed to map tasks with scheme=nosuch" &&
	told 1 --taskmap=cyclic:0 "ERROR: taskmap.cyclic: invalid cyclic stride: 0" &&
	told 1 --taskmap=manual:{} "FATAL: taskmap={}: Object item not found: version" &&
	told 1 "--taskmap=manual:[[0,4,1,1]]" "invalid taskmap: got 4 nodes, expected 1" &&
	told 1 --taskmap=hostfile:/no "failed to open hostfile: /no: No such file or directory" &&
	echo nowhere >hosts &&
	told 1 --taskmap=hostfile:hosts "host nowhere not found in job nodelist"
'

test_expect_success 'a task map that makes sense is that of the job' '
	hostname >hosts &&
	flux run -n2 --taskmap=hostfile:hosts true &&
	flux job taskmap "$(flux job last)" >actual &&
	echo "[[0,1,2,1]]" >expect &&
	test_cmp expect actual &&
	flux run -n2 "--taskmap=manual:[[0,1,1,2]]" true &&
	flux job taskmap "$(flux job last)" >actual &&
	echo "[[0,1,1,2]]" >expect &&
	test_cmp expect actual
'

test_expect_success 'tasks run on the cores that they are bound to' '
	cpu=$(flux run -o cpu-affinity=off sed -n "s/Cpus_allowed_list:.//p" /proc/self/status) &&
	first=${cpu%%[-,]*} &&
	flux run -n2 -o "cpu-affinity=verbose,map:$first" \
		sed -n "s/Cpus_allowed_list:.//p" /proc/self/status >actual 2>err &&
	printf "%s\n" $first $first >expect &&
	test_cmp expect actual &&
	test_grep "cpu-affinity: task 1: cpus: $first" err &&
	flux run -o "cpu-affinity=dry-run,map:$first" \
		sed -n "s/Cpus_allowed_list:.//p" /proc/self/status >actual &&
	echo $cpu >expect &&
	test_cmp expect actual
'

test_expect_success 'GPUs are hidden, shown, or left to the user' '
	flux run printenv CUDA_VISIBLE_DEVICES >actual &&
	flux run -n2 -l -o "gpu-affinity=map:7;4-6" printenv CUDA_VISIBLE_DEVICES >out &&
	sort out >>actual &&
	CUDA_VISIBLE_DEVICES=3 flux run -o gpu-affinity=off printenv CUDA_VISIBLE_DEVICES >>actual &&
	printf "%s\n" -1 "0: 7" "1: 4,5,6" 3 >expect &&
	test_cmp expect actual
'

test_expect_success 'the kernel is told how soon a task may go' '
	flux run --time-limit=30s -o oom.adjust=500 \
		sh -c "until grep -qx 500 /proc/\$\$/oom_score_adj; do :; done"
'

test_done

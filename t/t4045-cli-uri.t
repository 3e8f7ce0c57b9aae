#!/bin/sh

test_description='flux uri: instances by job, by their place, by process and by other managers
'

. "$(dirname "$0")/sharness.sh"
test_under_flux 1 job

host=$(hostname)
unset FLUX_SSH FLUX_SSH_RCMD FLUX_URI_RESOLVE_LOCAL

test_expect_success 'an instance that is a job is waited for' '
	id=$(flux batch -n1 --output=none --conf=resource.noverify=true --wrap tail -f /dev/null) &&
	flux uri --wait $id >remote &&
	grep "^ssh://$host/.*/local-0\$" remote &&
	flux jobs -no "{annotations.user.uri}" $id >expect &&
	test_cmp expect remote
'

test_expect_success 'the same job has many names' '
	for target in $id jobid:$id "$id?remote" "$(flux job id --to=dec $id)" ./$id
	do
		flux uri "$target" >actual &&
		test_cmp remote actual || return 1
	done
'

test_expect_success 'the URI is for its own host if that is wanted' '
	sed "s,ssh://$host/,local:///," remote >local &&
	flux uri --local $id >actual &&
	test_cmp local actual &&
	flux uri "$id?local" >actual &&
	test_cmp local actual &&
	FLUX_URI_RESOLVE_LOCAL=t flux uri $id >actual &&
	test_cmp local actual &&
	FLUX_URI_RESOLVE_LOCAL=t flux uri --remote $id >actual &&
	test_cmp remote actual
'

test_expect_success 'URIs stay what they are, or change their form' '
	test "$(flux uri ssh://h/a//b)" = ssh://h/a//b &&
	test "$(flux uri --remote local:///a//b)" = "ssh://$host/a/b" &&
	test "$(flux uri --local ssh://h/p)" = local:///p
'

test_expect_success 'instances around us are named by their place' '
	test "$(flux uri .)" = "$FLUX_URI" &&
	test "$(flux uri ..)" = "$FLUX_URI" &&
	test "$(flux uri /)" = "$FLUX_URI" &&
	inner=$(cat local) &&
	test "$(FLUX_URI=$inner flux uri .)" = "$inner" &&
	test "$(FLUX_URI=$inner flux uri ..)" = "$FLUX_URI" &&
	test "$(FLUX_URI=$inner flux uri /)" = "$FLUX_URI" &&
	test "$(flux uri $id/..)" = "ssh://$host${FLUX_URI#local://}" &&
	test "$(FLUX_URI=$inner flux uri /$id)" = "$(cat remote)"
'

test_expect_success 'a path leads through instances, by ssh if it is said how' '
	id2=$(FLUX_URI=$inner flux batch -n1 --output=none --wrap tail -f /dev/null) &&
	FLUX_URI=$inner flux uri --wait $id2 >expect &&
	flux uri $id/$id2 >actual &&
	test_cmp expect actual &&
	cat >fake-ssh <<-"EOT" &&
	#!/bin/sh
	echo "$*" >>ssh.log
	shift
	exec "$@"
	EOT
	chmod +x fake-ssh &&
	FLUX_SSH=./fake-ssh flux uri $id/$id2 >actual &&
	test_cmp expect actual &&
	rundir=$(dirname $(echo ${inner#local://})) &&
	bin=$(dirname $(command -v flux)) &&
	grep "^$host env PATH=$rundir/bin:.*:/bin:/usr/bin .*flux relay $rundir/local-0\$" ssh.log
'

test_expect_success 'an instance is found by a process' '
	pid=$(FLUX_URI=$inner flux getattr broker.pid) &&
	test "$(flux uri pid:$pid)" = "$inner" &&
	test "$(flux uri pid:$$)" = "$FLUX_URI" &&
	test "$(flux uri "pid:$$?remote")" = "ssh://$host${FLUX_URI#local://}"
'

# fake NAME: a program of another resource manager, first in PATH
mkdir bin
fake() {
	cat >bin/$1 &&
	chmod +x bin/$1
}

test_expect_success 'a job of Slurm is found by its processes' '
	fake scontrol <<-EOT &&
	#!/bin/sh
	echo "PID JOBID STEPID LOCALID GLOBALID"
	echo "1 \$2 0 - -"
	echo "$pid \$2 0 0 0"
	EOT
	PATH=$PWD/bin:$PATH flux uri slurm:7 >actual &&
	test_cmp remote actual
'

test_expect_success 'or on its first host' '
	fake scontrol </dev/null &&
	echo "exit 1" >bin/scontrol &&
	fake squeue <<-EOT &&
	#!/bin/sh
	echo "n[3-4]"
	EOT
	fake srun <<-EOT &&
	#!/bin/sh
	test -z "\$FLUX_URI" && echo "\$*" >srun.args && echo ssh://n3/p
	EOT
	test "$(PATH=$PWD/bin:$PATH flux uri slurm:7)" = ssh://n3/p &&
	echo "--overlap --jobid=7 -w n3 -n1 -N1 flux uri slurm:7" >expect &&
	test_cmp expect srun.args
'

test_expect_success 'a job of LSF is found through the host that computes' '
	fake csm <<-EOT &&
	#!/bin/sh
	printf -- "---\ncompute_nodes:\n - n5\n"
	EOT
	cat >fake-ssh <<-"EOT" &&
	#!/bin/sh
	echo "$*" >ssh.log
	echo ssh://n5/p
	EOT
	test "$(CSM_ALLOCATION_QUERY=$PWD/bin/csm FLUX_SSH=./fake-ssh flux uri lsf:8)" = ssh://n5/p &&
	echo "n5 flux uri --remote lsf:8?is_compute" >expect &&
	test_cmp expect ssh.log
'

# refused TEXT ARGS...
refused() {
	text=$1 &&
	shift &&
	test_must_fail flux uri "$@" 2>actual &&
	echo "flux-uri: ERROR: $text" >expect &&
	test_cmp expect actual
}

test_expect_success 'what leads nowhere says why' '
	refused "jobid 1234 not found" 1234 &&
	refused "jobid 1234 not found" --wait 1234 &&
	refused "zz! is not a valid Flux jobid" zz! &&
	refused "No plugin for URI scheme foo" foo:x &&
	refused "No such file or directory: '\''/proc/99999999/status'\''" pid:99999999 &&
	refused "Only one of '\''local'\'' or '\''remote'\'' is allowed" "$id?local&remote" &&
	plain=$(flux submit tail -f /dev/null) &&
	flux job wait-event $plain start &&
	refused "URI not found for job $plain" $plain &&
	flux cancel $plain &&
	flux job wait-event $plain clean &&
	refused "jobid $plain is not running" $plain &&
	refused "jobid $plain is not running" --wait $plain
'

test_expect_success 'other commands take the same targets' '
	flux shutdown $id/$id2 &&
	FLUX_URI=$inner flux job wait-event -t 30 $id2 clean &&
	flux shutdown --quiet $id &&
	flux job wait-event -t 30 $id clean &&
	test_must_fail flux shutdown $id 2>err &&
	test_grep "failed to resolve target $id to a Flux URI" err
'

test_done

#!/bin/sh

test_description='what a job is given by options: environment, folder, streams and files
'

. "$(dirname "$0")/sharness.sh"
test_under_flux 1 job

test_expect_success 'the environment goes along' '
	MINE=1 flux run sh -c "echo \$MINE" >actual &&
	echo 1 >expect &&
	test_cmp expect actual
'

test_expect_success '--env sets, --env-remove takes away' '
	MINE=1 flux run --env=OTHER=2 --env-remove="MI*" sh -c "echo \$MINE \$OTHER" >actual &&
	echo 2 >expect &&
	test_cmp expect actual
'

test_expect_success '--env-file reads rules' '
	printf "%s\n" "-MINE" "OTHER=x\$MINE" >rules &&
	MINE=1 flux run --env-file=rules sh -c "echo \$MINE \$OTHER" >actual &&
	echo x1 >expect &&
	test_cmp expect actual
'

test_expect_success '--env has templates that the job shell fills in' '
	flux run -n2 --label-io --env="X={{id.dec}}-{{task.rank}}" sh -c "echo \$X" >out &&
	sort out >actual &&
	id=$(flux job id "$(flux job last)") &&
	printf "0: $id-0\n1: $id-1\n" >expect &&
	test_cmp expect actual
'

test_expect_success '--rlimit takes lists' '
	flux run --rlimit="-*,core=0,nofile=100" sh -c "ulimit -c; ulimit -n" >actual &&
	printf "0\n100\n" >expect &&
	test_cmp expect actual
'

test_expect_success '--cwd is where tasks start' '
	flux run --cwd=/ pwd >actual &&
	echo / >expect &&
	test_cmp expect actual
'

test_expect_success '--output and --error are files of the job' '
	flux run --output=out.{{id}} --error=err.{{id}} sh -c "echo out; echo err >&2" &&
	id=$(flux job last) &&
	echo out >expect &&
	test_cmp expect "out.$id" &&
	echo err >expect &&
	test_cmp expect "err.$id"
'

test_expect_success '--input is a file that tasks read' '
	echo text >input &&
	flux run --input=input cat >actual &&
	test_cmp input actual
'

test_expect_success 'tasks read our own input otherwise' '
	echo text | flux run -n2 cat >actual &&
	printf "%s\n" text text >expect &&
	test_cmp expect actual
'

test_expect_success '--input with ranks chooses who reads' '
	echo text | flux run --input=1 --label-io -n2 \
		sh -c "test \$FLUX_TASK_RANK = 0 || cat" >actual &&
	echo "1: text" >expect &&
	test_cmp expect actual
'

test_expect_success '--add-file brings a file along' '
	echo content >brought &&
	flux run --add-file=brought sh -c "cat {{tmpdir}}/brought" >actual &&
	test_cmp brought actual
'

test_expect_success '--add-file brings what stands on the command line' '
	flux run --add-file=tool:700="#!/bin/sh
echo \$1
" {{tmpdir}}/tool arg >actual &&
	echo arg >expect &&
	test_cmp expect actual
'

test_expect_success '--add-file names the file that is missing' '
	test_expect_code 1 flux submit --add-file=nosuch true 2>actual &&
	echo "flux-submit: ERROR: --add-file=nosuch: [Errno 2] No such file or directory: '"'"'nosuch'"'"'" >expect &&
	test_cmp expect actual
'

test_done

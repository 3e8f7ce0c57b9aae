#!/bin/sh

test_description='flux jobs: which jobs are listed, and how

Formats and conversions, one by one, are covered by the tests of the command.
'

. "$(dirname "$0")/sharness.sh"
test_under_flux 1 job

# names OPTION...: the names of the jobs that are listed, oldest first, on one line.
names() {
	flux jobs -no "sort:t_submit {name}" "$@" | xargs
}

test_expect_success 'there are jobs in many states' '
	flux submit --job-name=good --wait true >good &&
	test_expect_code 5 flux submit --job-name=bad --wait sh -c "exit 5" >bad &&
	flux submit --job-name=gone --urgency=hold true >gone &&
	flux cancel -m "not needed" $(cat gone) &&
	test_expect_code 142 flux submit --job-name=late -t 0.1s --wait tail -f /dev/null >late &&
	flux submit --job-name=runs -t 1h --wait-event=start tail -f /dev/null >runs &&
	flux submit --job-name=held -t 30m --urgency=hold true >held
'

test_expect_success 'those that are not over are listed, in columns' '
	flux jobs -o "{id.f58} ?:{queue:<8.8} {name:<10.10+} {status_abbrev:>2.2} {nnodes:>6h} {contextual_info}" >actual &&
	cat >expect <<-EOF &&
	JOBID NAME       ST NNODES INFO
	$(cat held) held        S      - held
	$(cat runs) runs        R      1 $(hostname)
	EOF
	test_cmp expect actual
'

test_expect_success 'the default format has the same columns' '
	flux jobs | head -1 | xargs >actual &&
	echo "JOBID USER NAME ST NTASKS NNODES TIME INFO" >expect &&
	test_cmp expect actual
'

test_expect_success 'states and results choose' '
	test "$(names)" = "runs held" &&
	test "$(names -a)" = "good bad gone late runs held" &&
	test "$(names -f running)" = runs &&
	test "$(names -f pending)" = held &&
	test "$(names -f inactive)" = "good bad gone late" &&
	test "$(names -f failed,timeout)" = "bad late" &&
	test "$(names -f canceled)" = gone &&
	test "$(names -f completed,sched)" = "good held"
'

test_expect_success 'names, users, hosts and ids choose' '
	test "$(names -a --name=bad)" = bad &&
	test "$(names -A)" = "runs held" &&
	test "$(names -u $(id -u))" = "runs held" &&
	test "$(names -i 0)" = runs &&
	test "$(names -a -i 99)" = "" &&
	test "$(names $(cat good) $(cat held))" = "good held"
'

test_expect_success '--count lists the newest' '
	flux jobs -a -c 2 -no "{name}" >actual &&
	printf "%s\n" held runs >expect &&
	test_cmp expect actual &&
	flux jobs -a -c 2 2>err &&
	test_grep "^warning: output truncated at 2 jobs.$" err
'

test_expect_success '--since leaves out what was over before' '
	test "$(names --since=-1h)" = "good bad gone late runs held" &&
	end=$(flux jobs -no "{t_inactive}" $(cat bad)) &&
	test "$(names --since=$end)" = "gone late runs held" &&
	test_expect_code 1 flux jobs --since=+1h 2>err &&
	test_grep "cannot be in the future" err
'

test_expect_success '--since knows words, and dates in many forms' '
	flux jobs -n --suppress-header --since=-1h --format="{id}" >expect &&
	test -s expect &&
	for when in yesterday "last Monday" "1 hour ago" "2021-06-21 6am" 2021-06-21T06:00:00 1
	do
		flux jobs --suppress-header --since="$when" -o "{id}" >actual || return 1
		test_cmp expect actual || return 1
	done &&
	test_expect_code 1 flux jobs --since=soonish 2>err &&
	test_grep "invalid value for --since: .soonish" err &&
	test_expect_code 1 flux jobs --since=tomorrow 2>err &&
	test_grep "cannot be in the future" err
'

test_expect_success 'ids are what submit prints, in ASCII where the locale is' '
	flux jobs -ano "{id}" >actual &&
	flux jobs -ano "{id.f58}" >expect &&
	test_cmp expect actual &&
	sed s/ƒ/f/ expect >ascii &&
	LC_ALL=C flux jobs -ano "{id}" >actual &&
	test_cmp ascii actual
'

test_expect_success '--sort sorts, largest first with a minus' '
	flux jobs -a -no "{name}" --sort=name | xargs >actual &&
	flux jobs -a -no "{name}" --sort=-name | xargs >>actual &&
	printf "%s\n" "bad gone good held late runs" "runs late held good gone bad" >expect &&
	test_cmp expect actual
'

test_expect_success 'what is derived is right' '
	flux jobs -ano "sort:t_submit {name} {status} {result_abbrev} {returncode}" |
		sed "s/ *$//" >actual &&
	cat >expect <<-EOF &&
	good COMPLETED CD 0
	bad FAILED F 5
	gone CANCELED CA -128
	late TIMEOUT TO 142
	runs RUN
	held SCHED
	EOF
	test_cmp expect actual
'

test_expect_success 'the reason of the end is told' '
	flux jobs -no "{inactive_reason}" $(cat good bad gone late) >actual &&
	printf "%s\n" "Exit 0" "Exit 5" "Canceled: not needed" Timeout >expect &&
	test_cmp expect actual
'

test_expect_success 'conversions show durations and times' '
	flux jobs -no "{duration!F} {duration!H} {duration} {t_run!F:>8h}" $(cat held) >actual &&
	echo "30m 0:30:00 1800.0        -" >expect &&
	test_cmp expect actual &&
	flux jobs -no "{t_submit!D}" $(cat held) >actual &&
	test_grep "^2[-0-9]*T[0-9:]*$" actual
'

test_expect_success 'every named format can be used' '
	for name in default cute long deps endreason; do
		flux jobs -ano $name >out && test "$(wc -l <out)" = 6 || return 1
	done &&
	flux jobs -o help >names &&
	test_grep "^Configured flux-jobs output formats:$" names &&
	test_expect_code 1 flux jobs -o "{nosuch}" 2>actual &&
	echo "flux-jobs: ERROR: Error in user format: Unknown format field: nosuch" >expect &&
	test_cmp expect actual
'

test_expect_success 'formats come from files too, and the default from the environment' '
	mkdir -p config/flux &&
	flux jobs -o get-config=default | sed "s/default/mine/; s/^format.*/format = \"{name}\"/" \
		>config/flux/flux-jobs.toml &&
	XDG_CONFIG_HOME=$PWD/config flux jobs -no mine $(cat good) >actual &&
	XDG_CONFIG_HOME=$PWD/config FLUX_JOBS_FORMAT_DEFAULT=mine flux jobs -n $(cat good) >>actual &&
	printf "%s\n" good good >expect &&
	test_cmp expect actual
'

test_expect_success 'colour is for terminals, or for who asks' '
	flux jobs -a >expect &&
	test_must_fail grep "$(printf "\033")" expect &&
	flux jobs -a --color >coloured &&
	grep "$(printf "\033")" coloured &&
	flux jobs -a --color=never -no "{name}" >plain &&
	test_must_fail grep "$(printf "\033")" plain
'

test_expect_success '--json has objects with names' '
	flux jobs --json $(cat bad) >json &&
	test_grep "\"state\": \"INACTIVE\"" json &&
	test_grep "\"result\": \"FAILED\"" json &&
	test_grep "\"returncode\": 5" json &&
	flux jobs -a --json >json &&
	test_grep "^{\"jobs\": \[{" json
'

test_expect_success '--stats counts' '
	flux jobs --stats-only >actual &&
	echo "1 running, 1 completed, 3 failed, 1 pending, 0 inactive purged" >expect &&
	test_cmp expect actual &&
	flux jobs --stats -no "{name}" | head -1 >actual &&
	test_cmp expect actual
'

test_expect_success 'an unknown id is told, and fails when it is alone' '
	flux jobs -no "{name}" $(cat good) ƒ99 >out 2>err &&
	echo "JobID ƒ99 unknown" >expect &&
	test_cmp expect err &&
	test_expect_code 1 flux jobs ƒ99
'

test_expect_success 'without active jobs --stats-only fails' '
	flux cancel $(cat runs held) &&
	flux queue drain &&
	test_expect_code 1 flux jobs --stats-only
'

test_done

#!/bin/sh

test_description='flux submit: ids, many jobs at once, waiting and watching

What each option becomes in the jobspec, and what is refused before anything is sent,
are covered by the tests of the command.
'

. "$(dirname "$0")/sharness.sh"
test_under_flux 1 job

test_expect_success 'a job is submitted and its id printed' '
	flux submit true >id &&
	test_grep "^ƒ" id &&
	flux job status "$(cat id)"
'

test_expect_success 'no id is printed with --quiet' '
	flux submit --quiet true >out &&
	test_cmp /dev/null out
'

test_expect_success 'a job without a command is refused' '
	test_expect_code 1 flux submit 2>err &&
	test_grep "flux-submit: ERROR: job command and arguments are missing" err
'

test_expect_success '--cc submits a job for each id' '
	flux submit --cc=1-3 --watch --quiet sh -c "echo {cc} \$FLUX_JOB_CC" >out &&
	sort out >actual &&
	printf "%s\n" "1 1" "2 2" "3 3" >expect &&
	test_cmp expect actual
'

test_expect_success '--bcc submits as many, whose environment does not tell' '
	flux submit --bcc=1-3 --wait sh -c "echo {cc} \$FLUX_JOB_CC" >ids &&
	test "$(wc -l <ids)" = 3 &&
	flux job attach "$(head -1 ids)" >actual &&
	echo "1" >expect &&
	test_cmp expect actual
'

test_expect_success '--wait ends with the largest exit code' '
	test_expect_code 3 flux submit --cc=0-3 --wait --quiet sh -c "exit {cc}" &&
	flux submit --wait --quiet true
'

test_expect_success '--wait-event ends with the event' '
	flux submit --wait-event=start --quiet tail -f /dev/null &&
	flux cancel --all
'

test_expect_success '--wait-event reads the execution log too' '
	flux submit --wait-event=exec.shell.init --quiet true
'

test_expect_success '--watch labels lines with the job and the task' '
	flux submit --watch --label-io -n2 echo hi >out &&
	id=$(head -1 out) &&
	sed 1d out | sort >actual &&
	printf "%s\n" "$id: 0: hi" "$id: 1: hi" >expect &&
	test_cmp expect actual
'

test_expect_success '--log takes ids, output and errors' '
	flux submit --cc=1-2 --watch --log=job.{cc} sh -c "echo out; echo err >&2" >out 2>err &&
	test_cmp /dev/null out &&
	test_cmp /dev/null err &&
	test_grep "^ƒ" job.1 &&
	test_grep "^out$" job.2 &&
	test_grep "^err$" job.2
'

test_expect_success '--log-stderr takes errors alone' '
	flux submit --quiet --watch --log=both --log-stderr=errors \
		sh -c "echo out; echo err >&2" &&
	echo out >expect &&
	test_cmp expect both &&
	echo err >expect &&
	test_cmp expect errors
'

test_expect_success '--progress needs a terminal' '
	flux submit --progress true 2>actual &&
	echo "flux: WARNING: stdout is not a tty. Ignoring --progress option" >expect &&
	test_cmp expect actual
'

test_expect_success '--urgency, --job-name and --setattr are seen in listings' '
	flux submit --urgency=hold --job-name=mine --setattr=bank=acct true >id &&
	flux jobs -no "{urgency} {name} {bank} {contextual_info}" "$(cat id)" >actual &&
	flux cancel "$(cat id)" &&
	echo "0 mine acct held" >expect &&
	test_cmp expect actual
'

test_expect_success 'an urgency that is out of range is refused by the service' '
	test_expect_code 1 flux submit --urgency=32 true 2>actual &&
	echo "[Errno 22] urgency range is [0:31]" >expect &&
	test_cmp expect actual
'

test_expect_success 'a bare time limit is minutes' '
	flux submit -t 2 true >id &&
	flux jobs -no "{duration!F}" "$(cat id)" >actual &&
	echo 2m >expect &&
	test_cmp expect actual
'

test_expect_success '--flags=waitable lets others wait' '
	flux submit --flags=waitable true >id &&
	flux job wait "$(cat id)"
'

test_expect_success '--dry-run prints a jobspec that can be submitted' '
	flux submit --dry-run echo dry >jobspec &&
	test "$(wc -l <jobspec)" = 1 &&
	id=$(flux job submit jobspec) &&
	flux job attach "$id" >actual &&
	echo dry >expect &&
	test_cmp expect actual
'

test_expect_success 'a scheme of dependency that nobody knows is refused' '
	test_expect_code 1 flux submit --dependency=nosuch:1 true 2>err &&
	test_grep "^\[Errno 22\] dependency scheme .nosuch. not supported" err
'

test_expect_success 'what is no number is told by its option' '
	test_expect_code 1 flux submit -n x true 2>err &&
	test_grep "^flux-submit: ERROR: --ntasks: invalid int value .x." err
'

test_done

#!/bin/sh

test_description='an array on several nodes, whose services die, and one that resumes another

Covers what real brokers show: each element runs once, on any node, though services are killed;
and what is refused at submission. What shells say to each other is covered by the tests of the
job shell.
'

. "$(dirname "$0")/sharness.sh"
if ! test_have_prereq OURS
then
	skip_all='no other flux has arrays'
	test_done
fi
test_under_flux 4 job

module_pid() {
	pgrep -P "$(flux getattr broker.pid)" -f "flux-module-$1\$"
}

# refused TEXT OPTION...: a submission with these options is refused with these words.
refused() {
	text=$1 && shift && echo "# $*" &&
	test_must_fail flux submit "$@" true 2>err &&
	test_grep -F -e "$text" err
}

# A program that says that it ran: a line in one file, in the order in which they ran.
cat >note <<'EOF'
#!/bin/sh
echo "$FLUX_ARRAY_INDEX" >>ran
EOF
chmod +x note

# A program that waits until it is let go, and says before that it runs.
cat >wait-for <<'EOF'
#!/bin/sh
echo "$FLUX_ARRAY_INDEX" >>"$1.begun"
: <"$1.go"
echo "$FLUX_ARRAY_INDEX" >>"$1.ended"
EOF
chmod +x wait-for

# has N FILE: whether a file has N lines, or more.
has() {
	test -e "$2" && test "$(wc -l <"$2")" -ge "$1"
}

mkfifo tree.go

test_expect_success 'elements run on all nodes of the job, each once' '
	flux submit --wait -N4 -n4 --array=1-400 sh -c "echo \$FLUX_ARRAY_INDEX >>nodes.\$(flux getattr rank)" >id &&
	sort -n nodes.* >actual && seq 400 >expect && test_cmp expect actual &&
	ls nodes.* >actual && printf "nodes.%s\n" 0 1 2 3 >expect && test_cmp expect actual &&
	flux job array "$(cat id)" >list && test_grep "400 elements: 400 done" list
'

test_expect_success 'a limit holds over all nodes, and elements are cancelled on any' '
	flux submit -N4 -n4 --array=1-9%3 ./wait-for tree >id && wait_for 20 has 3 tree.begun &&
	test_must_fail has 4 tree.begun &&
	flux job array --cancel=1-3 "$(cat id)" >actual &&
	echo "0 will not start, 3 are being killed" >expect && test_cmp expect actual &&
	wait_for 20 has 6 tree.begun && exec 9<>tree.go && wait_state "$(cat id)" inactive &&
	flux job array "$(cat id)" >list && test_grep "9 elements: 6 done, 3 canceled" list
'

test_expect_success 'output of all nodes is one stream' '
	flux submit -N4 -n4 --array=1-40 --label-io echo line >id &&
	flux job attach --label-io "$(cat id)" >out && sort -n out >actual &&
	seq -f "%g: line" 40 >expect && test_cmp expect actual
'

for module in job-exec job-manager kvs
do
	test_expect_success "no element runs twice when $module is killed" "
		rm -f ran && flux submit -N2 -n2 --array=1-600 ./note >id && wait_for 20 has 100 ran &&
		kill -9 \$(module_pid $module) &&
		wait_state \$(cat id) inactive && sort -n ran >actual && seq 600 >expect &&
		test_cmp expect actual && flux job array \$(cat id) >list &&
		test_grep '600 elements: 600 done' list
	"
done

test_expect_success 'a job that resumes another runs what did not end well' '
	rm -f ran && test_expect_code 1 flux submit --wait --array=1-10 sh -c \
		"./note; test \$FLUX_ARRAY_INDEX != 4 -a \$FLUX_ARRAY_INDEX != 9" >id &&
	rm ran && flux submit --wait --array=1-12 --array-resume="$(cat id)" ./note >again &&
	sort -n ran >actual && printf "%s\n" 4 9 11 12 >expect && test_cmp expect actual &&
	flux job array "$(cat again)" >list && test_grep "12 elements: 4 done, 8 before" list &&
	rm ran && flux submit --wait --array=1-13 --array-resume="$(cat again)" ./note &&
	echo 13 >expect && test_cmp expect ran
'

test_expect_success 'a job without a log cannot be resumed' '
	flux submit --wait true >id &&
	test_must_fail flux submit --wait --array=1-2 --array-resume="$(cat id)" true 2>err &&
	test_must_fail flux job attach "$(flux job last)" 2>err && test_grep "array.resume" err
'

test_expect_success 'how far it is stands in the annotations of the job' '
	test_expect_code 1 flux submit --wait --array=1-5 sh -c "test \$FLUX_ARRAY_INDEX != 4" >id &&
	flux jobs -no "{annotations.user.array}" "$(cat id)" >actual &&
	echo "4/5 done, 1 failed" >expect && test_cmp expect actual
'

test_expect_success 'a million elements are submitted as one text' '
	flux submit --urgency=hold --array=1-1000000 true >id &&
	flux job info "$(cat id)" jobspec >spec && test_grep "\"indices\":\"1-1000000\"" spec &&
	test "$(wc -c <spec)" -lt 4000 &&
	flux job array "$(cat id)" >list && test_grep "1000000 elements: 1000000 pending" list &&
	flux cancel "$(cat id)"
'

test_expect_success 'what cannot be an array is refused in words' '
	refused "the set is empty" --array= &&
	refused "--array=x" --array=x &&
	refused "--array=5-1" --array=5-1 &&
	refused "is not a number" --array=1-5%x &&
	refused "array.limit: must be an integer > 0" --array=1-5%0 &&
	refused "10000001 elements are more than 10000000" --array=1-10000001 &&
	refused "array.retry: must be an integer from 0 to 254" --array=1-5 --array-retry=255 &&
	refused "array.timeout: must be a duration > 0" --array=1-5 --array-timeout=0 &&
	refused "array.timeout: must be a duration > 0" --array=1-5 --array-timeout=x &&
	refused "not a job id" --array=1-5 --array-resume=? &&
	refused "cannot be combined with --cc or --bcc" --array=1-5 --cc=1-2 &&
	refused "cannot be combined with --cc or --bcc" --array=1-5 --bcc=1-2 &&
	refused "need --array" --array-retry=2 &&
	refused "no indices are given" -oarray.limit=3 &&
	refused "cannot have the shell option '\''exit-timeout'\''" --array=1-5 -oexit-timeout=1s &&
	refused "cannot have the shell option '\''taskmap.scheme'\''" --array=1-5 --taskmap=cyclic &&
	refused "cannot have the shell option '\''pty'\''" --array=1-5 -opty &&
	flux submit --wait true >id && test_must_fail flux job array "$(cat id)" 2>err &&
	test_grep "the job is not an array" err
'

test_done

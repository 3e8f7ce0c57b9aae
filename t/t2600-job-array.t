#!/bin/sh

test_description='many tasks run as one job: an array

Covers what only real jobs show: each element runs once, with its own words, variables and
files, and what becomes of output, codes, time limits and requests about elements. Handing out
and the log are covered step by step by the tests of the job shell and of the crate proto.
'

. "$(dirname "$0")/sharness.sh"
if ! test_have_prereq OURS
then
	skip_all='no other flux has arrays'
	test_done
fi
test_under_flux 4 job

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

for gate in limit cancel until known job; do mkfifo $gate.go || exit 1; done

test_expect_success 'each element runs once, on the slots of one job' '
	flux submit --wait -n2 --array=1-200,300 ./note >id &&
	sort -n ran >actual && { seq 200 && echo 300; } >expect &&
	test_cmp expect actual &&
	flux jobs -no "{id} {ntasks} {status}" -a >jobs &&
	echo "$(cat id) 2 COMPLETED" >expect && test_cmp expect jobs
'

test_expect_success 'one slot runs them in their order' '
	rm ran && flux submit --wait -n1 --array=5-30 ./note && seq 5 30 >expect &&
	test_cmp expect ran
'

test_expect_success 'an element knows which it is, and is alone' '
	flux submit --wait --watch --array=7 sh -c "echo \$FLUX_ARRAY_INDEX \$FLUX_JOB_CC \
\$FLUX_ARRAY_COUNT \$FLUX_ARRAY_TRY \$FLUX_TASK_RANK \$FLUX_JOB_SIZE" >out &&
	tail -n1 out >actual && echo 7 7 1 1 0 1 >expect && test_cmp expect actual
'

test_expect_success 'it is named in words, variables and paths' '
	echo from-7 >in.7 && echo from-8 >in.8 &&
	flux submit --wait --array=7-8 --env="WORD=x{{array.index}}y" --output="out.{{array.index}}" \
		--input="in.{{array.index}}" sh -c "echo {{array.index}} \$WORD; cat; echo err >&2" &&
	printf "%s\n" "7 x7y" from-7 err >expect && test_cmp expect out.7 &&
	printf "%s\n" "8 x8y" from-8 err >expect && test_cmp expect out.8
'

test_expect_success 'files of elements may be apart, added to, or labelled' '
	flux submit --wait --array=1-2 --output="o.{{array.index}}" --error="e.{{array.index}}" \
		sh -c "echo out; echo err >&2" &&
	cat o.1 o.2 e.1 e.2 >actual && printf "%s\n" out out err err >expect && test_cmp expect actual &&
	flux submit --wait --array=1-2 --output="o.{{array.index}}" -ooutput.mode=append echo more &&
	cat o.1 >actual && printf "%s\n" out more >expect && test_cmp expect actual &&
	flux submit --wait --array=1-2 --label-io --output="l.{{array.index}}" sh -c "echo a; echo b" &&
	printf "%s\n" "2: a" "2: b" >expect && test_cmp expect l.2
'

test_expect_success 'output of all is one stream, labelled with the index' '
	flux submit -n2 --array=1-20 echo line >id &&
	flux job attach --label-io "$(cat id)" >out && sort -n out >actual &&
	seq -f "%g: line" 20 >expect && test_cmp expect actual &&
	flux submit --wait --array=1-3 --output=all.txt echo line &&
	has 3 all.txt && test "$(sort -u all.txt)" = line
'

test_expect_success 'the code of the job is the highest of all elements' '
	test_expect_code 7 flux submit --wait --array=0-9 sh -c "exit \$((FLUX_ARRAY_INDEX % 8))" &&
	test_expect_code 0 flux submit --wait --array=0-9 true &&
	test_expect_code 127 flux submit --wait --array=0-9 /no/such/program 2>err
'

test_expect_success 'elements are listed, all or those that failed' '
	test_expect_code 2 flux submit --wait --array=1-6 sh -c "exit \$((FLUX_ARRAY_INDEX % 3))" >id &&
	flux job array "$(cat id)" >list &&
	awk "{print \$1, \$2, \$3, \$4, \$NF}" list >actual &&
	cat >expect <<-EOF &&
	INDEX STATE STATUS HOST TRIES
	1 failed exit 1 1
	2 failed exit 2 1
	3 done exit 0 1
	4 failed exit 1 1
	5 failed exit 2 1
	6 done exit 0 1
	6 elements: 2 done, failed
	EOF
	test_cmp expect actual && test_grep "6 elements: 2 done, 4 failed" list &&
	test_grep "$(hostname)" list &&
	flux job array --failed "$(cat id)" >list && grep -c "exit [12]" list >actual &&
	echo 4 >expect && test_cmp expect actual && test_must_fail grep "exit 0" list
'

test_expect_success 'and as JSON' '
	flux job array --json "$(cat id)" >json &&
	test_grep "\"counts\":{\"done\":2,\"failed\":4," json &&
	test_grep "\"index\":5,\"state\":\"failed\",\"tries\":1" json &&
	test_grep "\"exit_code\":2" json
'

test_expect_success 'what failed is tried again, as often as the job says' '
	cat >third <<-\EOF &&
	#!/bin/sh
	echo "$FLUX_ARRAY_TRY" >>"tries.$FLUX_ARRAY_INDEX"
	test "$FLUX_ARRAY_TRY" -ge 3 || exit 4
	EOF
	chmod +x third &&
	flux submit --wait --array=1-3 --array-retry=2 ./third >id &&
	seq 3 >expect && for i in 1 2 3; do test_cmp expect tries.$i || return 1; done &&
	flux job array "$(cat id)" >list && grep -c "done.* 3$" list >actual && echo 3 >expect &&
	test_cmp expect actual &&
	rm tries.* && test_expect_code 4 flux submit --wait --array=1-3 --array-retry=1 ./third
'

test_expect_success 'an element that runs too long is ended' '
	test_expect_code 124 flux submit --wait -n2 --array=1-3 --array-timeout=0.2s \
		sh -c "test \$FLUX_ARRAY_INDEX != 2 || exec tail -f /dev/null" >id &&
	flux job array "$(cat id)" >list &&
	test_grep "^ *2 timeout *signal 15" list && test_grep "3 elements: 2 done, 1 timeout" list
'

test_expect_success 'no more run at once than the limit' '
	flux submit -n4 --array=1-6%2 ./wait-for limit >id && wait_for 20 has 2 limit.begun &&
	flux job array "$(cat id)" >list && test_grep "6 elements: 2 running, 4 pending" list &&
	test_grep "pending: 3-6" list &&
	has 2 limit.begun && test_must_fail has 3 limit.begun &&
	exec 9<>limit.go && wait_state "$(cat id)" inactive && sort -n limit.ended >actual && seq 6 >expect &&
	test_cmp expect actual
'

test_expect_success 'elements that run or wait are cancelled, and only those' '
	flux submit -n2 --array=1-9 ./wait-for cancel >id && wait_for 20 has 2 cancel.begun &&
	flux job array --cancel=2,5-7 "$(cat id)" >actual &&
	echo "3 will not start, 1 are being killed" >expect && test_cmp expect actual &&
	exec 9<>cancel.go && wait_state "$(cat id)" inactive && sort -n cancel.ended >actual &&
	printf "%s\n" 1 3 4 8 9 >expect && test_cmp expect actual &&
	flux job array --failed "$(cat id)" >list &&
	test_grep "^ *2 canceled signal 15" list && test_grep "^ *6 canceled -  *-" list
'

test_expect_success 'elements that failed run again on request, while the job runs' '
	cat >until <<-\EOF &&
	#!/bin/sh
	echo "$FLUX_ARRAY_INDEX" >>until.ran
	test "$FLUX_ARRAY_INDEX" = 2 && exec ./wait-for until
	test -e until.good
	EOF
	chmod +x until &&
	flux submit -n2 --array=1-4 ./until >id && wait_for 20 has 4 until.ran &&
	failed() { flux job array --failed "$(cat id)" | grep -q "3 failed"; } && wait_for 20 failed &&
	exec 9<>until.good &&
	flux job array --retry=1-2,4 "$(cat id)" >actual && echo "2 rerun" >expect &&
	test_cmp expect actual && wait_for 20 has 6 until.ran && exec 9<>until.go &&
	wait_state "$(cat id)" inactive && flux job array --failed "$(cat id)" >list &&
	test_grep "4 elements: 3 done, 1 failed" list && test_grep "^ *3 failed" list &&
	test_must_fail flux job array --retry=3 "$(cat id)" 2>err &&
	test_grep "elements can no longer be changed" err
'

test_expect_success 'elements that an array does not have are refused' '
	flux submit --array=1-2 ./wait-for known >id && wait_for 20 has 1 known.begun &&
	test_must_fail flux job array --cancel=3 "$(cat id)" 2>err &&
	test_grep "the array has no such element" err &&
	test_must_fail flux job array --cancel=x "$(cat id)" 2>err && test_grep "cancel=x" err &&
	exec 9<>known.go && wait_state "$(cat id)" inactive
'

test_expect_success 'a job that is cancelled starts nothing more' '
	flux submit -n2 --array=1-100 ./wait-for job >id && wait_for 20 has 2 job.begun &&
	flux cancel "$(cat id)" && wait_state "$(cat id)" inactive &&
	test "$(wc -l <job.begun)" = 2 && flux job array "$(cat id)" >list &&
	test_grep "100 elements: 2 failed, 98 not run" list && test_grep "not run: 3-100" list
'

test_expect_success 'the first failure ends the job if it is to' '
	test_expect_code 3 flux submit --wait -n1 -oexit-on-error --array=1-50 sh -c "exit 3" >id &&
	flux job array "$(cat id)" >list && test_grep "50 elements: 1 failed, 49 not run" list
'

test_done

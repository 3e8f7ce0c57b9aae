#!/bin/sh

test_description='flux bulksubmit: jobs by their inputs

What is put in the place of each field, and what is refused, are covered by the tests of the
command: this shows that the jobs run, that Python is asked, and that many at once are not lost.
'

. "$(dirname "$0")/sharness.sh"
test_under_flux 1 job
command -v python3 >/dev/null && test_set_prereq PYTHON

test_expect_success 'a job runs for each word' '
	flux bulksubmit --watch --quiet echo "<{}>" ::: a "b c" >out &&
	sort out >actual &&
	printf "%s\n" "<a>" "<b c>" >expect &&
	test_cmp expect actual
'

test_expect_success 'inputs come from standard input' '
	seq 1 3 | flux bulksubmit --wait --job-name=n{} true >ids &&
	test "$(wc -l <ids)" = 3 &&
	flux jobs -no "{name} {returncode}" $(cat ids) | sort >actual &&
	printf "%s\n" "n1 0" "n2 0" "n3 0" >expect &&
	test_cmp expect actual
'

test_expect_success 'lists are combined, and copies are made of each' '
	flux bulksubmit --watch --quiet --cc=7-8 echo {0}{1}{cc} ::: a b ::: x y >out &&
	sort out >actual &&
	printf "%s\n" ax7 ax8 ay7 ay8 bx7 bx8 by7 by8 >expect &&
	test_cmp expect actual
'

test_expect_success 'each job has files of its own' '
	mkdir in &&
	touch in/a.x in/b.x &&
	flux bulksubmit --quiet --watch --log={./%}.log --output={.%}.out \
		sh -c "echo {seq} {./}" :::: - <<-EOT &&
	in/a.x
	in/b.x
	EOT
	printf "0 a.x\n" >expect &&
	test_cmp expect in/a.out &&
	printf "1 b.x\n" >expect &&
	test_cmp expect in/b.out &&
	test -f a.log &&
	test -f b.log
'

test_expect_success PYTHON 'methods are written in Python' '
	flux bulksubmit --dry-run --define=p2="2**int(x)" -n {.p2} hostname ::: 0 1 2 >actual &&
	cat >expect <<-EOT &&
	bulksubmit: submit -n1 hostname
	bulksubmit: submit -n2 hostname
	bulksubmit: submit -n4 hostname
	EOT
	test_cmp expect actual &&
	flux bulksubmit --watch --quiet --define="w=x.split()" echo {.w} ::: "a  b" >actual &&
	echo "a b" >expect &&
	test_cmp expect actual
'

test_expect_success '--shuffle loses none' '
	seq 1 50 | flux bulksubmit --dry-run --shuffle {} >out &&
	sed "s/.* //" out | sort -n >actual &&
	seq 1 50 >expect &&
	test_cmp expect actual
'

test_expect_success 'a job that is refused is told, and the others run' '
	test_expect_code 1 flux bulksubmit --urgency={} --wait true ::: 16 99 15 >ids 2>err &&
	test "$(wc -l <ids)" = 2 &&
	test_grep "urgency range" err
'

test_expect_success 'a thousand jobs have a thousand ids' '
	seq 1 1000 | flux bulksubmit true {} >ids &&
	test "$(sort -u ids | wc -l)" = 1000 &&
	flux queue drain
'

test_done

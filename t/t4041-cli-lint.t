#!/bin/sh

test_description='flux lint rfc9 finds what services should not do, and nothing where they do not

What each rule makes of which messages is in the tests of the command.
'

. "$(dirname "$0")/sharness.sh"
test_under_flux 1 kvs

examples=$(dirname "$(command -v flux)")/examples

# lint WHAT: what is found while the example does it, without what tells one run from another.
lint() {
	test_might_fail flux lint rfc9 "$examples/bad_practices" "$1" >lint.out &&
	sed "s/client [0-9a-f]* (pid [0-9]*: [^ ]*bad_practices \([^)]*\))/\1/; s/:.*key=/: key=/; s/: [^:]*([0-9]* times)//" \
		lint.out
}

for practice in "chained-watch bad.step2" "replaced-stream bad.log" "unwaited-version bad.data"
do
	test_expect_success OURS "$practice is found" '
		set -- $practice &&
		lint $1 >actual &&
		test_grep "^$1: .*key=$2\$" actual &&
		test_grep "^1 findings in [0-9]* messages\$" lint.out
	'
done

test_expect_success OURS 'an event for one is found, with its topic' '
	lint unicast-event >actual &&
	test_grep "^unicast-event: .* bad.answer" actual &&
	test_grep "^1 findings" lint.out
'

test_expect_success OURS 'a question that is asked over and over is found, with its topic' '
	lint polling >actual &&
	test_grep "^polling: .* kvs.lookup" actual &&
	test_grep "^1 findings" lint.out
'

test_expect_success OURS 'a handler that holds its loop is found, with its module and topic' '
	flux module load --name=slow "$examples/slow_module" &&
	test_when_finished "flux module remove slow" &&
	cat >hold.sh <<-EOF2 &&
	for n in 1 2 3
	do
		perl "$TEST_HARNESS_DIR/sharness.d/client.pl" $FLUX_URI rpc slow.hold </dev/null
	done
	EOF2
	test_expect_code 1 flux lint rfc9 --json sh hold.sh >actual &&
	test_grep "\"rule\":\"slow-handler\",\"who\":\"slow\",\"topic\":\"request slow.hold\"" actual
'

for practice in counter two-watches waited-version
do
	test_expect_success OURS "$practice is no reason to complain" '
		flux lint rfc9 "$examples/bad_practices" $practice >actual &&
		test_grep "^0 findings" actual
	'
done

test_done

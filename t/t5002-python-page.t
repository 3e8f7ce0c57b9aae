#!/bin/sh

test_description='the examples of the page on Python do what the page says
'

. "$(dirname "$0")/sharness.sh"
test_flux_python
test_under_flux 1 job

page=$TEST_HARNESS_DIR/../doc/python.md

test_expect_success 'the examples run, one after the other' '
	awk "/^\`\`\`python\$/ { inside = 1; next } /^\`\`\`/ { inside = 0 } inside" "$page" >program.py &&
	cat >expect <<-\EOF &&
	rank 0 of 1
	answer 1
	No such file or directory
	callback 0
	callback 1
	17 ['\''best'\'', '\''raw'\'']
	n is 0
	n is 1
	n is 2
	FAILED 3 out

	4 cores, 300.0 seconds
	submit
	finish
	clean
	2 others {0}
	[0, 1, 2]
	[('\''sh'\'', 3)]
	doubled 42
	EOF
	python3 program.py >actual &&
	test_cmp expect actual
'

test_done

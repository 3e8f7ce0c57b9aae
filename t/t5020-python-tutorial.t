#!/bin/sh

test_description='the program of the tutorial runs, and says what the page shows
'

. "$(dirname "$0")/sharness.sh"
test_flux_python
test_need_flux

test_expect_success 'jobs are submitted and waited for from Python' '
	page_part "$TEST_HARNESS_DIR/../doc/tutorial.md" 11 11 >page &&
	page_files page &&
	test -s sweep.py &&
	page_session page &&
	page_shown page | page_plain >expect &&
	sh ./session.0 </dev/null >said 2>&1 &&
	page_plain <said >actual &&
	test_cmp expect actual
'

test_done

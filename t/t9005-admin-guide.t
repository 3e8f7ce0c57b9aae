#!/bin/sh

test_description='the commands of doc/admin.md run in their order, and say what the page shows

Its example of prolog, epilog and housekeeping is run by t2274.
'

. "$(dirname "$0")/sharness.sh"
test_need_flux

page=$TEST_HARNESS_DIR/../doc/admin.md

test_expect_success 'the page has commands' '
	page_session "$page" &&
	test "$(cat session.* | wc -l)" -gt 60
'

test_expect_success 'they say what the page shows' '
	page_shown "$page" | page_plain >expect &&
	sh ./session.0 </dev/null >said 2>&1 &&
	page_plain <said >actual &&
	test_cmp expect actual
'

test_done

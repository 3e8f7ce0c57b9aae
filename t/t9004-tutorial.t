#!/bin/sh

test_description='the commands of doc/tutorial.md run in their order, and say what the page shows

The page is the script: commands and output are taken from its blocks. Its part on Python is
run by t5020.
'

. "$(dirname "$0")/sharness.sh"
test_need_flux

page_part "$TEST_HARNESS_DIR/../doc/tutorial.md" 1 10 >page

test_expect_success 'the page has commands, and files for them' '
	page_files page &&
	page_session page &&
	test "$(cat session.* | wc -l)" -gt 60 &&
	test -s session.2 &&
	test -s workflow.sh
'

test_expect_success 'they say what the page shows' '
	page_shown page | page_plain >expect &&
	sh ./session.0 </dev/null >said 2>&1 &&
	page_plain <said >actual &&
	test_cmp expect actual
'

test_done

#!/bin/sh

test_description='commands in the text of pages for users are there, with the options that they are shown with
'

. "$(dirname "$0")/sharness.sh"
test_need_flux

root=$TEST_HARNESS_DIR/..

for page in README.md doc/tutorial.md doc/admin.md doc/compatibility.md doc/queues.md doc/arrays.md doc/overlay.md
do
	test_page_commands "$root/$page"
done

test_done

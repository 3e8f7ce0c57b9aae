#!/bin/sh

test_description='the commands of doc/from-slurm.md are there, with the options that they are shown with
'

. "$(dirname "$0")/sharness.sh"
test_need_flux

page=$TEST_HARNESS_DIR/../doc/from-slurm.md

test_expect_success 'the page has commands' '
	test "$(page_commands "$page" | wc -l)" -ge 30
'

test_page_commands "$page"

# A session in the order of the page, with a job that waits.
test_expect_success 'what is done to a job works as shown' '
	cat >session <<-\EOS &&
	set -e
	id=$(flux submit --urgency=hold -n1 --time-limit=30 --job-name=sim true)
	flux jobs -n -o "{id} {status} {runtime}" $id
	flux job info $id jobspec >jobspec
	flux job eventlog $id >eventlog
	flux update $id duration=2h
	flux job urgency $id hold
	flux pkill name:sim
	flux resource drain 0 disk
	flux resource undrain 0
	flux hostlist instance
	flux queue list >queues
	flux uptime
	EOS
	flux start sh session
'

test_done

#!/bin/sh

test_description='flux top: an instance on a terminal

Where what stands, and what keys mean, is covered by the tests of the command.
'

. "$(dirname "$0")/sharness.sh"
test_under_flux 1 job
test_terminal
TERM=xterm
export TERM

test_expect_success 'it wants a terminal' '
	test_expect_code 1 flux top </dev/null 2>actual &&
	echo "flux-top: stdin is not a terminal" >expect &&
	test_cmp expect actual
'

test_expect_success TERMINAL 'one that can do something, an instance and a queue' '
	: >none &&
	TERM=dumb test_expect_code 1 terminal none flux top >actual &&
	test_grep "^flux-top: terminal does not support required capabilities$" actual &&
	test_expect_code 1 terminal none flux top -q zz >actual &&
	test_grep "^flux-top: queue zz not configured$" actual &&
	test_expect_code 1 terminal none flux top local:///nonexistent >actual &&
	test_grep "^flux-top: error connecting to Flux: " actual &&
	test_expect_code 1 terminal none flux top nosuch://x >actual &&
	test_grep "^flux-top: failed to resolve target to a Flux URI$" actual
'

test_expect_success TERMINAL 'jobs come and go' '
	flux submit --job-name=first --wait-event=start tail -f /dev/null >first &&
	cat >script <<-EOF &&
	see $(cat first)
	see 1 running
	see 0 pending
	see nodes [
	see size: 1
	type d
	see 0 inactive
	type d
	see 0 complete, 0 failed
	type q
	EOF
	terminal script flux top >actual &&
	test_must_fail grep first actual
'

test_expect_success TERMINAL 'what is shown can be had in lines' '
	: >none &&
	terminal none flux top --test-exit --test-exit-dump=dump >/dev/null &&
	sed -e "s/ [0-9.]*m*s first$/ TIME first/" -e "s,/.*,/N," dump >actual &&
	cat >expect <<-EOF &&
	0 pending
	1 running
	0 complete
	0 failed
	nodes 1/N
	cores 1/N
	gpus 0/N
	$(cat first) $(id -un) R 1 1 TIME first
	EOF
	test_cmp expect actual
'

test_expect_success TERMINAL 'a job that is an instance can be entered' '
	cat >inner.sh <<-\EOF &&
	#!/bin/sh
	flux submit --job-name=within --wait-event=start tail -f /dev/null
	FLUX_URI=$(flux getattr parent-uri) flux job memo $(flux getattr jobid) uri=$FLUX_URI
	exec tail -f /dev/null
	EOF
	flux batch --job-name=outer -n1 inner.sh >outer &&
	wait_event $(cat outer) memo &&
	cat >script <<-EOF &&
	see outer
	see first
	type k\r
	see within
	see $(cat outer)
	see depth: 1
	gone first
	type q
	see first
	type j\r
	see first
	kill TERM
	EOF
	test_expect_code 143 terminal script flux top
'

test_expect_success TERMINAL 'one that cannot is told' '
	flux job memo $(cat outer) uri=local:///nonexistent/x &&
	printf "%s\n" "see outer" "type k\\r" "see error connecting to Flux: " "type q" >script &&
	terminal script flux top >/dev/null
'

test_expect_success TERMINAL 'the user turns through queues' '
	flux config load <<-EOF &&
	queues.batch = {}
	queues.debug = {}
	EOF
	cat >script <<-EOF &&
	see No jobs to display in queue debug
	type h
	see No jobs to display in queue batch
	type \x1b[D
	see $(cat first)
	see QUEUE
	type q
	EOF
	terminal script flux top --queue=debug >/dev/null
'

test_expect_success 'nothing is left' '
	flux cancel --all &&
	flux queue drain
'

test_done

#!/bin/sh

test_description='R names ranks and hosts that the instance does not have

They are there to the scheduler, and down: what fits without them runs, what needs them waits,
and what is more than all of them is refused.
'

. "$(dirname "$0")/sharness.sh"
test_need_flux

host=$(uname -n)

test_expect_success 'jobs run on ranks that are there, and wait for those that are not' '
	cat >r.json <<-EOS &&
	{"version":1,"execution":{"R_lite":[{"rank":"0-3","children":{"core":"0"}}],
	"nodelist":["$host,$host,nosuchhost[2-3]"]}}
	EOS
	cat >resource.toml <<-EOS &&
	[resource]
	path = "$PWD/r.json"
	noverify = true
	EOS
	cat >story <<-\EOS &&
	flux run -N2 -n2 flux getattr rank | sort
	flux resource list -s down -no "{ranks} {nodelist}"
	flux run -N5 -n5 true 2>refused || echo "code $?"
	id=$(flux submit -N3 -n3 true)
	flux job wait-event $id priority >event
	flux jobs -no "{state}" $id
	flux cancel $id
	flux job wait-event $id clean >event
	flux run true
	EOS
	timeout 60 flux start --test-size=2 --config-path=resource.toml sh story >actual &&
	printf "%s\n" 0 1 "2-3 nosuchhost[2-3]" "code 1" SCHED >expect &&
	test_cmp expect actual &&
	test_grep "unsatisfiable request: need 5 node(s) with 1 cores each, only 4 eligible" refused
'

test_done

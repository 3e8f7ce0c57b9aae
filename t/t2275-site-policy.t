#!/bin/sh

test_description='a module of the site answers for a job policy, as the howto has it to copy

Which requests there are, and what follows from each answer, is in the transcripts of job-manager.
'

. "$(dirname "$0")/sharness.sh"
test_need_flux

page=$TEST_HARNESS_DIR/../doc/howto/add-a-job-policy.md
example=$TEST_HARNESS_DIR/../modules/job-manager/examples/site_policy.rs
module=$(dirname "$(command -v flux)")/examples/site_policy

# block LANGUAGE N: the Nth example of the page in this language.
block() {
	awk -v open="\`\`\`$1" -v n="$2" '$0 == open { inside = ++count == n; next } /^```/ { inside = 0 } inside' "$page"
}

test_expect_success 'the page shows the module that is loaded here' '
	block rust 1 >shown.rs &&
	test_cmp "$example" shown.rs &&
	test -x "$module" &&
	block toml 2 >site.toml &&
	test_grep "^load = \"remote\"" site.toml
'

# The command of the page, with the module where it is here.
block sh 1 | sed -n "s,target/release/examples/site_policy,$module,; /^flux module load/p" >load.sh

cat >site.sh <<-\EOF
told() {
	flux submit "$@" true 2>&1 | sed "s/ƒ.*/taken/"
}
told --setattr=bank=physics
sh ./load.sh
told --setattr=bank=physics
told --setattr=bank=history
told
id=$(flux submit --setattr=bank=chemistry true)
flux job wait-event -t 60 $id clean >/dev/null
flux job eventlog $id | grep -o "priority=.*"
flux submit --cc=1-64 --setattr=bank=physics --wait true >ids
wc -l <ids
flux jobtap query site-policy | grep -o "\"failed\":[0-9]*"
flux module remove site-policy
told --setattr=bank=physics
flux jobtap reprioritize
flux jobtap remove site-policy
told
EOF

test_expect_success OURS 'it says who may submit, and which priority jobs have' '
	test -s load.sh &&
	flux start --config-path="$PWD/site.toml" sh site.sh >actual &&
	cat >expect <<-\EOF &&
	[Errno 22] policy site-policy: No service matching site-policy.validate is registered
	taken
	[Errno 22] no bank has the name history
	[Errno 22] jobs name a bank: --setattr=bank=NAME
	priority=1000
	64
	"failed":1
	[Errno 22] policy site-policy: No service matching site-policy.validate is registered
	taken
	EOF
	test_cmp expect actual
'

cat >stuck.sh <<-\EOF
sh ./load.sh
flux jobtap load remote service=site-policy "points=[\"validate\"]" timeout=0.1s
pid=$(pgrep -P "$(flux getattr broker.pid)" -f site_policy)
kill -STOP $pid
flux submit --setattr=bank=physics true 2>&1
kill -CONT $pid
flux ping --count=1 site-policy >ping &&
flux jobtap load --remove=site-policy remote service=site-policy "points=[\"validate\"]" &&
flux submit --setattr=bank=physics true | sed "s/ƒ.*/taken/"
EOF

test_expect_success OURS 'while it is stuck, submitters are told so' '
	flux start sh stuck.sh >actual &&
	cat >expect <<-\EOF &&
	[Errno 22] policy site-policy: no answer within 0.1s
	taken
	EOF
	test_cmp expect actual
'

test_done

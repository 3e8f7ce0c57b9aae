#!/bin/sh

test_description='the commands of doc/from-slurm.md are there, with the options that they are shown with
'

. "$(dirname "$0")/sharness.sh"
test_need_flux

# What stands in the page as `flux ...`, a line each.
grep -o '`flux [^`]*`' "$TEST_HARNESS_DIR/../doc/from-slurm.md" | tr -d '`' | sort -u >commands

# help WORD WORD...: the help of a command that begins so, of its sub-command where it has any.
help() {
	flux "$1" "$2" --help 2>/dev/null || flux "$1" --help
}

# options WORD...: the options before the command of a job.
options() {
	for word in "$@"
	do
		case $word in
		--*) echo "${word%%=*}" ;;
		-[a-zA-Z]*) echo "$word" | cut -c1-2 ;;
		CMD | ./a.out) return ;;
		esac
	done
}

test_expect_success 'the page has commands' '
	test "$(wc -l <commands)" -ge 30
'

while read -r flux sub rest
do
	test_expect_success "flux $sub $rest" '
		help "$sub" "${rest%% *}" >help &&
		for option in $(set -f && options $rest)
		do
			grep -E -e "(^| |\[)$option([],= ]|\$|\[)" help >/dev/null ||
				{ echo "no option $option" && return 1; }
		done
	'
done <commands

# line N: a session in the order of the page, with a job that waits.
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

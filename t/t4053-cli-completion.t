#!/bin/sh

test_description='flux completion: bash completes words, options, and what the instance has

Which values stand where is covered by the tests of the command.
'

. "$(dirname "$0")/sharness.sh"
test_under_flux 2 job

if bash -c 'type complete' >/dev/null 2>&1
then
	test_set_prereq BASH
fi

# Prints how bash completes the last of some words, one a line.
cat >complete.sh <<'EOS'
. ./script
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
_flux_complete flux "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}" 2>err
printf '%s\n' "${COMPREPLY[@]}"
EOS

# check EXPECTED WORD...: the words that the last one may become, sorted, on one line.
check() {
	echo "$1" >expect &&
	shift &&
	bash complete.sh "$@" | sort | xargs >actual &&
	test_cmp expect actual
}

test_expect_success BASH 'a script is made' '
	flux completion bash >script &&
	bash -n script
'

test_expect_success BASH 'commands and options are completed' '
	check "getattr" flux getat &&
	check "wait wait-event" flux job wai &&
	check "--queue" flux jobs --que
'

test_expect_success BASH 'commands of the site are too' '
	mkdir site &&
	touch site/flux-zzz.py &&
	FLUX_EXEC_PATH=$PWD/site check zzz flux zz
'

test_expect_success BASH 'ids of jobs are completed' '
	flux submit --urgency=hold true >held &&
	flux submit --wait true >over &&
	check "$(cat held)" flux cancel "" &&
	check "$(cat held over | sort | xargs)" flux job info ƒ &&
	check "$(sed s/ƒ/f/ held)" flux cancel -m why f &&
	check "" flux job info $(cat held) e
'

test_expect_success BASH 'ranks, attributes, modules and keys are completed' '
	check "0 1" flux resource drain "" &&
	check "0,1" flux exec -r 0,1 &&
	check "broker.pid" flux getattr broker.pi &&
	check "job-list" flux module stats job-l &&
	flux kvs put dir.one=1 dir.two=2 &&
	check "dir." flux kvs get di &&
	check "dir.one dir.two" flux kvs get dir.
'

test_expect_success BASH 'queues are completed, also in lists' '
	flux config load <<-EOF &&
	queues.batch = {}
	queues.debug = {}
	EOF
	check "batch debug" flux queue stop "" &&
	check "batch" flux submit -q b &&
	check "debug" flux submit --queue = d &&
	check "batch,debug" flux jobs --queue batch,d
'

test_expect_success 'nothing is left' '
	flux cancel --all &&
	flux queue drain
'

test_done

#!/bin/sh

test_description='flux pgrep and flux pkill: jobs by name or id

Expressions, formats and options, one by one, are covered by the tests of the command.
'

. "$(dirname "$0")/sharness.sh"
test_under_flux 1 job

test_expect_success 'there are jobs' '
	flux submit --job-name=over true >over &&
	flux submit --job-name=one --urgency=hold true >one &&
	flux submit --job-name=two --urgency=hold true >two &&
	flux submit --job-name=runs --wait-event=start tail -f /dev/null >runs &&
	flux job wait-event $(cat over) clean
'

test_expect_success 'active jobs are found by name' '
	flux pgrep o >actual &&
	cat one two | sort >expect &&
	sort actual >sorted &&
	test_cmp expect sorted &&
	flux pgrep ^runs$ >actual &&
	test_cmp runs actual
'

test_expect_success 'inactive ones where that is asked for' '
	test_expect_code 1 flux pgrep over >actual &&
	test_cmp /dev/null actual &&
	flux pgrep -a over >actual &&
	test_cmp over actual &&
	flux pgrep -f completed . >actual &&
	test_cmp over actual
'

test_expect_success 'ranges of ids' '
	flux pgrep $(cat over)..$(cat one) >actual &&
	test_cmp one actual &&
	test_expect_code 1 flux pgrep name:$(cat one)..$(cat two) >actual &&
	test_cmp /dev/null actual
'

test_expect_success 'formats of the user, shared with flux jobs' '
	mkdir -p conf/flux &&
	cat >conf/flux/flux-jobs.toml <<-\EOF &&
	[formats.mine]
	description = "a name alone"
	format = "{name}"
	EOF
	XDG_CONFIG_HOME=$PWD/conf flux pgrep -o mine -n one >actual &&
	echo one >expect &&
	test_cmp expect actual &&
	XDG_CONFIG_HOME=$PWD/conf flux jobs -o mine -n $(cat one) >actual &&
	test_cmp expect actual &&
	XDG_CONFIG_HOME=$PWD/conf FLUX_PGREP_FORMAT_DEFAULT=mine flux pgrep -n one >actual &&
	test_cmp expect actual
'

test_expect_success 'flux pkill cancels, and waits for the end' '
	flux pkill --wait runs 2>err &&
	echo "flux-pkill: INFO: Canceled 1 job" >expect &&
	test_cmp expect err &&
	flux jobs -no "{state} {result}" $(cat runs) >actual &&
	echo "INACTIVE CANCELED" >expect &&
	test_cmp expect actual
'

test_expect_success 'but not what is inactive already' '
	test_expect_code 1 flux pkill over 2>err &&
	test_cmp /dev/null err
'

test_expect_success 'nothing is left' '
	flux pkill . &&
	flux queue drain
'

test_done

#!/bin/sh

test_description='a broker that is silent for too long is torpid until it is heard again

Covers the limits on live brokers, of which one is stopped. Whose silence is judged how is
covered by the tests of the broker.
'

. "$(dirname "$0")/sharness.sh"
test_under_hosts 2 minimal

# torpid_is RANK MIN MAX
torpid_is() {
	echo "$2 $3" >expect &&
	echo "$(on "$1" flux getattr tbon.torpid_min) $(on "$1" flux getattr tbon.torpid_max)" >actual &&
	test_cmp expect actual
}

# refused TEXT MIN MAX
refused() {
	test_must_fail flux config set "tbon.torpid_min=\"$2\"" "tbon.torpid_max=\"$3\"" 2>err &&
	test_grep "$1" err
}

test_expect_success 'the limits are the usual ones' '
	wait_status full && wait_group broker.online 0-1 && torpid_is 0 5s 30s && torpid_is 1 5s 30s
'

test_expect_success 'a change reaches all ranks' '
	flux config get | flux config load &&
	(flux config get && printf "\n[tbon]\ntorpid_min = \"1s\"\ntorpid_max = \"2s\"\n") >conf.toml &&
	cp conf/bootstrap.toml new.toml &&
	printf "[tbon]\ntorpid_min = \"1s\"\ntorpid_max = \"2s\"\n" >>new.toml &&
	flux config load <new.toml &&
	wait_for 20 torpid_is 1 1s 2s && torpid_is 0 1s 2s
'

test_expect_success 'limits that make no sense are refused' '
	sed "s/2s/0.1s/" new.toml | test_must_fail flux config load 2>err &&
	test_grep "tbon.torpid_max must be greater than torpid_min" err &&
	sed "s/1s/0/" new.toml | test_must_fail flux config load 2>err &&
	test_grep "tbon.torpid_min must be nonzero" err &&
	sed "s/1s/foo/" new.toml | test_must_fail flux config load 2>err &&
	test_grep "Config file error parsing tbon.torpid_min" err
'

test_expect_success 'a broker that is stopped is torpid' '
	kill_rank 1 19 && wait_group broker.torpid 1 &&
	flux dmesg >dmesg && test_grep "broker on fake1 (rank 1) has been unresponsive for" dmesg
'

test_expect_success 'and no more when it goes on' '
	kill_rank 1 18 && wait_group broker.torpid "" &&
	flux dmesg >dmesg && test_grep "broker on fake1 (rank 1) is responsive now after" dmesg &&
	wait_status full && is_group broker.online 0-1
'

test_done

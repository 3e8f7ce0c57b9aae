#!/bin/sh

test_description='what commands do on ranks above 0'

. "$(dirname "$0")/sharness.sh"
test_need_flux

# brokers SCRIPT OPTION...: runs SCRIPT on rank 0 of two brokers, with these options. On a
# rank: at R COMMAND.
brokers() {
	script=$1
	shift
	flux start --test-size=2 --test-rundir="$(pwd)/run" -S ferroflux.personality=minimal \
		"$@" sh -e -c "
			at() { FLUX_URI=local://$(pwd)/run/local-\$1; export FLUX_URI; shift; \"\$@\"; }
			$script
		" 2>err
}

test_expect_success 'attributes, log and modules are those of the rank that is asked' '
	mkdir run &&
	brokers "
		at 1 flux getattr rank >rank; at 1 flux dmesg >log
		at 1 flux setattr vendor.x here; at 0 flux getattr vendor.x >other || true
		at 1 flux module load heartbeat; at 1 flux module list >modules.1
		at 0 flux module list >modules.0; at 1 flux module remove heartbeat
	" &&
	echo 1 >expect &&
	test_cmp expect rank &&
	grep "broker.*\[1\]: " log &&
	test_expect_code 1 grep "\[0\]: " log &&
	test_cmp /dev/null other &&
	grep heartbeat modules.1 &&
	test_expect_code 1 grep heartbeat modules.0
'

test_expect_success 'the instance is the same from everywhere' '
	brokers "
		until at 1 flux uptime >uptime && grep \" run \" uptime
		do tries=x\$tries; test \${#tries} -lt 500; done
	" &&
	grep " run .*,  size 2$" uptime
'

test_expect_success 'a follower has the configuration of rank 0, and changes none' '
	brokers "
		at 0 flux config set kvs.gc-threshold 7
		at 1 flux config get kvs.gc-threshold >threshold
		echo \"{}\" >empty.json
		at 1 flux config load empty.json 2>load || echo \$? >>load
		at 1 flux config reload 2>reload || echo \$? >>reload
		at 1 flux config reload --follower-noop
	" &&
	grep 7 threshold &&
	grep "rank 1 has the configuration of rank 0: change it there" load &&
	grep "rank 1 has the configuration of rank 0: change it there" reload &&
	grep "^1$" reload
'

test_expect_success 'the times of silence follow the configuration, also over the command line' '
	brokers "
		at 1 flux getattr tbon.torpid_max >before
		at 0 flux config set tbon.torpid_max 44s
		at 1 flux getattr tbon.torpid_max >after
	" -S tbon.torpid_max=33s &&
	grep 33s before &&
	grep 44s after
'

test_expect_success 'shutdown from any rank ends the instance' '
	test_expect_code 129 brokers "at 1 flux shutdown; at 0 tail -f /dev/null" &&
	grep "broker.info\[0\]: rc2-fail: run->cleanup" err
'

test_expect_success 'what happens to connections is logged on demand' '
	brokers "at 0 flux dmesg >log.0; at 1 flux dmesg >log.1" -S tbon.zmqdebug=1 &&
	grep "link to children: handshake succeeded" log.0 &&
	grep "link to parent: handshake succeeded" log.1 &&
	brokers "at 0 flux dmesg >log.0" &&
	test_expect_code 1 grep "link to children" log.0
'

test_done

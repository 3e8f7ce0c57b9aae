#!/bin/sh

test_description='nothing is accepted that nothing uses: attributes and configuration

Covers what only a broker process shows: a bad setting ends a start, a bad change
keeps the old configuration everywhere, and settings that have to do with files and
the end of the broker act. Forms and texts of each row are covered by unit tests.
'

. "$(dirname "$0")/sharness.sh"
test_need_flux

kvs="-S ferroflux.personality=kvs"
minimal="-S ferroflux.personality=minimal"

# refused TEXT OPTION...: flux start OPTION... ends with 1 and says TEXT.
refused() {
	text=$1
	shift
	test_expect_code 1 flux start "$@" touch ran 2>err &&
	test_grep -F -e "$text" err &&
	test ! -e ran
}

test_expect_success 'an attribute that is not supported or malformed ends the start' '
	refused "flux-broker: broker.exit-restart: not supported in this version" \
		-Sbroker.exit-restart=1 &&
	refused "flux-broker: broker.shutdown-timeout=soon: must be a duration or none" \
		-Sbroker.shutdown-timeout=soon &&
	refused "topology: unknown topology scheme" -Stbon.topo=flat &&
	refused "tbon.torpid_max must be greater than torpid_min" -Stbon.torpid_max=1s &&
	refused "Error parsing broker.quorum attribute: 2: the instance has only 1 broker" -Sbroker.quorum=2
'

test_expect_success 'a key that is unknown, not supported or malformed ends the start' '
	refused "kvs.durabilty: unknown key" --conf=kvs.durabilty=power &&
	refused "systemd: not supported in this version" --conf=systemd.enable=true &&
	refused "error parsing [policy.limits] config table:" \
		--conf=policy.limits.duration=soon &&
	refused "Config file error [tbon]: topo: must be kary:K" --conf=tbon.topo=7 &&
	refused "Config file error parsing tbon.torpid_max" --conf=tbon.torpid_max=soon
'

test_expect_success 'attributes of the tree are those of one broker' '
	flux start $minimal -Stbon.fanout=2 -Stbon.prefertcp=1 --conf=tbon.torpid_max=1m \
		sh -c "flux getattr tbon.topo && flux getattr tbon.torpid_max &&
			flux getattr tbon.level && flux getattr tbon.descendants" >actual &&
	printf "kary:2\n1m\n0\n0\n" >expect &&
	test_cmp expect actual
'

test_expect_success 'a change that is refused leaves the old configuration everywhere' '
	mkdir conf && echo "kvs.checkpoint-period = \"1h\"" >conf/kvs.toml &&
	cat >reload.sh <<-\EOT &&
	flux config get >before || exit 1
	bad() {
		echo "$1" >conf/new.toml
		flux config reload && return 1
		flux config get >after && cmp before after
	}
	bad "access.nosuch = true" && bad "kvs.nosuch = 1" && bad "kvs.durability = \"luck\"" &&
	bad "queues.batch.requires = [\"x y\"]" && bad "heartbeat.timeout = \"1s\"" &&
	echo "accounting.x = 1" >conf/new.toml && flux config reload && flux config get accounting.x
	EOT
	flux start --config-path=conf sh reload.sh >actual 2>err &&
	echo 1 >expect && test_cmp expect actual &&
	test_grep "reload: error parsing .access. configuration: nosuch: unknown key" err &&
	test_grep "reload: error updating kvs: kvs.nosuch: unknown key" err &&
	test_grep "reload: error updating kvs: kvs.durability: must be process or power" err &&
	test_grep "error updating job-ingest: error parsing .queues.batch. config table: .requires." err &&
	test_grep "reload: error updating heartbeat: heartbeat.timeout must be >= 2" err
'

test_expect_success 'a reload keeps what the command line has set over the files' '
	mkdir over && echo "a = { x = 1, y = 1 }" >over/a.toml &&
	cat >over.sh <<-EOT &&
		echo "a = { x = 2, y = 2 }" >over/a.toml
		flux config reload && flux config get
	EOT
	flux start --config-path=over --conf=a.y=7 sh over.sh >actual &&
	echo "{\"a\":{\"x\":2,\"y\":7}}" >expect &&
	test_cmp expect actual
'

test_expect_success 'log-filename gets the log, another file from when it is set' '
	flux start $minimal -Slog-filename=log1 sh -c "
		flux logger --severity=debug one && flux setattr --force log-filename $PWD/log2 &&
		flux logger two" &&
	test_grep "logger.debug\[0\]: one" log1 &&
	test_must_fail grep two log1 &&
	test_grep "logger.notice\[0\]: two" log2 &&
	test_grep "broker.info\[0\]: .*finalize->goodbye" log2 &&
	refused "log-filename=/nonexistent/x: cannot be written" -Slog-filename=/nonexistent/x
'

test_expect_success 'what is critical is shown regardless of the level of standard error' '
	flux start $minimal -Slog-stderr-level=-1 sh -c "
		flux logger --severity=crit dire && flux logger --severity=err bad" 2>err &&
	test_grep "^<2>logger.crit\[0\]: dire" err &&
	test_must_fail grep bad err
'

test_expect_success 'folders stay or go as their attributes say' '
	mkdir run &&
	flux start $kvs -Srundir=$PWD/run -Srundir-cleanup=1 -Sstatedir=$PWD/new \
		-Sstatedir-cleanup=0 true &&
	test ! -e run && test -e new/content.sqlite
'

test_expect_success 'exit-norestart is the exit code of a shutdown and of a failed start' '
	mkdir run &&
	{ flux start $minimal -Sbroker.rc2_none -Sbroker.exit-norestart=42 -Srundir=$PWD/run \
		-Slog-stderr-level=6 2>err & } &&
	pid=$! &&
	wait_for 30 grep -q "quorum->run" err &&
	FLUX_URI=local://$PWD/run/local-0 flux shutdown --quiet &&
	test_expect_code 42 wait $pid &&
	test_expect_code 42 flux start $minimal -Sbroker.exit-norestart=42 \
		-Sbroker.rc1_path=false true
'

test_expect_success 'recovery comes up without what is broken, and without resources' '
	cat >recover.sh <<-\EOT &&
	flux module list | grep -q "^heartbeat" && exit 1
	flux kvs get a
	EOT
	mkdir keep && flux start -Sstatedir=$PWD/keep flux kvs put a=1 &&
	flux start --recovery=keep --conf=heartbeat.period=0 sh recover.sh >actual 2>err &&
	echo 1 >expect && test_cmp expect actual &&
	test_grep "rc1: module heartbeat failed to load" err &&
	flux start --recovery=keep flux resource list -s up -no "{nnodes}" >actual &&
	echo 0 >expect && test_cmp expect actual
'

test_done

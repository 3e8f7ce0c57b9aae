#!/bin/sh

test_description='flux modprobe

Covers modules that are really loaded and removed, in which order an instance starts, and what a
site says of modules: files, the configuration, the environment. What follows from what is known of
modules is covered by the tests of crates/cli.
'

. "$(dirname "$0")/sharness.sh"
test_under_flux 1 full

loaded() {
	flux module list | awk 'NR > 1 && $1 !~ /^(config|connector-local|groups|rexec|overlay)$/ { print $1 }' |
		sort | tr '\n' ' '
}

test_expect_success 'what an instance has is all that it starts with' '
	flux modprobe rc1 --dry-run >actual &&
	echo "run run-all-rc1" >expect &&
	test_cmp expect actual &&
	test "$(flux getattr broker.rc1_path)" = "flux modprobe rc1" &&
	flux modprobe load sched 2>actual &&
	echo "flux-modprobe: INFO: All modules and dependencies are already loaded" >expect &&
	test_cmp expect actual
'

test_expect_success 'all is removed in order, and loaded again' '
	all="$(loaded)" &&
	flux modprobe rc3 --dry-run >plan &&
	head -n 1 plan >first &&
	echo "run run-all-rc3" >expect &&
	test_cmp expect first &&
	flux modprobe remove --dry-run all >actual &&
	tail -n +2 plan >expect &&
	test_cmp expect actual &&
	flux modprobe remove all &&
	test -z "$(loaded)" &&
	flux modprobe rc1 --dry-run >plan &&
	test_grep "^load cron sync=heartbeat.pulse$" plan &&
	flux modprobe rc1 -v 2>log >out &&
	test_grep "^start kvs$" log &&
	test_grep "^module.load {.*\"path\":\"kvs\"" log &&
	test_grep "^loaded kvs$" log &&
	test_grep "^completed kvs$" log &&
	test "$(loaded)" = "$all" &&
	flux run true
'

test_expect_success 'a module goes with what only it required, unless it is in use' '
	test_expect_code 1 flux modprobe remove kvs 2>actual &&
	test_expect_code 1 flux modprobe remove nosuch 2>>actual &&
	test_expect_code 1 flux modprobe load nosuch 2>>actual &&
	cat >expect <<-EOF &&
	flux-modprobe: ERROR: kvs still in use by job-exec, job-info, job-ingest, job-manager, kvs-watch
	flux-modprobe: ERROR: module nosuch is not loaded
	flux-modprobe: ERROR: no such task or module nosuch
	EOF
	test_cmp expect actual &&
	flux modprobe remove cron &&
	flux modprobe load --dry-run cron >actual &&
	echo "load cron sync=heartbeat.pulse" >expect &&
	test_cmp expect actual &&
	flux modprobe load cron
'

test_expect_success 'a module and what it requires are shown' '
	flux modprobe show sched >actual &&
	cat >expect <<-EOF &&
	{"name":"sched-simple","module":"sched-simple","args":[],"ranks":"0","provides":["sched","feasibility"],"requires":["resource","job-manager"],"needs":[],"before":[],"after":["resource","job-manager"],"priority":50,"disabled":false,"exec":false}
	EOF
	test_cmp expect actual &&
	flux modprobe list-dependencies -S sched=sched-fifo sched >actual &&
	head -n 2 actual >first &&
	printf "sched (sched-fifo)\n├── resource\n" >expect &&
	test_cmp expect first
'

test_expect_success 'files of tasks in Python are refused' '
	touch rc.py &&
	test_expect_code 1 flux modprobe run rc.py 2>err &&
	test_grep "^flux-modprobe: ERROR: rc.py: files of tasks in Python are not supported" err
'

test_expect_success 'the times of a start are kept' '
	flux modprobe rc1 --timing &&
	flux kvs get modprobe.stats >stats &&
	test_grep "\"name\":\"configure\",\"starttime\":" stats &&
	test_grep "\"name\":\"run-all-rc1\"" stats
'

mkdir -p site/modprobe.d rc/rc1.d

cat >rc/rc1.d/fails <<'EOS'
#!/bin/sh
exit 3
EOS
chmod +x rc/rc1.d/fails

test_expect_success 'a script that fails is named' '
	FLUX_RC_EXTRA=$PWD/rc test_expect_code 1 flux modprobe rc1 >out 2>err &&
	echo "running $PWD/rc/rc1.d/fails" >expect &&
	test_cmp expect out &&
	test_grep "^$PWD/rc/rc1.d/fails failed with exit code 3$" err &&
	test_grep "^run-all-rc1: one or more rc1.d scripts failed$" err
'

cat >site/modprobe.d/site.toml <<'EOS'
alternatives.sched = "sched-backfill"
[cron]
args = []
[[modules]]
name = "pulse"
module = "cron"
after = ["cron"]
[[modules]]
name = "never"
needs-env = ["NOBODY_SETS_THIS"]
EOS

# started COMMAND...: runs it in an instance of a site of its own.
started() {
	FLUX_MODPROBE_PATH=$PWD/site flux start "$@"
}

test_expect_success 'an instance starts with what a site says' '
	started "flux module list; flux cron sync; flux run echo job" >actual 2>&1 &&
	test_grep "^sched-backfill " actual &&
	test_grep "^pulse " actual &&
	! grep "^sched-simple " actual &&
	! grep "^never " actual &&
	test_grep "^sync: sync disabled.$" actual &&
	test_grep "^job$" actual
'

test_expect_success 'its ranks have what they are to have' '
	FLUX_MODPROBE_PATH=$PWD/site flux start -s2 \
		"flux exec -r1 flux module list; flux run -N2 hostname" >actual &&
	test_grep "^pulse " actual &&
	! grep "^sched-backfill " actual
'

test_expect_success 'the configuration and the environment say more' '
	flux start --conf=modules.cron.disabled=true flux module list >actual &&
	! grep "^cron " actual &&
	FLUX_MODPROBE_DISABLE=cron,job-list flux start flux module list >actual &&
	! grep -E "^(cron|job-list) " actual &&
	FLUX_SCHED_MODULE=none flux start flux module list >actual &&
	! grep "^sched-" actual
'

# refused TEXT OPTION...: an instance does not start, and says why.
refused() {
	text=$1
	shift
	test_must_fail flux start "$@" touch ran 2>err &&
	test_grep "$text" err &&
	test ! -e ran
}

test_expect_success 'what makes no sense ends the start' '
	refused "no module zz provides sched" --conf=modules.alternatives.sched=zz &&
	refused "no such service zz" --conf=modules.alternatives.zz=kvs &&
	refused "no such task or module foo" --conf=modules.foo.ranks=all &&
	refused "ranks: invalid idset: zz" --conf=modules.kvs.ranks=zz &&
	FLUX_MODPROBE_DISABLE=zz refused "no such module or task .zz." &&
	printf "[[modules]]\nname = \"a\"\nbar = 1\n" >site/modprobe.d/a.toml &&
	FLUX_MODPROBE_PATH=$PWD/site refused \
		"site/modprobe.d/a.toml: invalid modules entry: invalid config key bar"
'

test_done

#!/bin/sh

test_description='modules take the arguments that other implementations take

Covers each module with each of its arguments as a process, and what is said of one that it does not
know. What an argument does is covered by the tests of the modules.
'

. "$(dirname "$0")/sharness.sh"
test_under_flux 1 full

# MODULE and an argument that it takes.
cat >taken <<'EOS'
heartbeat period=1s
heartbeat period=0.5
cron sync=heartbeat.pulse
cron sync_epsilon=0.1s
job-ingest validator-args=--require-version=any
job-ingest validator-plugins=jobspec
job-ingest disable-validator
job-ingest batch-count=10
job-ingest buffer-size=1M
job-ingest max-fluid-generator-id=10
job-ingest allow-root-jobs
sched-simple queue-depth=8
sched-simple queue-depth=unlimited
sched-simple mode=unlimited
sched-simple mode=limited=8
sched-simple log-level=debug
sched-simple pool-class=Rv1Pool
sched-simple test-hello-nopartial
EOS

test_expect_success 'what is known is taken' '
	while read -r module arg
	do
		echo "$module $arg" &&
		flux module reload $module $arg || return 1
	done <taken &&
	flux run true
'

# tried PERSONALITY MODULES ARG: a module that others need is loaded with an argument in an
# instance of its own, with what it needs.
cat >try <<'EOS'
#!/bin/sh
for need in $1
do
	flux module load $need || exit 2
done
shift
exec flux module load "$@"
EOS
chmod +x try

cat >taken <<'EOS'
content purge-target-size=1048576
content purge-old-entry=5
content flush-batch-limit=100
content blob-size-limit=1048576
content truncate
content journal_mode=WAL
content synchronous=NORMAL
content max-checkpoints=5
kvs transaction-merge=0
kvs transaction-merge=1
resource monitor-force-up
resource noverify
resource notruncate
job-exec kill-timeout=1s
job-exec kill-signal=SIGKILL
job-exec term-signal=15
job-exec max-kill-count=3
job-exec max-kill-timeout=1m
job-exec shell-exit-timeout=10s
job-exec service=rexec
job-exec job-shell=/bin/true
EOS

needs_of() {
	case $1 in
	content) ;;
	kvs) echo content ;;
	kvs-watch) echo content kvs ;;
	resource) echo content kvs kvs-watch ;;
	job-manager) echo content kvs kvs-watch resource ;;
	*) echo content kvs kvs-watch resource job-manager ;;
	esac
}

test_expect_success 'so it is by modules that others need' '
	while read -r module arg
	do
		echo "$module $arg" &&
		flux start -Sferroflux.personality=minimal \
			./try "$(needs_of $module)" $module $arg </dev/null || return 1
	done <taken
'

test_expect_success 'stores in a folder take theirs' '
	for arg in testing truncate
	do
		flux start -Sferroflux.personality=minimal -Scontent.backing-module=content-files \
			./try "" content $arg || return 1
	done
'

# MODULE and what it says of an argument x=1.
cat >refused <<'EOS'
content unknown module option: x=1
kvs Unknown option `x=1'
cron Unknown option `x=1'
heartbeat x=1: unknown option
resource unknown option: x=1
job-ingest Invalid option: x=1
job-exec x=1: unknown option
job-manager x=1: unknown option
job-list x=1: unknown option
job-info x=1: unknown option
kvs-watch x=1: unknown option
sched-simple unknown argument 'x=1': built-in options are queue-depth, log-level, pool-class
EOS

test_expect_success 'what is not known is refused in words, and logged' '
	while read -r module text
	do
		echo "flux-module: load $module: $text" >expect &&
		{ flux start -Sferroflux.personality=minimal \
			./try "$(needs_of $module)" $module x=1 </dev/null 2>&1 || :; } >actual &&
		test_grep -F "$(cat expect)" actual || return 1
	done <refused
'

test_expect_success 'the stores of others are part of content, which says so' '
	for store in content-sqlite content-files
	do
		test_expect_code 1 flux module load $store 2>err &&
		test_grep "$store is part of content, by content.backing-module=$store" err || return 1
	done &&
	flux module stats content-sqlite >stats &&
	test_grep object_count stats
'

test_done

#!/bin/sh

test_description='a start that cannot be says why, ends with 1 and leaves nothing

Covers options, attributes, folders, sockets and configuration of the broker as the
user meets them. How a value is read is covered by the unit tests of each.
'

. "$(dirname "$0")/sharness.sh"
test_need_flux

command -v setpriv >/dev/null && test_have_prereq ROOT && test_set_prereq SETPRIV

# What the broker makes for itself is made here.
TMPDIR=$PWD/tmp && mkdir tmp && export TMPDIR

# refused TEXT OPTION...: flux start OPTION... ends with 1, says TEXT, leaves nothing.
refused() {
	text=$1
	shift
	test_expect_code 1 flux start "$@" touch ran 2>err &&
	test_grep -F -e "$text" err &&
	test_must_fail grep "os error" err &&
	test ! -e ran &&
	test -z "$(ls tmp)"
}

# For texts that quote: bodies cannot.
q="'"
long=$(printf '%0100d' 0)

test_expect_success 'attributes that are unknown, read-only or senseless' '
	refused "flux-broker: nosuch: unknown attribute" -Snosuch=1 &&
	refused "flux-broker: rank: attribute may not be set on the command line" -Srank=1 &&
	refused "flux-broker: log-level=9: invalid level" -Slog-level=9 &&
	refused "log-stderr-mode=x: must be leader or local" -Slog-stderr-mode=x &&
	refused "ferroflux.personality=x: must be minimal, kvs, job or full" \
		-Sferroflux.personality=x
'

test_expect_success 'options of start and of the broker that are unknown' '
	refused "flux-start: unexpected argument ${q}--nosuch${q} found" --nosuch &&
	refused "flux-broker: unexpected argument ${q}--nosuch${q} found" -o--nosuch &&
	test_expect_code 1 flux broker --nosuch true 2>err &&
	test_grep "^flux-broker: unexpected argument ${q}--nosuch${q} found" err &&
	test_expect_code 1 flux start -c 2>err &&
	test_grep "flux-start: a value is required for ${q}--config-path" err
'

test_expect_success 'a statedir below a file, in a missing folder, and a file' '
	echo >file &&
	refused "statedir $PWD/file/x: cannot be created: Not a directory" -Sstatedir=$PWD/file/x &&
	refused "statedir $PWD/no/x: cannot be created: No such file or directory" \
		-Sstatedir=$PWD/no/x &&
	refused "statedir $PWD/file: not a directory" -Sstatedir=$PWD/file
'

test_expect_success SETPRIV 'a statedir that its user may not write' '
	mkdir theirs mine && chown 65534 mine && chmod 755 . && chmod 1777 tmp &&
	test_expect_code 1 setpriv --reuid=65534 --regid=65534 --clear-groups \
		flux start -Sstatedir=$PWD/theirs/new true 2>err &&
	test_grep "statedir $PWD/theirs/new: cannot be created: Permission denied" err &&
	test_expect_code 1 setpriv --reuid=65534 --regid=65534 --clear-groups \
		flux start -Sstatedir=$PWD/theirs true 2>err &&
	test_grep "statedir $PWD/theirs: owned by user 0, not by user 65534" err &&
	chmod 500 mine &&
	test_expect_code 1 setpriv --reuid=65534 --regid=65534 --clear-groups \
		flux start -Sstatedir=$PWD/mine true 2>err &&
	test_grep "statedir $PWD/mine: its owner may not read, write and enter it" err &&
	test -z "$(ls tmp)" && chmod 755 tmp
'

test_expect_success 'a rundir that is a file, is missing below, or is too long' '
	refused "rundir $PWD/file: not a directory" -Srundir=$PWD/file &&
	refused "rundir $PWD/no/x: cannot be created" -Srundir=$PWD/no/x &&
	refused "bytes long, more than 96: sockets in it could not be reached" \
		-Srundir=$PWD/$long &&
	test ! -e $long
'

test_expect_success 'a TMPDIR that is too long' '
	mkdir $long &&
	(TMPDIR=$PWD/$long && refused "more than 96" true) &&
	test -z "$(ls $long)"
'

test_expect_success 'a TMPDIR that is missing is made, or /tmp takes its place' '
	(TMPDIR=$PWD/tmp/new && flux start sh -c "flux getattr rundir" >out 2>err) &&
	test_grep "^$PWD/tmp/new/" out &&
	rmdir tmp/new &&
	(TMPDIR=$PWD/no/such && flux start sh -c "flux getattr rundir" >out 2>err) &&
	test_grep "^/tmp/" out &&
	test_grep "Unable to create TMPDIR=$PWD/no/such, resetting TMPDIR=/tmp" err
'

test_expect_success 'a local-uri that cannot be served' '
	refused "local-uri=ssh://x: only local:// sockets can be served" -Slocal-uri=ssh://x &&
	refused "$PWD/no/x: cannot make the local socket: No such file" \
		-Slocal-uri=local://$PWD/no/x &&
	refused "$long: cannot make the local socket: path must be shorter" \
		-Slocal-uri=local://$PWD/$long
'

test_expect_success 'a configuration that is missing, or not TOML' '
	refused "Config file error: $PWD/no.toml: cannot read this file: No such" \
		-c $PWD/no.toml &&
	printf "[access]\nallow-guest-user = \n" >bad.toml &&
	refused "Config file error: bad.toml: TOML parse error at line 2, column 20" \
		-c bad.toml &&
	mkdir conf && cp bad.toml conf/b.toml && echo "x = 1" >conf/a.toml &&
	refused "Config file error: conf/b.toml: TOML parse error at line 2" -c conf &&
	printf "a = 1\na = 2\n" >twice.toml &&
	refused "duplicate key" -c twice.toml &&
	printf "\001\377\376" >binary.toml &&
	refused "Config file error: binary.toml: " -c binary.toml &&
	echo "{\"a\": [1,}" >bad.json &&
	refused "Config file error: bad.json: " -c bad.json &&
	refused "Config file error" --conf="[a"
'

test_expect_success 'a key of the wrong type, of the broker and of modules' '
	refused "error parsing [access] configuration: allow-guest-user: must be true or false" \
		--conf=access.allow-guest-user=7 &&
	refused "error parsing [access] configuration: nosuch: unknown key" \
		--conf=access.nosuch=1 &&
	refused "kvs.checkpoint-period: must be a duration" --conf=kvs.checkpoint-period=4 &&
	refused "heartbeat.period must be a positive FSD value" --conf=heartbeat.period=x &&
	refused "[ingest] config table: Expected integer, got string" --conf=ingest.batch-count=x &&
	refused "rc1: module heartbeat failed to load" --conf=heartbeat.period=0
'

test_expect_success 'only the module that is at fault is named as an error' '
	test "$(grep -c "failed to load" err)" = 1
'

test_expect_success 'a program that is not there, or cannot be run' '
	test_expect_code 127 flux start -Sferroflux.personality=minimal /no/such 2>err &&
	echo >plain &&
	test_expect_code 126 flux start -Sferroflux.personality=minimal ./plain x 2>err &&
	test_grep "plain.*Permission denied" err &&
	echo "touch ran" >script && chmod +x script &&
	test_expect_code 126 flux start -Sferroflux.personality=minimal ./script 2>err &&
	test_grep "script.*Exec format error" err && test ! -e ran
'

test_done

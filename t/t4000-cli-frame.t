#!/bin/sh

test_description='flux finds commands, passes their codes on and sets up their surroundings

Covers what only real processes show: external commands on the search paths, the
environment that programs inherit, broken pipes. How each command parses and
fails is covered by the tests of crates/cli.
'

. "$(dirname "$0")/sharness.sh"
test_need_flux

test_expect_success 'an unknown command ends with 1 and the known sentence' '
	test_expect_code 1 flux nosuchcommand 2>actual &&
	head -1 actual >first &&
	echo "flux: \`nosuchcommand'\''  is not a flux command.  See '\''flux --help'\''" | tr -s " " >expect &&
	tr -s " " <first >actual &&
	test_cmp expect actual
'

test_expect_success 'without an instance a command says so' '
	(
		unset FLUX_URI &&
		FLUX_URI=local:///nonexistent/local FLUX_LOCAL_CONNECTOR_RETRY_COUNT=0 &&
		export FLUX_URI FLUX_LOCAL_CONNECTOR_RETRY_COUNT &&
		test_expect_code 1 flux getattr rank 2>err
	) &&
	grep "^flux-getattr: flux_open: No such file or directory" err
'

test_expect_success 'flux-NAME on FLUX_EXEC_PATH is a command' '
	mkdir bin &&
	cat >bin/flux-hello <<-\EOF &&
	#!/bin/sh
	echo hello "$@"
	exit 5
	EOF
	chmod +x bin/flux-hello &&
	FLUX_EXEC_PATH=$(pwd)/bin test_expect_code 5 flux hello --there you >actual &&
	echo hello --there you >expect &&
	test_cmp expect actual
'

test_expect_success 'so is one on PATH' '
	PATH=$PATH:$(pwd)/bin test_expect_code 5 flux hello >actual &&
	echo hello >expect &&
	test_cmp expect actual
'

test_expect_success 'programs find the command that started them' '
	flux env sh -c "flux help >/dev/null && echo \$FLUX_EXEC_PATH" >path &&
	test -s path
'

test_expect_success 'flux env prints what a shell can read' '
	FLUX_EXEC_PATH_PREPEND="/a b" flux env >env.sh &&
	(
		. ./env.sh &&
		echo "$FLUX_EXEC_PATH" >actual
	) &&
	grep "^/a b:" actual
'

test_expect_success 'a program that is not there ends with 127, one that cannot run with 126' '
	test_expect_code 127 flux env ./nosuchprogram 2>err &&
	grep "nosuchprogram: No such file or directory" err &&
	echo text >notaprogram &&
	test_expect_code 126 flux env ./notaprogram 2>err &&
	grep "notaprogram: Permission denied" err
'

test_expect_success 'a reader that goes away ends a command quietly' '
	cat >pipe.sh <<-\EOF &&
	flux completion bash 2>err | :
	EOF
	sh pipe.sh &&
	test_cmp /dev/null err
'

test_expect_success 'every command explains itself' '
	flux help >overview &&
	sed -n "s/^  \([a-z]*\)  .*/\1/p" overview >names &&
	grep -x kvs names &&
	while read name
	do
		flux help "$name" >help &&
		grep "Usage: flux $name" help || exit 1
	done <names
'

test_done

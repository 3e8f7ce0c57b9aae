#!/bin/sh

test_description='hosts of the table [bootstrap] that cannot form an instance say why

Each ends with 1, and nobody is left waiting. How the table is read is covered by the tests
of the broker.
'

. "$(dirname "$0")/sharness.sh"
test_need_flux

run=$(mktemp -d /tmp/flux-XXXXXX)
test__at_end="$test__at_end no_folder_remains"
no_folder_remains() {
	rm -rf "$run"
}
test_hosts 2 "ipc://$run/tbon-%h"
cp conf/bootstrap.toml good

# start OPTION...: the two hosts with the configuration as it is.
start() {
	flux start -s 2 --config-path="$PWD/conf" --test-hosts="fake[0-1]" \
		-Sferroflux.personality=minimal "$@"
}

killed_is_refused() {
	"$@"
	code=$?
	test $code != 137 || code=1
	return $code
}

# refused TEXT SCRIPT: what is said of the configuration as sed changes it. Where one of
# the two hosts finds no fault with it, it waits for the other until it is killed.
refused() {
	sed "$2" good >conf/bootstrap.toml &&
	test_must_fail killed_is_refused start --test-exit-timeout=0.5s touch ran 2>err &&
	cp good conf/bootstrap.toml &&
	test_grep -- "$1" err && test ! -e ran
}

test_expect_success 'two hosts are an instance' '
	start flux overlay status --summary >actual && echo full >expect && test_cmp expect actual
'

test_expect_success 'the custom tree is the one of the table' '
	sed "s/^hosts.*/hosts = [{host=\"fake0\"},{host=\"fake1\"},{host=\"fake2\",parent=\"fake1\"}]/" \
		good >conf/bootstrap.toml &&
	flux start -s 3 --config-path="$PWD/conf" --test-hosts="fake[0-2]" \
		-Sferroflux.personality=minimal flux getattr tbon.maxlevel >actual &&
	cp good conf/bootstrap.toml && echo 2 >expect && test_cmp expect actual
'

test_expect_success 'hosts meet by TCP' '
	port=$(perl -MSocket -e "socket(S,PF_INET,SOCK_STREAM,0); bind(S,sockaddr_in(0,INADDR_LOOPBACK));
		print ((sockaddr_in(getsockname S))[0])") &&
	sed "s,ipc:[^\"]*,tcp://127.0.0.1:%p,; s/^\[boot.*/&\ndefault_port = $port/" good \
		>conf/bootstrap.toml &&
	start flux overlay status --summary >actual && cp good conf/bootstrap.toml &&
	echo full >expect && test_cmp expect actual
'

test_expect_success 'tables that make no sense are refused' '
	refused "Config file error \[bootstrap\]: must be array type" "s/^hosts.*/hosts = 42/" &&
	refused "Config file error \[bootstrap\]: default_port must be in the range" \
		"s/^hosts/default_port = 70000\nhosts/" &&
	refused "Config file error \[bootstrap\]: foo: unknown key" "s/^hosts/foo = 1\nhosts/" &&
	refused "invalid hosts\[0\]: unknown key foo" "s/{/{ foo = 1,/" &&
	refused "curve_cert must be defined for size > 1" "/^curve_cert/d" &&
	refused "fake1 not found in hosts" "s/0-1/0,2/" &&
	refused "bind URI is undefined for rank 0" "/^default_bind/d" &&
	refused "connect URI is undefined for rank 0" "/^default_connect/d"
'

test_expect_success 'a shape that is not known is refused' '
	test_expect_code 1 start -Stbon.topo=nosuch true 2>err &&
	test_grep "unknown topology scheme .nosuch." err
'

test_expect_success 'certificates that are of no use are refused' '
	refused "Error loading certificate: $PWD/conf/nosuch: No such file or directory" \
		"s,conf/cert,conf/nosuch," &&
	chmod g+r conf/cert && refused "$PWD/conf/cert: readable by group/other" "" &&
	chmod 600 conf/cert && cp conf/cert kept &&
	echo junk >conf/cert && refused "Error loading certificate: $PWD/conf/cert" "" &&
	cp kept conf/cert
'

test_expect_success 'an address that is taken is refused' '
	cat >taken.pl <<-\EOS &&
	use Socket;
	socket(S, PF_INET, SOCK_STREAM, 0) && bind(S, sockaddr_in(0, INADDR_LOOPBACK)) && listen(S, 1)
		or die;
	$ENV{PORT} = (sockaddr_in(getsockname S))[0];
	exit system(@ARGV) >> 8;
	EOS
	cat >taken <<-\EOS &&
	sed "s,ipc:[^\"]*,tcp://127.0.0.1:$PORT," good >conf/bootstrap.toml
	exec flux start -s 2 --config-path="$PWD/conf" --test-hosts="fake[0-1]" \
		--test-exit-timeout=0.5s --test-exit-mode=leader -Sferroflux.personality=minimal \
		touch ran
	EOS
	test_expect_code 1 perl taken.pl sh taken 2>err &&
	test_grep "Address already in use" err && test ! -e ran
'

test_done

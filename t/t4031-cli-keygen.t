#!/bin/sh

test_description='flux keygen, which makes the certificate that brokers share'

. "$(dirname "$0")/sharness.sh"
test_need_flux

test_expect_success 'a certificate is text with both keys' '
	flux keygen cert >out 2>err &&
	test_cmp /dev/null out &&
	test_cmp /dev/null err &&
	sed -n 1,4p cert >head &&
	cat >expect <<-EOT &&
	#  ZeroMQ CURVE **Secret** Certificate
	#  DO NOT DISTRIBUTE

	metadata
	EOT
	test_cmp expect head &&
	test "$(grep -c "^[a-z]" cert)" = 2 &&
	grep "^curve$" cert &&
	grep -E "^    public-key = \".{40}\"$" cert &&
	grep -E "^    secret-key = \".{40}\"$" cert
'

test_expect_success 'it says who made it, when and where' '
	grep "^    name = \"$(hostname)\"$" cert &&
	grep "^    keygen.hostname = \"$(hostname)\"$" cert &&
	grep "^    keygen.userid = \"$(id -u)\"$" cert &&
	grep -E "^    keygen.flux-core-version = \"[0-9.]+\"$" cert &&
	grep -E "^    keygen.time = \"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\"$" cert
'

test_expect_success 'only its owner can read it, also where there was another file' '
	test "$(stat -c %a cert)" = 600 &&
	yes old | head -1000 >open &&
	chmod 644 open &&
	flux keygen open &&
	test "$(stat -c %a open)" = 600 &&
	test_expect_code 1 grep old open
'

test_expect_success 'no two are the same' '
	flux keygen other &&
	grep key cert >keys.1 &&
	grep key other >keys.2 &&
	test_expect_code 1 cmp keys.1 keys.2
'

test_expect_success 'without a path it makes one for nobody, and says so' '
	flux keygen >out 2>err &&
	echo "flux-keygen: WARNING: add PATH argument to save generated certificate" >expect &&
	test_cmp expect err &&
	test_cmp /dev/null out
'

test_expect_success 'a second path is a mistake' '
	test_expect_code 1 flux keygen a b 2>err &&
	grep -i usage err &&
	test ! -e a
'

test_expect_success 'name and metadata are as said, and may be empty' '
	flux keygen --name=cluster --meta=site=hq,keygen.hostname= --meta=contact=ops cert &&
	grep "^    name = \"cluster\"$" cert &&
	grep "^    site = \"hq\"$" cert &&
	grep "^    contact = \"ops\"$" cert &&
	grep "^    keygen.hostname = \"\"$" cert
'

test_expect_success 'what could not be read back is refused' '
	test_expect_code 1 flux keygen --meta=a_b=1 bad 2>err &&
	grep "flux-keygen: --meta=a_b=1: expected KEY=VALUE" err &&
	test_expect_code 1 flux keygen --meta=a bad &&
	test ! -e bad
'

test_expect_success 'a path that cannot be written is named' '
	test_expect_code 1 flux keygen none/cert 2>err &&
	grep "flux-keygen: none/cert: " err
'

test_done

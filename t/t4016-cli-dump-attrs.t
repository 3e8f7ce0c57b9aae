#!/bin/sh

test_description='an instance dumps its store when it ends, and starts from a dump'

. "$(dirname "$0")/sharness.sh"
test_need_flux

# instance [OPTION...] COMMAND: runs a small instance with its state in ./state.
instance() {
	FLUX_DISABLE_JOB_CLEANUP=t flux start -S ferroflux.personality=kvs \
		-S statedir="$(pwd)/state" "$@"
}

test_expect_success 'content.dump is written when the kvs has stopped' '
	mkdir state &&
	instance -S content.dump="$(pwd)/one.tgz" \
		"flux kvs put a=1 b.c=2 && flux kvs link a l" &&
	tar tf one.tgz >actual &&
	printf "%s\n" a l b/c >expect &&
	test_cmp expect actual
'

test_expect_success 'content.restore takes the place of what was there' '
	instance "flux kvs put old=1" &&
	instance -S content.restore="$(pwd)/one.tgz" "flux kvs dir -R" >actual &&
	cat >expect <<-\EOF &&
	a = 1
	b.c = 2
	l -> a
	EOF
	test_cmp expect actual &&
	instance "flux kvs put a=3" &&
	instance "flux kvs get a" >actual &&
	echo 3 >expect &&
	test_cmp expect actual
'

test_expect_success 'an archive that is not there, or is none, fails the start' '
	test_must_fail instance -S content.restore="$(pwd)/nope.tgz" true 2>err &&
	test_grep "content.restore: .*nope.tgz: No such file or directory" err &&
	instance "flux kvs get a" >actual &&
	test_cmp expect actual &&
	head -c 100 /dev/urandom >bad.tgz &&
	test_must_fail instance -S content.restore="$(pwd)/bad.tgz" true 2>err &&
	test_grep "flux-restore: .*bad.tgz" err &&
	instance "flux kvs get a" >actual &&
	test_cmp expect actual
'

# ended CODE COMMAND...: the command is ended by the shutdown that it asked for.
ended() {
	test_expect_code 129 "$@" 2>err
}

test_expect_success 'flux shutdown --gc leaves a dump from which the next start begins' '
	rm -rf state && mkdir state &&
	cat >garbage.sh <<-\EOF &&
	for i in 1 2 3 4 5
	do
		flux kvs put "v=$i$(head -c 500 /dev/zero | tr "\0" x)" || exit 1
		flux kvs get --treeobj v | sed "s/.*\(sha1-[0-9a-f]*\).*/\1/" >>refs || exit 1
	done
	flux shutdown --gc 2>log
	EOF
	ended instance "sh garbage.sh" &&
	test_grep "flux dump .* Exited (rc=0)" log &&
	test -L state/dump/RESTORE &&
	instance -S content.restore=auto "
		flux kvs get v | grep -q ^5 &&
		flux content load $(sed -n 5p refs) >there &&
		! flux content load $(sed -n 1p refs) 2>gone" &&
	test ! -e state/dump/RESTORE &&
	ls state/dump >list &&
	test "$(wc -l <list)" = 1
'

test_expect_success 'without a dump auto is an ordinary start' '
	instance -S content.restore=auto "flux kvs get v | grep -q ^5"
'

test_expect_success 'flux shutdown --dump writes where it was called' '
	mkdir -p here &&
	ended instance "cd here && flux shutdown --dump=two.tar" &&
	tar tf here/two.tar >actual &&
	echo v >expect &&
	test_cmp expect actual
'

test_expect_success 'of two brokers rank 0 alone restores and dumps' '
	flux start --test-size=2 -Scontent.dump=$PWD/first.tar \
		flux exec -r 1 flux kvs put from=1 &&
	flux start --test-size=2 -Scontent.restore=$PWD/first.tar -Scontent.dump=$PWD/second.tar \
		sh -c "flux exec -r 1 flux kvs get from && flux dmesg >log; flux exec -r 1 flux dmesg >log.1" >actual &&
	echo 1 >expect && test_cmp expect actual &&
	test_grep "restoring content from" log &&
	test_expect_code 1 grep "restoring content" log.1 &&
	tar tf second.tar | grep -c from >actual && test_cmp expect actual
'

test_done

#!/bin/sh

test_description='flux kvs reads and writes, against a live store

The form of every line is covered by the tests of crates/cli; this shows that
the command and the service understand each other, error by error.
'

. "$(dirname "$0")/sharness.sh"
test_under_flux 1 kvs

test_expect_success 'put and get' '
	flux kvs put a.b=1 a.c=hello d="two words" &&
	flux kvs get a.b a.c d >actual &&
	printf "%s\n" 1 hello "two words" >expect &&
	test_cmp expect actual
'

test_expect_success 'bytes survive' '
	dd if=/dev/urandom of=blob bs=100000 count=1 2>/dev/null &&
	flux kvs put --raw blob=- <blob &&
	flux kvs get --raw blob >actual &&
	cmp blob actual &&
	flux kvs get --raw --stream blob >actual &&
	cmp blob actual
'

test_expect_success 'what would keep others waiting is refused, and the text says what to do' '
	seq 131072 | sed "s/.*/\"&\":{\"ver\":1,\"type\":\"val\",\"data\":\"\"}/" | paste -sd, |
		sed "s/.*/{\"ver\":1,\"type\":\"dir\",\"data\":{&}}/" >wide &&
	test_must_fail flux kvs put --treeobj wide=- <wide 2>err &&
	grep "wide: a transaction may have at most 131072 operations: commit it in parts" err &&
	head -c 52000000 /dev/zero >long &&
	test_must_fail flux kvs put --raw long=- <long 2>err &&
	grep "long: a transaction may have at most 67108864 bytes: commit it in parts" err &&
	flux kvs get a.b
'

test_expect_success 'append, and read it whole or in parts' '
	flux kvs put grow=1 &&
	flux kvs put --append grow=2 &&
	flux kvs put --append grow=3 &&
	flux kvs get grow >actual &&
	echo 123 >expect &&
	test_cmp expect actual &&
	flux kvs get --stream grow >actual &&
	test_cmp expect actual
'

test_expect_success 'a tree object is taken and given' '
	flux kvs get --treeobj a.b >tree &&
	echo "{\"data\":\"MQ==\",\"type\":\"val\",\"ver\":1}" >expect &&
	test_cmp expect tree &&
	flux kvs put --treeobj x=- <tree &&
	flux kvs get x >actual &&
	echo 1 >expect &&
	test_cmp expect actual
'

test_expect_success 'a snapshot can be looked into' '
	flux kvs getroot >root &&
	flux kvs put a.b=2 &&
	flux kvs get --at="$(cat root)" a.b >actual &&
	flux kvs get a.b >>actual &&
	printf "%s\n" 1 2 >expect &&
	test_cmp expect actual
'

# refused TEXT COMMAND...: the command fails with 1 and says just TEXT.
refused() {
	echo "flux-kvs: $1" >expect &&
	shift &&
	test_expect_code 1 flux kvs "$@" 2>actual &&
	test_cmp expect actual
}

test_expect_success 'what cannot be read is told' '
	refused "nope: No such file or directory" get nope &&
	refused "a: Is a directory" get a &&
	refused "a.b: Not a directory" dir a.b &&
	refused "d: Invalid argument" readlink d &&
	refused "x: Operation not supported" get --namespace=nope x
'

test_expect_success 'links are made and followed' '
	flux kvs link a.b link &&
	flux kvs readlink link >actual &&
	flux kvs get link >>actual &&
	printf "%s\n" a.b 2 >expect &&
	test_cmp expect actual &&
	flux kvs link link1 link2 &&
	flux kvs link link2 link1 &&
	refused "link1: Too many levels of symbolic links" get link1
'

test_expect_success 'directories are listed' '
	flux kvs mkdir dir.empty &&
	flux kvs put dir.v=1 &&
	flux kvs link dir.v dir.l &&
	flux kvs ls -1F dir >actual &&
	printf "%s\n" empty. l@ v >expect &&
	test_cmp expect actual &&
	flux kvs dir dir >actual &&
	printf "%s\n" "dir.empty." "dir.l -> dir.v" "dir.v = 1" >expect &&
	test_cmp expect actual
'

test_expect_success 'more values than are asked for at once keep their order' '
	seq -f "big.%04g=$(head -c 100 /dev/zero | tr "\000" x)" 500 >pairs &&
	sed "s/=/ = /" pairs >expect &&
	xargs flux kvs put <pairs &&
	flux kvs dir --width=0 big >actual &&
	test_cmp expect actual
'

test_expect_success 'keys are removed with care' '
	refused "cannot unlink '\''big'\'': Directory not empty" unlink big &&
	refused "cannot unlink '\''nope'\'': No such file or directory" unlink nope &&
	flux kvs unlink -R big &&
	flux kvs unlink dir.empty link1 &&
	flux kvs unlink --force nope &&
	refused "big: No such file or directory" get big
'

test_expect_success 'keys are copied and moved' '
	flux kvs copy dir copied &&
	flux kvs get copied.v &&
	flux kvs move copied moved &&
	flux kvs get moved.v &&
	refused "copied.v: No such file or directory" get copied.v &&
	refused "flux_kvs_copy: No such file or directory" copy nope x
'

test_expect_success 'versions count up and can be waited for' '
	flux kvs version >before &&
	flux kvs put --sequence x=1 >after &&
	test "$(cat after)" = $(($(cat before) + 1)) &&
	flux kvs wait "$(cat after)" &&
	flux kvs getroot --sequence >actual &&
	test_cmp after actual &&
	flux kvs put --blobref x=2 >after &&
	flux kvs getroot --blobref >actual &&
	test_cmp after actual &&
	flux kvs sync
'

test_expect_success 'namespaces are apart from each other' '
	flux kvs namespace create ns &&
	refused "ns: File exists" namespace create ns &&
	flux kvs put --namespace=ns x=other &&
	FLUX_KVS_NAMESPACE=ns flux kvs get x >actual &&
	flux kvs get x >>actual &&
	printf "%s\n" other 2 >expect &&
	test_cmp expect actual &&
	flux kvs copy -S ns x fromns &&
	flux kvs get fromns >actual &&
	echo other >expect &&
	test_cmp expect actual
'

test_expect_success 'namespaces are listed and removed' '
	flux kvs namespace list >list &&
	cat >expect <<-EOF &&
	NAMESPACE                                 OWNER      FLAGS
	ns                                   $(printf "%10u" "$(id -u)") 0x00000000
	primary                              $(printf "%10u" "$(id -u)") 0x00000000
	EOF
	test_cmp expect list &&
	flux kvs namespace remove ns &&
	flux kvs namespace remove ns &&
	refused "x: Operation not supported" get -N ns x &&
	refused "primary: Operation not supported" namespace remove primary
'

test_expect_success 'arguments that are missing are told with the usage' '
	for command in get put unlink link readlink mkdir copy move wait \
		"namespace create" "namespace remove" "eventlog get" "eventlog append"
	do
		test_expect_code 1 flux kvs $command 2>err &&
		test_grep "^Usage: flux kvs $command" err || return 1
	done
'

test_expect_success 'flux kvs dropcache empties memory, and what was there is read again' '
	flux kvs put drop.a=1 drop.b="$(seq 1000)" &&
	flux kvs dropcache &&
	flux module stats kvs --parse "cache.#obj dirty" >/dev/null &&
	flux module stats kvs | grep -q "\"count\": *0" &&
	echo 1 >expect &&
	flux kvs get drop.a >actual &&
	test_cmp expect actual &&
	flux kvs dropcache --all &&
	flux kvs get drop.b | tail -1 >actual &&
	echo 1000 >expect &&
	test_cmp expect actual
'

test_done

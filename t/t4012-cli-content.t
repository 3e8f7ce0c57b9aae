#!/bin/sh

test_description='flux content stores and loads blobs'

. "$(dirname "$0")/sharness.sh"
test_under_flux 1 kvs

test_expect_success 'a blob is named by the hash of its bytes' '
	printf hello >blob &&
	flux content store <blob >ref &&
	echo "sha1-$(sha1sum <blob | cut -d" " -f1)" >expect &&
	test_cmp expect ref
'

test_expect_success 'it is loaded, also when it has left the cache' '
	flux content load "$(cat ref)" >actual &&
	cmp blob actual &&
	flux content flush &&
	flux content dropcache &&
	flux content load <ref >actual &&
	cmp blob actual
'

test_expect_success 'a big one and an empty one' '
	dd if=/dev/urandom of=big bs=1000000 count=5 2>/dev/null &&
	flux content store <big >ref &&
	flux content load <ref >actual &&
	cmp big actual &&
	flux content store </dev/null >ref &&
	flux content load <ref >actual &&
	test_cmp /dev/null actual
'

test_expect_success 'the store below can be asked directly' '
	flux content store --bypass-cache <blob >ref &&
	flux content load --bypass-cache "$(cat ref)" >actual &&
	cmp blob actual
'

test_expect_success 'what is no blobref, or nobody has, is refused' '
	test_expect_code 1 flux content load sha1-zz 2>actual &&
	echo "flux-content: error loading blob: Invalid argument" >expect &&
	test_cmp expect actual &&
	test_expect_code 1 flux content load sha1-0000000000000000000000000000000000000000 2>actual &&
	echo "flux-content: error loading blob: No such file or directory" >expect &&
	test_cmp expect actual
'

test_expect_success 'the checkpoints are listed, newest first' '
	flux content checkpoint list >actual &&
	echo "SEQUENCE TIMESTAMP           ROOTREF" >expect &&
	test_cmp expect actual &&
	flux kvs put a=1 &&
	flux kvs sync &&
	flux kvs put a=2 &&
	flux kvs sync &&
	flux content checkpoint list >list &&
	test "$(wc -l <list)" = 3 &&
	sed -n 2p list >newest &&
	test_grep " 20..-..-..T..:..:.. $(flux kvs getroot --blobref)\$" newest &&
	flux content checkpoint list --json >json &&
	test_grep "\"rootref\":\"$(flux kvs getroot --blobref)\"" json
'

test_expect_success 'the kvs starts from the one that is made, unless it is loaded' '
	old=$(sed -n "3s/.* //p" list) &&
	test_expect_code 1 flux content checkpoint update "$old" 2>actual &&
	echo "flux-content: please unload kvs module before using checkpoint update" >expect &&
	test_cmp expect actual &&
	flux module remove kvs-watch &&
	flux module remove kvs &&
	test_expect_code 1 flux content checkpoint update zz &&
	flux content checkpoint update --sequence=77 "$old" &&
	flux module load kvs &&
	flux module load kvs-watch &&
	test "$(flux kvs get a)" = 1 &&
	test "$(flux kvs version)" = 77
'

test_done

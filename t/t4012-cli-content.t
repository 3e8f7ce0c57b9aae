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

test_done

#!/bin/sh

test_description='flux fsck finds keys that are not whole, and repairs what can be'

. "$(dirname "$0")/sharness.sh"
test_under_flux 1 kvs

missing=sha1-0000000000000000000000000000000000000000
job=job.0000.1a2b.0300.0000

# treeobj KEY TYPE REF...: puts a tree object that names these blobs.
treeobj() {
	treeobj_key=$1 treeobj_type=$2 &&
	shift 2 &&
	treeobj_refs=$(printf "\"%s\"," "$@") &&
	flux kvs put --treeobj \
		"$treeobj_key={\"ver\":1,\"type\":\"$treeobj_type\",\"data\":[${treeobj_refs%,}]}"
}

unload_kvs() {
	flux module remove kvs-watch && flux module remove kvs
}

load_kvs() {
	flux module load kvs && flux module load kvs-watch
}

test_expect_success 'without a checkpoint the current root is checked' '
	flux kvs put a.b=1 a.c=2 &&
	head -c 100000 /dev/urandom | flux kvs put --raw a.big=- &&
	flux kvs link a.b link &&
	flux kvs mkdir none &&
	flux fsck 2>err &&
	cat >expect <<-\EOF &&
	flux-fsck: Checking integrity of the current root
	flux-fsck: checked 7 keys
	EOF
	test_cmp expect err &&
	flux fsck --quiet --data 2>err &&
	test_cmp /dev/null err
'

test_expect_success 'with one that is checked, and keys are listed on demand' '
	flux kvs sync &&
	flux fsck 2>err &&
	test_grep "Checking integrity of checkpoint from 20..-..-..T..:..:..\$" err &&
	flux fsck --verbose 2>err &&
	test_grep "^a.big\$" err
'

test_expect_success 'a root can be named, and must be a directory' '
	flux fsck --rootref="$(flux kvs getroot --blobref)" &&
	test_expect_code 1 flux fsck --rootref=$missing 2>err &&
	test_grep "^flux-fsck: root directory: missing dirref blobref\$" err &&
	test_expect_code 1 flux fsck --rootref=zz 2>err &&
	test_grep "^flux-fsck: zz: " err
'

test_expect_success 'what is missing is told' '
	echo text >text &&
	flux content store <text >good &&
	treeobj bad.value valref "$(cat good)" $missing "$(cat good)" &&
	treeobj bad.gone valref $missing &&
	treeobj bad.dir dirref $missing &&
	treeobj bad.file dirref "$(cat good)" &&
	treeobj $job.R valref $missing &&
	flux kvs put $job.jobspec=spec &&
	flux kvs sync &&
	test_expect_code 1 flux fsck --quiet 2>err &&
	sed "s/damaged blobref: .*/damaged/" err >actual &&
	cat >expect <<-EOF &&
	flux-fsck: bad.gone: missing blobref(s)
	flux-fsck: bad.value: missing blobref(s)
	flux-fsck: bad.dir: missing dirref blobref
	flux-fsck: bad.file: damaged
	flux-fsck: $job.R: missing blobref(s)
	flux-fsck: Total errors: 5
	EOF
	test_cmp expect actual
'

test_expect_success 'nothing is repaired under a running kvs' '
	test_expect_code 1 flux fsck --repair 2>err &&
	echo "flux-fsck: please unload kvs module before using --repair" >expect &&
	test_cmp expect err
'

test_expect_success 'what is left is moved aside, the rest stays' '
	flux kvs getroot --sequence >before &&
	unload_kvs &&
	test_expect_code 1 flux fsck --quiet --repair --job-aware 2>err &&
	test_grep "^flux-fsck: bad.value: moved to lost+found\$" err &&
	test_grep "^flux-fsck: bad.dir: unlinked\$" err &&
	test_grep "^flux-fsck: $job: moved to lost+found\$" err &&
	flux fsck --quiet &&
	load_kvs &&
	flux kvs ls -1F bad >bad &&
	test_cmp /dev/null bad &&
	cat text text >expect &&
	flux kvs get --raw lost+found.bad.value >actual &&
	cmp expect actual &&
	flux kvs get lost+found.bad.gone >actual &&
	test_cmp /dev/null actual &&
	flux kvs get lost+found.$job.jobspec >actual &&
	echo spec >expect &&
	test_cmp expect actual &&
	test_expect_code 1 flux kvs get $job.jobspec &&
	flux kvs get a.b >actual &&
	echo 1 >expect &&
	test_cmp expect actual &&
	test "$(flux kvs version)" -gt "$(cat before)"
'

test_expect_success 'without --job-aware only the damaged key goes' '
	treeobj $job.R valref $missing &&
	flux kvs put $job.jobspec=spec &&
	unload_kvs &&
	test_expect_code 1 flux fsck --quiet --repair 2>err &&
	test_grep "^flux-fsck: $job.R: moved to lost+found\$" err &&
	load_kvs &&
	flux kvs ls -1 $job >actual &&
	echo jobspec >expect &&
	test_cmp expect actual
'

test_done

#!/bin/sh

test_description='stage-in writes files of archives before the tasks of a job start

Covers what needs the KVS, blobs and several shells: values and their sentences are covered by
the tests of the job shell, objects of files by those of crates/filemap.
'

. "$(dirname "$0")/sharness.sh"
test_under_flux 2 job

# The objects of RFC 37 are written by hand, so that nothing else has to be right.
object() {
	printf '{"path":"%s","mode":%d,"mtime":1700000000,"ctime":1700000000' "$1" "$((0$2))"
	shift 2
	printf ',%s' "$@"
	printf '}'
}

test_expect_success 'archives are stored' '
	head -c 3000000 /dev/urandom >big &&
	head -c 1048576 big >big.0 && tail -c +1048577 big | head -c 1048576 >big.1 &&
	tail -c +2097153 big >big.2 &&
	regions=$(at=0; for n in 0 1 2; do
		printf "[%d,%d,\"%s\"]," $at $(wc -c <big.$n) $(flux content store <big.$n)
		at=$((at + 1048576))
	done) &&
	printf "[%s,%s,%s,%s]" \
		"$(object d/one 100644 "\"size\":4" "\"encoding\":\"utf-8\"" "\"data\":\"one\\n\"")" \
		"$(object big 100755 "\"size\":3000000" "\"encoding\":\"blobvec\"" "\"data\":[${regions%,}]")" \
		"$(object link 120777 "\"data\":\"d/one\"")" \
		"$(object d 040750 "\"x\":1" | sed "s/,\"x\":1//")" >main &&
	flux kvs put --raw archive.main=- <main &&
	printf "[%s]" "$(object two 100644 "\"size\":2" "\"encoding\":\"base64\"" "\"data\":\"Mgo=\"")" >more &&
	flux kvs put --raw archive.more=- <more
'

test_expect_success 'the files of the archive main are there with their modes' '
	flux run -o stage-in sh -c "cd {{tmpdir}} && cat d/one link && cmp big \$0/big &&
		stat -c %a d big d/one && readlink link" "$PWD" >actual &&
	printf "%s\n" one one 750 755 644 d/one >expect && test_cmp expect actual
'

test_expect_success 'each shell has them' '
	flux run -N2 -n2 -o stage-in=1 sh -c "cmp {{tmpdir}}/big \$0/big && echo same" "$PWD" >actual &&
	printf "same\nsame\n" >expect && test_cmp expect actual
'

test_expect_success 'archives and files can be chosen' '
	flux run -o stage-in.names=main,more -o stage-in.pattern="*o*" \
		sh -c "cd {{tmpdir}} && find . ! -name . | sort" >actual &&
	printf "%s\n" ./d ./d/one ./two >expect && test_cmp expect actual &&
	flux run -o stage-in.tags=more sh -c "cat {{tmpdir}}/two" >actual 2>err &&
	echo 2 >expect && test_cmp expect actual &&
	test_grep " WARN: stage-in: Setting stage-in.names to the value of deprecated option" err
'

test_expect_success 'and where they go' '
	mkdir local global &&
	flux run -o stage-in.names=more -o stage-in.destination="$PWD/local" true &&
	cmp local/two - <<-EOS &&
	2
	EOS
	flux run -N2 -n2 -o stage-in.names=more -o stage-in.destination=global:global true &&
	test -f global/two
'

test_expect_success 'users who ask are told' '
	flux run -o stage-in.names=more -o verbose=2 true 2>err &&
	test_grep "DEBUG: stage-in: => /.*/jobtmp-0-" err &&
	test_grep "TRACE: stage-in: two" err &&
	test_grep "DEBUG: stage-in: 1 files [0-9.]*MB/s" err
'

# told OPTION TEXT: a job with this option does not start, and its log has TEXT.
told() {
	test_expect_code 1 flux run -o "$1" true 2>err &&
	test_grep -F -e "ERROR: stage-in: $2" err &&
	test_grep -F -e "FATAL: shell_init: $2" err
}

test_expect_success 'what cannot be staged ends the job, which says why' '
	told stage-in.names=bad "could not lookup archive.bad in primary KVS namespace: No such file or directory" &&
	told stage-in.badopt=1 "Error parsing stage_in shell option" &&
	told stage-in.destination=wrong:/x "destination prefix must be local: or global:" &&
	told stage-in.destination=/nosuch "chdir /nosuch: No such file or directory" &&
	test_expect_code 1 flux run -o stage-in.names=more -o stage-in.destination="$PWD/local" true 2>err &&
	test_grep "ERROR: stage-in: two: write: Attempt to overwrite existing file" err
'

test_expect_success 'a blob that is not there is told' '
	printf "[%s]" "$(object f 100644 "\"size\":3" "\"encoding\":\"blobvec\"" \
		"\"data\":[[0,3,\"sha1-da39a3ee5e6b4b0d3255bfef95601890afd80709\"]]")" >lost &&
	flux kvs put --raw archive.lost=- <lost &&
	told stage-in.names=lost "sha1-da39a3ee5e6b4b0d3255bfef95601890afd80709: "
'

test_done

#!/bin/sh

test_description='flux kvs, option by option

Every sub-command with every option once; what they do together with the store
is in the script before.
'

. "$(dirname "$0")/sharness.sh"
test_under_flux 1 kvs

# shows TEXT COMMAND...: flux kvs COMMAND prints TEXT, in which \n is a line end.
shows() {
	printf -- "$1" >expect &&
	shift &&
	flux kvs "$@" >actual &&
	test_cmp expect actual
}

# refused TEXT COMMAND...: flux kvs COMMAND fails with 1 and says just TEXT.
refused() {
	echo "$1" >expect &&
	shift &&
	test_expect_code 1 flux kvs "$@" 2>actual &&
	test_cmp expect actual
}

val1='{"data":"MQ==","type":"val","ver":1}'

test_expect_success 'get: raw, labels, tree objects, empty values' '
	flux kvs put a=1 b=two empty= &&
	shows "1\ntwo\n" get a b &&
	shows "1two" get -r a b &&
	shows "a=1\nb=two\n" get -l a b &&
	shows "$val1\n" get -t a &&
	shows "" get empty &&
	shows "1\n" get --waitcreate a &&
	shows "1\n" get -c 1 a
'

test_expect_success 'get: the first key that fails ends it' '
	echo 1 >expect &&
	test_expect_code 1 flux kvs get a nope b >actual 2>err &&
	test_cmp expect actual &&
	echo "flux-kvs: nope: No such file or directory" >expect &&
	test_cmp expect err
'

test_expect_success 'put: what it prints, and what it refuses' '
	seq=$(flux kvs version) &&
	shows "$((seq + 1))\n" put -s a=1 &&
	flux kvs put -O a=1 >actual && flux kvs getroot >expect && test_cmp expect actual &&
	flux kvs put -b a=1 >actual && flux kvs getroot -b >expect && test_cmp expect actual &&
	shows "" put -n -S a=1 &&
	shows "" put a=1 b=2 c=3 dash=- &&
	shows "-\n" get dash &&
	shows "x=y\n" get "$(flux kvs put k=x=y && echo k)" &&
	refused "flux-kvs: put: you must specify a value as key=value" put a &&
	refused "flux-kvs: .: Invalid argument" put .=1 &&
	refused "flux-kvs: a: Operation not supported" put -N nope a=1 &&
	flux kvs mkdir dir &&
	refused "flux-kvs: dir: Is a directory" put -A dir=1 &&
	test_expect_code 1 flux kvs put -t a=nonsense &&
	test_expect_code 1 flux kvs put &&
	printf "in\\0put" | flux kvs put -r raw=- &&
	flux kvs get -r raw | od -c >actual && printf "in\\0put" | od -c >expect &&
	test_cmp expect actual
'

test_expect_success 'ls: columns, one a line, marks, and the keys themselves' '
	flux kvs put ls.v=1 ls.d.x=1 ls.d.e.y=1 ls.longername=1 &&
	flux kvs link ls.v ls.l &&
	shows "d             l             longername    v\n" ls ls &&
	shows "d             l\nlongername    v\n" ls -w 30 ls &&
	COLUMNS=30 flux kvs ls ls >actual &&
	test_cmp expect actual &&
	shows "d\nl\nlongername\nv\n" ls -1 ls &&
	shows "d.\nl@\nlongername\nv\n" ls -1F ls &&
	shows "ls\n" ls -d ls &&
	shows "ls.\n" ls -dF ls &&
	shows "ls.v\n" ls ls.v &&
	shows "ls.v\n\nls.d:\ne\nx\n" ls -1 ls.d ls.v &&
	shows "ls.d:\ne\nx\n\nls.d.e:\ny\n" ls -1R ls.d
'

test_expect_success 'ls: what is missing is told, and the rest listed' '
	test_expect_code 1 flux kvs ls -1 ls.d nope >actual 2>err &&
	printf "ls.d:\ne\nx\n" >expect &&
	test_cmp expect actual &&
	echo "nope: No such file or directory" >expect &&
	test_cmp expect err &&
	refused "ls.v.: Not a directory" ls ls.v.
'

test_expect_success 'dir: values, recursion, directories only, width, snapshots' '
	flux kvs mkdir ls.d.none &&
	shows "ls.d.e.\nls.d.none.\nls.d.x = 1\n" dir ls.d &&
	shows "ls.d.e.y = 1\nls.d.none.\nls.d.x = 1\n" dir -R ls.d &&
	shows "ls.d.e.\nls.d.none.\nls.d.x\n" dir -d ls.d &&
	flux kvs put "wide.v=$(head -c 100 /dev/zero | tr "\0" x)" "wide.n=a
b" &&
	shows "wide.n = a...\nwide.v = xxxxxxxx...\n" dir -w 20 wide &&
	flux kvs dir -w 0 wide >actual &&
	test_grep "^wide.v = x\{100\}$" actual &&
	root=$(flux kvs getroot) &&
	flux kvs put ls.d.x=2 &&
	shows "ls.d.e.\nls.d.none.\nls.d.x = 1\n" dir -a "$root" ls.d &&
	flux kvs namespace create dirs &&
	flux kvs link -N dirs -T primary ls.v away &&
	shows "away -> primary::ls.v\n" dir -N dirs
'

test_expect_success 'unlink: directories, force, what it prints' '
	flux kvs put u.a=1 u.b=1 u.c=1 u.d.x=1 &&
	shows "$(($(flux kvs version) + 1))\n" unlink -s u.a &&
	flux kvs unlink -b u.b >actual && flux kvs getroot -b >expect && test_cmp expect actual &&
	flux kvs unlink -O u.c >actual && flux kvs getroot >expect && test_cmp expect actual &&
	refused "flux-kvs: cannot unlink '\''u.d'\'': Directory not empty" unlink u.d &&
	refused "flux-kvs: cannot unlink '\''u.z'\'': No such file or directory" unlink u.z &&
	shows "" unlink -f u.z &&
	shows "" unlink -R u.d &&
	test_expect_code 1 flux kvs get u.d.x
'

test_expect_success 'link and readlink: namespaces, what is printed' '
	shows "$(($(flux kvs version) + 1))\n" link -s a one &&
	flux kvs link -b a one >actual && flux kvs getroot -b >expect && test_cmp expect actual &&
	flux kvs link -T ns k two &&
	shows "a\nns::k\n" readlink one two &&
	shows "ns\n" readlink -o two &&
	shows "k\n" readlink -k two &&
	root=$(flux kvs getroot) &&
	flux kvs link b one &&
	shows "a\n" readlink -a "$root" one &&
	refused "flux-kvs: a: Invalid argument" readlink a &&
	refused "flux-kvs: nope: No such file or directory" readlink nope
'

test_expect_success 'mkdir: makes empty directories, in place of what was there' '
	shows "$(($(flux kvs version) + 1))\n" mkdir -s m.a m.b &&
	shows "m.a.\nm.b.\n" dir m &&
	flux kvs put m.c=1 &&
	flux kvs mkdir m.c &&
	shows "" ls m.c
'

test_expect_success 'copy and move: between namespaces' '
	flux kvs namespace create from to &&
	flux kvs put -N from x.y=1 &&
	flux kvs copy -S from -D to x z &&
	shows "1\n" get -N to z.y &&
	flux kvs move -S from -D to x moved &&
	shows "1\n" get -N to moved.y &&
	refused "flux-kvs: x: No such file or directory" get -N from x &&
	refused "flux-kvs: flux_kvs_copy: No such file or directory" copy nope x &&
	refused "flux-kvs: flux_kvs_move: Operation not supported" move -S nope a b
'

test_expect_success 'version, wait, sync and getroot' '
	version=$(flux kvs version) &&
	shows "" wait "$version" &&
	{ flux kvs wait $((version + 1)) & } &&
	shows "" sync &&
	wait $! &&
	shows "$((version + 1))\n" version &&
	shows "$((version + 1))\n" getroot -s &&
	shows "$(id -u)\n" getroot -o &&
	shows "{\"data\":[\"$(flux kvs getroot -b)\"],\"type\":\"dirref\",\"ver\":1}\n" getroot &&
	refused "flux-kvs: nope: Operation not supported" version -N nope &&
	refused "flux-kvs: nope: Operation not supported" getroot -N nope &&
	refused "flux-kvs: to: Invalid argument" sync -N to
'

test_expect_success 'namespace: owners, roots, all of a list' '
	flux kvs namespace create -o 4242 theirs &&
	shows "4242\n" getroot -N theirs -o &&
	flux kvs namespace create -r "$(flux kvs getroot -b)" copied &&
	shows "1\n" get -N copied a &&
	flux kvs namespace list >list &&
	test_grep "^theirs                                     4242 0x00000000\$" list &&
	refused "flux-kvs: theirs: File exists" namespace create new theirs &&
	flux kvs namespace remove theirs copied new nosuch &&
	flux kvs namespace list >list &&
	test_expect_code 1 grep theirs list
'

test_expect_success 'the environment names a namespace, and an option overrides it' '
	flux kvs put -N to who=to && flux kvs put who=primary &&
	FLUX_KVS_NAMESPACE=to flux kvs get who >actual &&
	FLUX_KVS_NAMESPACE=to flux kvs get -N primary who >>actual &&
	printf "%s\n" to primary >expect &&
	test_cmp expect actual
'

test_done

#!/bin/sh

test_description='flux finds programs of others and says what it gives them

Covers what only real processes show: scripts in Python, programs that are named by
a path, and PATH. Which variables hold what is covered by the tests of layout.rs.
'

. "$(dirname "$0")/sharness.sh"
test_need_flux

flux_path=$(command -v flux)

test_expect_success 'a script in Python comes before a program of its folder' '
	mkdir bin &&
	cat >bin/flux-hello.py <<-\EOF &&
	import os, sys
	print("python", sys.argv[1:], __name__, os.path.basename(sys.path[0]))
	sys.exit(3)
	EOF
	cat >bin/flux-hello <<-\EOF &&
	#!/bin/sh
	echo shell
	EOF
	chmod +x bin/flux-hello.py bin/flux-hello &&
	FLUX_EXEC_PATH=$(pwd)/bin test_expect_code 3 flux hello -x y >actual &&
	echo "python ['\''-x'\'', '\''y'\''] __main__ bin" >expect &&
	test_cmp expect actual &&
	chmod -x bin/flux-hello.py &&
	FLUX_EXEC_PATH=$(pwd)/bin flux hello >actual &&
	echo shell >expect &&
	test_cmp expect actual
'

test_expect_success 'a script in Python finds modules and hands its user'\''s path on' '
	mkdir modules &&
	echo "there = True" >modules/fluxtestmodule.py &&
	cat >bin/flux-path.py <<-\EOF &&
	import fluxtestmodule, os
	print(os.environ.get("PYTHONPATH"), os.environ.get("FLUX_PYTHONPATH_ORIG"))
	EOF
	chmod +x bin/flux-path.py &&
	(
		FLUX_EXEC_PATH=$(pwd)/bin &&
		FLUX_PYTHONPATH_PREPEND=$(pwd)/modules &&
		export FLUX_EXEC_PATH FLUX_PYTHONPATH_PREPEND &&
		PYTHONPATH=/mine flux path >actual &&
		(unset PYTHONPATH && flux path) >>actual
	) &&
	printf "%s\n" "/mine None" "None None" >expect &&
	test_cmp expect actual
'

test_expect_success 'flux python runs the interpreter' '
	FLUX_PYTHONPATH_PREPEND=$(pwd)/modules \
		flux python -c "import fluxtestmodule, sys; print(sys.argv)" --version >actual &&
	echo "['\''-c'\'', '\''--version'\'']" >expect &&
	test_cmp expect actual &&
	flux python --version >actual &&
	grep "^Python 3" actual
'

test_expect_success 'a program with a slash in its name is not searched' '
	cat >t.sh <<-\EOF &&
	#!/bin/sh
	echo "$FLUX_EXEC_PATH" >path
	exit 4
	EOF
	chmod +x t.sh &&
	test_expect_code 4 flux ./t.sh &&
	test -s path &&
	chmod -x t.sh &&
	test_expect_code 1 flux ./t.sh 2>actual &&
	echo "flux: ./t.sh: Permission denied" >expect &&
	test_cmp expect actual &&
	test_expect_code 1 flux ./no.sh 2>actual &&
	echo "flux: ./no.sh: No such file or directory" >expect &&
	test_cmp expect actual
'

test_expect_success 'children of a flux that was called by its path find it' '
	mkdir other &&
	printf "#!/bin/sh\necho other\n" >other/flux &&
	chmod +x other/flux &&
	PATH=$(pwd)/other:/usr/bin:/bin "$flux_path" env sh -c "command -v flux" >actual &&
	echo "$flux_path" >expect &&
	test_cmp expect actual &&
	flux env printenv PATH >actual &&
	echo "$PATH" >expect &&
	test_cmp expect actual
'

test_expect_success 'commands of others are suggested too' '
	FLUX_EXEC_PATH=$(pwd)/bin test_expect_code 1 flux hallo 2>actual &&
	grep "^flux: .hello$" actual
'

test_expect_success 'flux -v says what it gives and what it runs' '
	FLUX_EXEC_PATH=$(pwd)/bin flux -v hello 2>actual >out &&
	echo shell >expect &&
	test_cmp expect out &&
	grep "^FLUX_EXEC_PATH=.*:$(pwd)/bin$" actual &&
	grep "^LUA_PATH=.*/share/lua/5.1/?.lua;;;$" actual &&
	grep "^sub-command search path: .*:$(pwd)/bin:" actual &&
	grep "^trying to exec $(pwd)/bin/flux-hello$" actual
'

test_expect_success 'help lists commands of help files' '
	cat >help.json <<-\EOF &&
	[{"name": "site", "description": "Commands of this site",
	  "commands": [{"name": "hello", "description": "Say hello"}]}]
	EOF
	FLUX_CMDHELP_PATTERN="$(pwd)/*.json" flux --help 2>actual &&
	grep -A1 "^Commands of this site:$" actual >site &&
	grep "^  hello  *Say hello$" site &&
	test_expect_code 1 flux 2>actual &&
	grep "^Usage: flux " actual
'

test_expect_success 'help on a command of others is its manual page' '
	cat >bin/man <<-\EOF &&
	#!/bin/sh
	echo man "$@"
	EOF
	chmod +x bin/man &&
	PATH=$(pwd)/bin:$PATH flux help hello >actual &&
	echo man flux-hello >expect &&
	test_cmp expect actual
'

test_done

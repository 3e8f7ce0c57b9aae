#!/bin/sh

test_description='flux python finds the package, in a build tree and where it is installed
'

. "$(dirname "$0")/sharness.sh"
test_flux_python
test_need_flux

unset PYTHONPATH
built=$(dirname "$(command -v flux)")

# installed VERSION...: an installation in prefix/ with bindings of these versions, and
# interpreters of 3.9 and 3.12 that say what they are given.
installed() {
	rm -rf prefix &&
	mkdir -p prefix/bin tools &&
	cp "$built/flux" prefix/bin/ &&
	for version in "$@"
	do
		mkdir -p "prefix/lib/flux/python$version" || return 1
	done &&
	for version in 3.9 3.12
	do
		printf "#!/bin/sh\necho %s \"\$PYTHONPATH\" \"\$@\"\n" $version >tools/python$version &&
		chmod +x tools/python$version || return 1
	done
}

test_expect_success OURS 'in a build tree the package is beside the programs' '
	echo "$built/python" >expect &&
	flux python --get-path >actual &&
	test_cmp expect actual &&
	flux python -c "import flux; print(flux.Flux.__name__)" >actual &&
	echo Flux >expect &&
	test_cmp expect actual
'

test_expect_success OURS 'installed it is below PREFIX/lib/flux, and serves later versions too' '
	installed 3.9 &&
	ln -s "$built/python/flux" prefix/lib/flux/python3.9/flux &&
	echo "$(pwd)/prefix/lib/flux/python3.9" >path &&
	prefix/bin/flux python --get-path >actual &&
	test_cmp path actual &&
	PATH=$(pwd)/tools:/bin prefix/bin/flux python --list-versions >actual &&
	grep -x "python3.9" actual &&
	grep -x "python3.12" actual &&
	PATH=$(pwd)/tools:$PATH prefix/bin/flux python3.12 a b >actual &&
	echo "3.12 $(cat path) a b" >expect &&
	test_cmp expect actual
'

test_expect_success OURS 'bindings for one version alone serve no other' '
	installed 3.9 &&
	PATH=$(pwd)/tools:/bin prefix/bin/flux python --list-versions >actual &&
	! grep "python3.12" actual &&
	(PATH=$(pwd)/tools:$PATH && test_must_fail prefix/bin/flux python3.12 a b)
'

test_expect_success OURS 'without a package --get-path says where it belongs' '
	installed &&
	test_must_fail prefix/bin/flux python --get-path 2>actual &&
	grep "no Python bindings are installed" actual &&
	grep "prefix/lib/flux/pythonX.Y" actual
'

test_done

#!/bin/sh

test_description='cargo xtask install: a build is installed below a prefix, and removed

Covers a root folder with hardly more than a shell, in which the first job runs, and the
libraries that programs load. What is kept of others is covered by the unit tests of xtask.
'

. "$(dirname "$0")/sharness.sh"
test_need_flux
test_bare_root

# bare COMMAND...: with root/ as its root, and the installation in its PATH.
bare() {
	PATH_IN_ROOT=/opt/flux/bin:/bin in_root "$@"
}

test_expect_success 'the programs load the C library and that of the compiler, and no others' '
	for program in flux $(cd "$programs" && ls flux-module-* flux-broker flux-shell)
	do
		case $program in *.d) continue ;; esac
		ldd "$programs/$program" || return 1
	done >libraries &&
	sed -n "s/^[[:space:]]*\(lib[a-z_]*\)\.so.*/\1/p" libraries | sort -u >actual &&
	printf "%s\n" libc libgcc_s libm >expect &&
	test_cmp expect actual
'

test_expect_success 'a build is installed' '
	mkdir root/opt &&
	files >before &&
	xtask install --prefix=/opt/flux --destdir="$PWD/root" --from="$programs" &&
	test -x root/opt/flux/bin/flux &&
	test -x root/opt/flux/libexec/flux/flux-broker &&
	test -e root/opt/flux/lib/flux/libpmi.so.0 &&
	test -e root/opt/flux/share/man/man1/flux-run.1 &&
	test_grep "flux_complete" root/opt/flux/share/bash-completion/completions/flux &&
	test_grep "^ExecStart=/opt/flux/bin/flux broker" root/opt/flux/lib/systemd/system/flux.service &&
	test_grep "^libzmq: MPL-2.0" root/opt/flux/share/doc/ferroflux/THIRD-PARTY
'

test_expect_success 'the first job runs, and finds PMI' '
	bare flux start flux run -n2 sh -c "echo \$FLUX_PMI_LIBRARY_PATH" >actual &&
	printf "%s\n" /opt/flux/lib/flux/libpmi.so /opt/flux/lib/flux/libpmi.so >expect &&
	test_cmp expect actual
'

test_expect_success 'an instance of two brokers runs there too' '
	bare flux start --test-size=2 flux run -N2 flux getattr rank >ranks &&
	sort ranks >actual &&
	printf "%s\n" 0 1 >expect &&
	test_cmp expect actual
'

test_expect_success 'it is installed again over itself' '
	xtask install --prefix=/opt/flux --destdir="$PWD/root" --from="$programs" &&
	bare flux version >out &&
	test_grep "^commands:" out
'

test_expect_success 'it is removed, and nothing is left' '
	xtask install --prefix=/opt/flux --destdir="$PWD/root" --uninstall &&
	files >after &&
	test_cmp before after
'

test_expect_success 'what is not installed is not removed' '
	test_must_fail xtask install --prefix=/opt/flux --destdir="$PWD/root" --uninstall 2>err &&
	test_grep "nothing is installed in" err
'

test_done

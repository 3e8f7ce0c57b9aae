#!/bin/sh

test_description='cargo xtask dist deb: a package that dpkg installs and removes

Covers what it depends on, that dpkg asks and leaves nothing, and a job from there.
'

. "$(dirname "$0")/sharness.sh"
test_need_flux
for command in dpkg dpkg-deb dpkg-query dpkg-shlibdeps
do
	command -v $command >/dev/null || skip_all="there is no $command (Debian: dpkg-dev)"
done
test_bare_root

# The first one of a tree compiles cargo-deb.
xtask dist --fast --from="$programs" --out="$PWD/out" deb >out.log 2>err.log
if grep "cannot be installed from crates.io" err.log
then
	skip_all='there is no cargo-deb, and it cannot be had from crates.io'
	test_done
fi

# What dpkg keeps, and the packages that a system has before ours.
mkdir -p root/var/lib/dpkg/info root/var/lib/dpkg/updates root/var/log
for package in libc6 libgcc-s1
do
	dpkg-query --show --showformat='Package: ${Package}\nStatus: install ok installed
Version: ${Version}\nArchitecture: ${Architecture}\nMaintainer: x\nDescription: x\n\n' \
		$package 2>/dev/null
done >root/var/lib/dpkg/status

# What dpkg itself writes.
files_but_dpkg() {
	files | grep -v "^root/var/l[io][bg]/dpkg"
}

package() {
	DEBIAN_FRONTEND=noninteractive dpkg --root="$PWD/root" "$@" </dev/null
}

test_expect_success 'a package is made' '
	cat err.log &&
	deb=$(sed -n 1p out.log) &&
	dpkg-deb --field "$deb" >fields &&
	test_grep "^Package: ferroflux$" fields &&
	test_grep "^Architecture: $(dpkg --print-architecture)$" fields
'

test_expect_success 'it depends on the C library that the programs need' '
	glibc=$(sed -n "s/^the programs need glibc \(.*\) or newer/\1/p" out.log) &&
	test_grep "^Depends: .*libc6 (>= $glibc)" fields
'

test_expect_success 'it asks nothing' '
	dpkg-deb --ctrl-tarfile "$deb" | tar -t >control &&
	test_must_fail grep -E "templates|config" control
'

test_expect_success 'it is installed, and the first job runs' '
	files_but_dpkg >before &&
	package --install "$deb" &&
	in_root flux start flux run hostname >actual &&
	hostname >expect &&
	test_cmp expect actual &&
	test_grep "^ExecStart=/usr/bin/flux broker" root/usr/lib/systemd/system/flux.service &&
	test -s root/usr/share/doc/ferroflux/copyright
'

test_expect_success 'it is removed, and nothing is left' '
	package --remove ferroflux &&
	package --purge ferroflux &&
	files_but_dpkg >after &&
	test_cmp before after &&
	test_must_fail dpkg-query --admindir=root/var/lib/dpkg --show ferroflux
'

test_done

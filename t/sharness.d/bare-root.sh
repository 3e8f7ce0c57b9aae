# bare-root.sh: a root folder with a shell, a few tools and the libraries that these load, to
# install packages in and to remove them from.

# test_bare_root: makes it in root/, and says what is needed for xtask to make packages of the
# programs under test. Skips the script where that cannot be done. Call it before any test.
test_bare_root() {
	if test -n "$FLUX_TEST_PEER"
	then
		skip_all='packages are made of the programs of this tree'
	elif test "$(id -u)" != 0
	then
		skip_all='it takes root to change the root folder'
	elif ! unshare --mount --net --pid --fork true 2>unshare.err
	then
		skip_all="no namespace can be made: $(cat unshare.err)"
	fi
	test -z "$skip_all" || test_done
	programs=$(dirname "$(command -v flux)")
	mkdir -p root/bin root/dev root/etc root/proc root/root root/run root/tmp root/usr/bin root/var/tmp
	echo "root:x:0:0:root:/root:/bin/sh" >root/etc/passwd
	# For scripts of packages, which run outside of in_root.
	mknod root/dev/null c 1 3
	test__copy "$(command -v env)" /usr/bin
	for test__tool in sh cat chmod hostname ls mkdir rm test true uname
	do
		test__copy "$(command -v $test__tool)" /bin
	done
	for test__program in "$programs"/flux "$programs"/flux-broker
	do
		test__copy_libraries "$test__program"
	done
}

# test__copy PROGRAM FOLDER: puts a program into a folder of the root, and what it loads.
test__copy() {
	test -x "$1" || return 0
	cp -L "$1" "root$2/" && test__copy_libraries "$1"
}

test__copy_libraries() {
	ldd "$1" | grep -o '/[^ ]*' | while read -r test__path
	do
		test -e "root$test__path" && continue
		mkdir -p "root$(dirname "$test__path")" && cp -L "$test__path" "root$test__path"
	done
}

# xtask COMMAND...: the project's automation, with the home folder in which cargo looks for itself.
xtask() {
	HOME=$(eval echo "~$(id -un)") ${FLUX_TEST_XTASK:-cargo xtask} "$@"
}

# in_root COMMAND...: runs it with root/ as its root: no network, no process of others, and of
# the environment only PATH. That ends all that it has left running.
in_root() {
	unshare --mount --net --pid --fork --kill-child sh -c '
		mount -t proc proc root/proc &&
		mount --rbind /dev root/dev &&
		PATH=$PATH:/usr/sbin &&
		exec chroot root env -i PATH="$PATH_IN_ROOT" FLUX_TEST_MARK="$FLUX_TEST_MARK" "$@"' \
		sh "$@"
}
PATH_IN_ROOT=/usr/local/bin:/usr/bin:/bin
export PATH_IN_ROOT

# files: all that is in the root folder.
files() {
	find root -printf '%p %y %m %s %l\n' | sort
}

# small-disk.sh: a file system that fills up soon, and what is told of keys put on it.

# test_small_disk SIZE: mount one of SIZE (for mount: 8m) at disk/, until the script ends.
# Sets the prerequisite SMALLDISK; without root there is none. Call it before any test.
test_small_disk() {
	mkdir disk
	if test_have_prereq ROOT &&
		mount -t tmpfs -o "size=$1,mode=700" tmpfs disk 2>mount.err
	then
		test_set_prereq SMALLDISK
		test__at_end="$test__at_end test__no_small_disk"
	fi
}

test__no_small_disk() {
	umount "$test__trash/disk"
}

# test_scripts_of_kept: write two scripts for instances whose disk fills up.
#
# put-until-refused PREFIX stores noise until it is refused, and leaves what was said in
# `refusal`. The keys that were acknowledged go to `kept`, with their checksums.
# check-kept looks whether each of those has its value.
test_scripts_of_kept() {
	cat >put-until-refused <<'EOS'
i=0
while test $((i += 1)) -lt 200
do
	head -c 60000 /dev/urandom | base64 -w0 >noise
	flux kvs put "$1$i=$(cat noise)" 2>refusal || exit 0
	echo "$1$i $(cksum <noise)" >>kept
done
echo "it was never refused"
exit 1
EOS
	cat >check-kept <<'EOS'
while read key sum
do
	flux kvs get "$key" | tr -d '\n' >value
	test "$(cksum <value)" = "$sum" || { echo "$key is not what it was" && exit 1; }
done <kept
EOS
}

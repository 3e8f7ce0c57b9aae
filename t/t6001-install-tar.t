#!/bin/sh

test_description='cargo xtask dist tar: an archive that is unpacked anywhere

Covers its names, owners and times, that the same programs give the same bytes, and a job
from there. That the same sources give the same programs is checked by dist --check.
'

. "$(dirname "$0")/sharness.sh"
test_need_flux
command -v zstd >/dev/null || skip_all='there is no zstd (Debian: zstd)'
test_bare_root
SOURCE_DATE_EPOCH=1700000000 && export SOURCE_DATE_EPOCH

pack() {
	xtask dist --fast --from="$programs" --out="$PWD/$1" tar
}

test_expect_success 'an archive is made, and the oldest glibc is said' '
	pack one >out &&
	archive=$(sed -n 1p out) &&
	test_grep "^$PWD/one/ferroflux-.*-linux-gnu.tar.zst$" out &&
	test_grep "^the programs need glibc 2\.[0-9]* or newer$" out
'

test_expect_success 'all in it is of root, of one time, and in one folder' '
	TZ=UTC tar --zstd -tvf "$archive" >list &&
	awk "{ print \$2, \$4, \$5 }" list | sort -u >actual &&
	echo "root/root 2023-11-14 22:13" >expect &&
	test_cmp expect actual &&
	basename "$archive" .tar.zst >expect &&
	awk "{ print \$6 }" list | cut -d/ -f1 | sort -u >actual &&
	test_cmp expect actual
'

test_expect_success 'the same programs give the same bytes' '
	pack another &&
	cmp "$archive" another/*.tar.zst
'

test_expect_success 'it is unpacked, and the first job runs' '
	files >before &&
	mkdir root/usr/local &&
	tar --zstd -xf "$archive" -C root/usr/local --strip-components=1 &&
	in_root flux start flux run hostname >actual &&
	hostname >expect &&
	test_cmp expect actual &&
	test_grep "^ExecStart=flux broker" root/usr/local/lib/systemd/system/flux.service
'

test_expect_success 'what was unpacked is all that there is to remove' '
	rm -r root/usr/local &&
	files >after &&
	test_cmp before after
'

test_done

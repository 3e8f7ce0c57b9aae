#!/bin/sh

test_description='flux run: a job gets its input and gives its output, with streams of any kind

Every form of --input, --output and --error is crossed with pipes, files, /dev/null,
terminals and closed descriptors. What is looked at is the exit code, the text, and that
no run waits for what will not come.
'

. "$(dirname "$0")/sharness.sh"
test_under_flux 1 job

# A task that gives back what it reads, has a word for either stream, and ends with 3.
# A run that takes 20 s hangs.
task() {
	timeout -k 1 20 flux run "$@" sh -c "cat; echo out; echo err >&2; exit 3"
}

# Runs it with standard input of this kind.
task_reading() {
	case $1 in
	pipe) shift && echo pipe | task "$@" ;;
	file) shift && task "$@" <file ;;
	null) shift && task "$@" </dev/null ;;
	closed) shift && task "$@" <&- ;;
	esac
}

# Runs it with standard output and error of these kinds. What arrives is in `1` and `2`.
task_writing() {
	: >1 && : >2
	case $1 in
	files) shift && task "$@" >1 2>2 ;;
	no-stdout) shift && task "$@" >&- 2>2 ;;
	no-stderr) shift && task "$@" >1 2>&- ;;
	closed) shift && task "$@" >&- 2>&- ;;
	esac </dev/null
}

test_expect_success 'there is something to read' '
	echo file >file &&
	echo named >named
'

for kind in pipe file null closed; do
	for input in --verbose --input=named --input=/dev/null --input=0 --input=1; do
		case $input,$kind in
		--input=named,*) expect=named ;;
		--input=/dev/null,* | --input=1,* | *,null | *,closed) expect= ;;
		*) expect=$kind ;;
		esac
		test_expect_success "$input with standard input: $kind" "
			test_expect_code 3 task_reading $kind $input >out &&
			printf '%s' '${expect:+$expect
}' >expect &&
			echo out >>expect &&
			test_cmp expect out
		"
	done
done

# Where the word of a stream is to be found: in the file named for it, or where ours goes.
place_of() {
	case $1 in
	*taskid*) echo "$2.0" ;;
	*=?.*) echo "$2.$(flux job last)" ;;
	*=?) echo "$2" ;;
	esac
}

for kind in files no-stdout no-stderr closed; do
	for output in --output=kvs --output=none --output=o --output=o.{{id}} --output=o.{{taskid}}; do
		for error in --error=kvs --error=none --error=e --error=e.{{id}} --error=e.{{taskid}}; do
			test_expect_success "$output $error with our streams: $kind" "
				rm -f o o.* e e.* &&
				test_expect_code 3 task_writing $kind $output $error &&
				found=\$(place_of $output o) &&
				case $kind,\$found in
				files, | no-stderr,) grep -x out 1 ;;
				*,) test_cmp /dev/null 1 ;;
				*) test_cmp /dev/null 1 && grep -x out \$found ;;
				esac &&
				found=\$(place_of $error e) &&
				case $kind,\$found in
				files, | no-stdout,) grep -x err 2 ;;
				*,) test_cmp /dev/null 2 ;;
				*) grep -x err \$found ;;
				esac
			"
		done
	done
done

test_expect_success 'both streams may share a file' '
	test_expect_code 3 task_writing closed --output=both &&
	printf "out\nerr\n" >expect &&
	test_cmp expect both
'

test_expect_success 'a terminal is read until ^D' '
	printf "typed\n\004" | timeout 20 script -qec "flux run sh -c \"cat; exit 3\"; echo code \$?" \
		/dev/null >out &&
	test_grep "typed" out &&
	test_grep "code 3" out
'

test_done

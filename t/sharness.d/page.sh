# page.sh: runs the commands of a page of doc/, and compares their output with what it shows.
#
# In a page, a block ```console has commands behind "$ " and their output. A `NAME`: alone on a
# line names the file that the next block holds. "flux start" without a program begins a shell
# that goes on to "exit". Where the block says "numbers vary", numbers are not compared.

# page_part PAGE FIRST LAST: its sections of these numbers, "## N. TITLE".
page_part() {
	awk -v first="$2" -v last="$3" '/^## / { n = $2 + 0 } n >= first && n <= last' "$1"
}

# page_files PAGE: writes the files of the page below the current folder.
page_files() {
	awk '
	/^`[^`\/]*`:$/ { file = substr($0, 2, length($0) - 3); next }
	/^```/ && file != "" && !inside { inside = 1; next }
	/^```/ { inside = 0; file = ""; next }
	inside { print >file }
	' "$1"
}

# page_shown PAGE: its blocks, one behind the other.
page_shown() {
	awk '/^```console/ { print "@@" substr($0, 11); on = 1; next } /^```/ { on = 0 } on' "$1"
}

# page_session PAGE: writes the commands to session.0, which prints them as it runs them, and
# shells of instances to session.1 and so on.
page_session() {
	page_shown "$1" | awk '
	function say(text) {
		gsub(quote, quote "\\" quote quote, text)
		print "echo " quote text quote >file
	}
	BEGIN { quote = sprintf("%c", 39); file = "session.0" }
	/^@@/ { say($0) }
	/^\$ / {
		say($0)
		command = substr($0, 3)
		if (command ~ /^flux start( -[^ ]*)*$/) {
			print command " sh ./session." ++made >file
			outer = file
			file = "session." made
		} else if (command == "exit")
			file = outer
		else
			print command >file
	}'
}

# page_plain: standard input without what differs from run to run.
page_plain() {
	sed -E \
		-e "s/\\b$(hostname)\\b/laptop/g; s/\\b$(id -un)\\b/ada/g; s/userid=[0-9]+/userid=N/" \
		-e 's/^[A-Z][a-z]{2} [ 0-9]+ [0-9:.]+ [A-Z]+ [0-9]{4} //' \
		-e 's/ƒ[1-9A-Za-z]+/ƒID/g; s/^[0-9]{10}\.[0-9]+/TIME/; s/\b[0-9]+(\.[0-9]+)?m?s\b/TIME/g' \
		-e 's/ +/ /g; s/^ //; s/ $//' |
		awk '/^@@/ { vary = /numbers vary/ } vary { gsub(/[0-9]+/, "N") } { print }'
}

# page_commands PAGE: the commands that stand in its text as `flux ...`, a line each.
page_commands() {
	grep -o '`flux [a-z][^`]*`' "$1" | tr -d '`' | sort -u
}

# test_page_commands PAGE: tests that each of them is there, with the options that it is shown with.
test_page_commands() {
	page_commands "$1" >"commands.$(basename "$1")"
	while read -r test__flux_word test__sub test__rest
	do
		test_expect_success "flux $test__sub $test__rest" '
			test__help "$test__sub" "${test__rest%% *}" >help &&
			for option in $(set -f && test__options $test__rest)
			do
				grep -E -e "(^| |\[)$option([],= ]|\$|\[)" help >found ||
					{ echo "no option $option" && return 1; }
			done
		'
	done <"commands.$(basename "$1")"
}

# The help of a command that begins so, of its sub-command where it has any.
test__help() {
	flux "$1" "$2" --help 2>help.err || flux "$1" --help
}

# The options before the command of a job.
test__options() {
	for test__word in "$@"
	do
		case $test__word in
		--*) echo "${test__word%%=*}" ;;
		-[a-zA-Z]*) echo "$test__word" | cut -c1-2 ;;
		CMD | ./a.out | "|") return ;;
		esac
	done
}

# page.sh: runs the commands of a page of doc/, and compares their output with what it shows.
#
# In a page, a block ```console has commands behind "$ " and their output. A `NAME`: alone on a
# line names the file that the next block holds. "flux start" without a program begins a shell
# that goes on to "exit". Where the block says "numbers vary", numbers are not compared.

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

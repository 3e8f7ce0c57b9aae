# terminal.sh: programs that want a terminal.

# test_terminal: makes a command 'terminal' that runs another one in a pseudo terminal, and the
# prerequisite TERMINAL; without python3 there is neither. Call it before any test.
#
# terminal SCRIPT COMMAND...: SCRIPT is a file with one step a line:
#   see TEXT    wait until TEXT stands on the screen, given all that was sent
#   gone TEXT   wait until it does not
#   type TEXT   type TEXT, with escapes as of Python
#   kill NAME   send the signal SIGNAME to the command
# The screen has 80 columns and 24 rows. It ends as the command does, which must end with the
# script, and prints the last screen if a step fails.
test_terminal() {
	python3 -c 'import pty' 2>/dev/null || return 0
	test_set_prereq TERMINAL
}

terminal() {
	python3 "$TEST_HARNESS_DIR/sharness.d/terminal.py" "$@"
}

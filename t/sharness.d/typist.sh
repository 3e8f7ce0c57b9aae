# typist.sh: commands on a terminal, at which a user does what a script says.

# test_pty: sets the prerequisite PYTHON, without which there is no such user. Call it before any
# test.
test_pty() {
	python3 -c 'import termios' 2>/dev/null && test_set_prereq PYTHON
	return 0
}

# on_pty ROWS COLS COMMAND...: runs COMMAND on a terminal of this size; what the user does comes
# on standard input: see typist.py.
on_pty() {
	timeout 120 python3 "$TEST_HARNESS_DIR/sharness.d/typist.py" "$@"
}

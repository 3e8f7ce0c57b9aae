# browser.sh: a browser without a screen, see browser.py.

# test_need_browser: ends the script where there is no Chromium. Call it before any test.
test_need_browser() {
	for test__command in chromium chromedriver python3
	do
		command -v $test__command >/dev/null ||
			skip_all="there is no $test__command (Debian: chromium, chromium-driver, python3)"
	done
	test -z "$skip_all" || test_done
}

# browser COMMAND ARGUMENT...: see browser.py.
browser() {
	python3 "$TEST_HARNESS_DIR/sharness.d/browser.py" "$@"
}

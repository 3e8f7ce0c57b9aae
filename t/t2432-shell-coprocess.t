#!/bin/sh

test_description='helpers run beside the tasks of a job

Covers what only real processes show: files, signals, and helpers on several hosts that
share a file. Wrong values and the messages between shells are covered by the tests of the
job shell.
'

. "$(dirname "$0")/sharness.sh"
test_under_flux 2 job

# A helper that says hello, and goodbye when it is asked to end.
cat >helper <<'EOS'
#!/bin/sh
trap 'echo bye; exit 0' TERM
echo hello
touch "up.$$"
while :; do tail -f /dev/null & wait; done
EOS
chmod +x helper

# A task that waits until N helpers are up.
cat >wait-for <<'EOS'
#!/bin/sh
until test "$(ls up.* 2>/dev/null | wc -l)" -ge "$1"; do :; done
EOS
chmod +x wait-for

test_expect_success 'a helper runs from the start of the tasks to their end' '
	flux run --time-limit=1m -o "coprocess={\"mon\": {\"command\": [\"./helper\"], \"output\": \"mon.log\"}}" \
		./wait-for 1 &&
	rm up.* &&
	printf "%s\n" hello bye >expect &&
	test_cmp expect mon.log &&
	test "$(stat -c %a mon.log)" = 600
'

test_expect_success 'its file has a name by itself' '
	flux run --time-limit=1m -o "coprocess={\"mon\": {\"command\": [\"./helper\"]}}" ./wait-for 1 &&
	rm up.* &&
	test_cmp expect coproc-mon-$(flux job last).log
'

test_expect_success 'helpers of several shells share a file' '
	flux run --time-limit=1m -N2 \
		-o "coprocess={\"mon\": {\"command\": [\"./helper\"], \"output\": \"both.log\"}}" ./wait-for 2 &&
	rm up.* &&
	sort both.log >actual &&
	printf "%s\n" bye bye hello hello >expect &&
	test_cmp expect actual
'

test_expect_success 'a script defines a helper, which an option asks for' '
	cat >define.lua <<-EOF &&
	coprocess.define { name = "mon", command = { "./helper" }, output = "defined.log" }
	EOF
	flux run -o userrc=define.lua true &&
	test ! -e defined.log &&
	flux run --time-limit=1m -o userrc=define.lua -o mon ./wait-for 1 &&
	rm up.* &&
	test_grep hello defined.log
'

test_expect_success 'a helper that does not end is killed, which is told' '
	cat >stubborn <<-EOF &&
	#!/bin/sh
	trap "" TERM
	touch up.\$\$
	exec tail -f /dev/null
	EOF
	chmod +x stubborn &&
	flux run --time-limit=1m -o coprocess-kill-timeout=0.2s \
		-o "coprocess={\"mon\": {\"command\": [\"./stubborn\"]}}" ./wait-for 1 2>err &&
	test_grep "WARN: coprocess: coprocess: helper(s) still running, sending SIGKILL" err
'

test_expect_success 'a helper that cannot be started is told, and the job goes on' '
	flux run -o "coprocess={\"mon\": {\"command\": [\"/none\"]}}" true 2>err &&
	test_grep "coprocess: mon: launch failed: No such file or directory" err
'

test_done

#!/bin/sh

test_description='Lua files of sites and users extend the job shell

Covers what only real jobs show: which files are found, what attach prints of them, exit
codes, and how attributes reach the shells. Each function of the files is covered by the
tests of the crate initrc, each topic by those of the job shell.
'

. "$(dirname "$0")/sharness.sh"
test_under_flux 2 job

test_expect_success 'a script in place of the system'\''s changes the environment of tasks' '
	cat >env.lua <<-EOF &&
	shell.setenv ("FROM", "script")
	shell.log ("on shell " .. shell.info.rank .. " of " .. shell.info.size)
	EOF
	flux run -N2 -o initrc=env.lua printenv FROM >out 2>err &&
	printf "%s\n" script script >expect &&
	test_cmp expect out &&
	test_grep "flux-shell\[0\]: on shell 0 of 2" err &&
	test_grep "flux-shell\[1\]: on shell 1 of 2" err
'

test_expect_success 'attach -v shows the file and the line' '
	id=$(flux submit -o initrc=env.lua true) &&
	flux job attach -v "$id" 2>err &&
	test_grep "flux-shell\[0\]: env.lua:2: on shell 0" err
'

test_expect_success 'the file of the system is an attribute, which may change' '
	test_when_finished "flux setattr conf.shell_initrc /none.lua" &&
	flux setattr conf.shell_initrc "$PWD/env.lua" &&
	flux run printenv FROM >out 2>/dev/null &&
	echo script >expect &&
	test_cmp expect out &&
	flux run -o initrc=/dev/null sh -c "test -z \"\$FROM\""
'

test_expect_success 'a job without scripts says nothing of them, a verbose one with them does' '
	flux run -o verbose=2 true 2>err &&
	test_must_fail grep -i "loading\|lua" err &&
	flux run -o verbose=2 -o initrc=env.lua true 2>err &&
	test_grep "DEBUG: Loading env.lua" err &&
	test_grep "TRACE: Successfully loaded flux.shell module" err &&
	test_grep "TRACE: trying to load env.lua" err
'

test_expect_success 'files of the folders that the job names are read, then the user'\''s' '
	mkdir -p rc/mpi &&
	echo "shell.log \"a\"" >rc/a.lua &&
	echo "shell.log \"b\"" >rc/b.lua &&
	echo "shell.log \"mpi\"" >rc/mpi/foo.lua &&
	echo "shell.log \"version\"" >rc/mpi/foo@7.lua &&
	echo "shell.log \"user\"" >user.lua &&
	FLUX_SHELL_RC_PATH=$PWD/rc flux run -o mpi=foo@7 -o userrc=user.lua true 2>err &&
	sed -n "s/.*flux-shell\[0\]: //p" err >said &&
	printf "%s\n" a b mpi version user >expect &&
	test_cmp expect said &&
	flux run -o "userrc=none*.lua" true
'

# told TEXT... : a job whose user has bad.lua fails with 1 or 143, and says each TEXT.
told() {
	flux run -o userrc=bad.lua true 2>err && return 1
	case $? in 1 | 143) ;; *) return 1 ;; esac
	for text
	do
		test_grep -F -e "$text" err || return 1
	done
}

test_expect_success 'a mistake is told with the file and the line, and ends the job' '
	echo "shell.info = 1" >bad.lua &&
	told "ERROR: bad.lua:1: attempt to set read-only field shell.info" \
		"source bad.lua failed" "FATAL: loading rc file" &&
	echo "= 1" >bad.lua &&
	told "ERROR: bad.lua: bad.lua:1: unexpected symbol near '\''='\''" &&
	echo "plugin.load \"nope.so\"" >bad.lua &&
	told "plugin.load: nope.so: File not found" &&
	rm bad.lua &&
	told "ERROR: source bad.lua: No such file or directory"
'

test_expect_success 'a script that is not there ends the job' '
	test_must_fail flux run -o initrc=none.lua true 2>err &&
	test_grep "FATAL: loading rc file none.lua: No such file or directory" err
'

test_expect_success 'a script without an end ends the job, which says so' '
	echo "while true do end" >bad.lua &&
	told "ran for more than 50000000 instructions"
'

test_expect_success 'a plug-in in C is refused in words' '
	touch my.so &&
	echo "plugin.load \"./my.so\"" >bad.lua &&
	told "plugin.load: ./my.so: C plug-ins are not supported in this version"
'

test_expect_success 'handlers see tasks begin and end' '
	cat >topics.lua <<-EOF &&
	plugin.register { handlers = {
	    { topic = "task.init", fn = function () task.setenv ("SELF", task.info.rank) end },
	    { topic = "task.exit", fn = function ()
	        shell.log ("task " .. task.info.rank .. " ended with " .. task.info.exitcode)
	    end },
	    { topic = "shell.exit", fn = function () shell.log ("leaving") end },
	} }
	EOF
	test_expect_code 3 flux run -n2 -o initrc=topics.lua sh -c "exit \$((SELF * 3))" &&
	flux job eventlog -p output "$(flux job last)" >log &&
	test_grep "task 0 ended with 0" log &&
	test_grep "task 1 ended with 3" log &&
	test_grep "leaving" log
'

test_expect_success 'a handler that fails ends the job where the topic says so' '
	cat >fails.lua <<-EOF &&
	plugin.register { name = "bad", handlers = {
	    { topic = os.getenv ("NONE") or shell.options.topic, fn = function () error ("no") end },
	} }
	EOF
	test_must_fail flux run -o initrc=fails.lua -o topic=shell.init true 2>err &&
	test_grep "ERROR: lua plugin bad: fails.lua:2: no" err &&
	test_grep "ERROR: plugin '\''bad'\'': shell.init failed" err &&
	test_grep "FATAL: shell_init" err &&
	flux run -o initrc=fails.lua -o topic=task.exit true &&
	flux job eventlog -p output "$(flux job last)" >log &&
	test_grep "task.exit plugin(s) failed" log
'

page=$TEST_HARNESS_DIR/../doc/howto/extend-the-job-shell.md

# block N: the Nth script of the page.
block() {
	awk -v n="$1" '$0 == "```lua" { inside = ++count == n; next } /^```/ { inside = 0 } inside' "$page"
}

test_expect_success 'the scripts of the howto do what it says' '
	for n in 1 2 3; do block $n; done >page.lua &&
	test_expect_code 143 flux run -n2 -o userrc=page.lua \
		sh -c "echo \$SCRATCH \${PATH%%:*} \$PORT; kill \$\$" >out 2>err &&
	id=$(flux job last) &&
	id=$(flux job id --to=dec "$id") &&
	sort out >actual &&
	printf "%s\n" "/fast/$id /opt/site/bin 20000" "/fast/$id /opt/site/bin 20001" >expect &&
	test_cmp expect actual &&
	flux job eventlog -p output "$(flux job last)" >log &&
	test_grep "task 1 got signal 15" log &&
	printf "%s\n" "#!/bin/sh" "echo up" "exec tail -f /dev/null" >up &&
	chmod +x up &&
	block 4 | grep -v "command =" | sed "s,name = ,command = { [[./up]] }\, name = ," >helper.lua &&
	test_grep "./up" helper.lua &&
	flux run --time-limit=1m -N2 -o userrc=helper.lua -o monitor \
		sh -c "until test \$(wc -l <monitor-\$0.log) -ge 2; do :; done" "{{id.f58plain}}"
'

test_expect_success 'print is shown as output of the shell' '
	echo "print (\"printed\")" >print.lua &&
	flux run -o initrc=print.lua true 2>err &&
	test_grep "stdout: printed" err
'

test_done

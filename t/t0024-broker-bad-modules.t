#!/bin/sh

test_description='a module that is no module says why, and takes nothing with it

Covers what can be wrong with the executable of a module, where modules are found,
and the limits of supervision: one that ends again and again is given up. What the
commands print when all is well is covered by t4002.
'

. "$(dirname "$0")/sharness.sh"

FLUX_MODULE_PATH=/no/such/folder:$test__trash/mods
export FLUX_MODULE_PATH
test_under_flux 1 minimal

# A module whose executable is the given shell script.
module() {
	mkdir -p mods && cat >"mods/flux-module-$1" && chmod +x "mods/flux-module-$1"
}

# load_fails TEXT MODULE...: loading it is refused with exactly this text.
load_fails() {
	text=$1
	shift
	test_expect_code 1 flux module load "$@" 2>actual &&
	echo "flux-module: load $text" >expect &&
	test_cmp expect actual
}

echo "exit 0" | module quiet
echo "exit 3" | module three
echo 'kill -SEGV $$' | module segv
echo "#!/no/such/interpreter" | module lost
echo "exec cat >/dev/null" | module mute
: | module plain && chmod -x mods/flux-module-plain
mkdir mods/flux-module-folder
# The real one, at first; what it is run as later depends on a file.
heartbeat=$(dirname "$(command -v flux)")/flux-module-heartbeat
echo "test -e $PWD/broken && exit 1; exec $heartbeat" | module fickle

mute_is_listed() {
	flux module list | grep "^mute .* I "
}

test_expect_success 'one that ends before it has said anything' '
	load_fails "quiet: module quiet exited with exit code 0 but did not report module status" \
		quiet &&
	load_fails "three: module three exited with exit code 3" three &&
	load_fails "segv: module segv killed by signal 11" segv
'

test_expect_success 'one that cannot be run' '
	load_fails "plain: $PWD/mods/flux-module-plain: cannot be started: Permission denied" plain &&
	load_fails "lost: $PWD/mods/flux-module-lost: cannot be started: No such file or directory" \
		lost
'

test_expect_success 'one that is not there, by name and by path' '
	load_fails "nosuch: module not found in search path" nosuch &&
	load_fails "folder: module not found in search path" folder &&
	load_fails "./nosuch: $PWD/nosuch: cannot open module: No such file or directory" ./nosuch &&
	load_fails "./mods: $PWD/mods: is a directory, not a module" ./mods
'

test_expect_success 'names that are taken, or are no names' '
	load_fails "config: File exists" config &&
	load_fails "broker: File exists" broker &&
	load_fails "fickle: Invalid argument" --name=a.b fickle &&
	load_fails "fickle: File exists" --name=log fickle
'

test_expect_success 'one that never speaks is listed, and can be removed' '
	{ flux module load mute 2>load.err & } &&
	loader=$! &&
	wait_for 10 mute_is_listed &&
	flux module remove mute &&
	test_expect_code 1 wait $loader &&
	echo "flux-module: load mute: module mute was removed before it ran" >expect &&
	test_cmp expect load.err
'

test_expect_success 'none of them is left in the list' '
	flux module list >list &&
	test_must_fail grep -E "quiet|three|segv|plain|lost|mute" list
'

test_expect_success 'modules are found on FLUX_MODULE_PATH, beside the broker, and by path' '
	flux module load fickle &&
	flux module load heartbeat &&
	flux module remove heartbeat &&
	flux module load "$heartbeat" &&
	flux module list -l >list &&
	test_grep "^fickle .* $PWD/mods/flux-module-fickle$" list &&
	test_grep "^heartbeat .* $heartbeat$" list &&
	flux module remove "$heartbeat" &&
	flux module remove fickle
'

test_expect_success 'a module may have another name, and be removed by it' '
	flux module load --name=beat heartbeat &&
	flux ping --count=1 beat &&
	flux module load heartbeat &&
	flux module remove beat &&
	flux ping --count=1 heartbeat &&
	flux module remove heartbeat &&
	test_expect_code 1 flux module remove beat 2>actual &&
	echo "flux-module: remove beat: No such file or directory" >expect &&
	test_cmp expect actual
'

test_expect_success 'one that ends again and again is given up, and who waits is told' '
	flux module load fickle &&
	{ flux dmesg --follow >log & } &&
	follower=$! &&
	test_when_finished "kill $follower" &&
	: >broken &&
	kill -9 $(pgrep -P "$(flux getattr broker.pid)" -x flux-module-hea) &&
	wait_for 10 grep "module fickle is being restarted" log &&
	test_must_fail flux ping --count=1 fickle 2>actual &&
	test_grep "Function not implemented" actual &&
	wait_for 10 grep "module fickle exited [0-9]* times .*: giving it up" log &&
	flux module list >list &&
	test_must_fail grep "^fickle" list
'

test_expect_success 'it can be loaded again when it is whole' '
	rm broken &&
	flux module load fickle &&
	flux ping --count=1 fickle &&
	flux module remove fickle
'

test_done

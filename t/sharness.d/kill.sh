# kill.sh: modules that die while an instance works.

# test_script_kill_in_turn: write `kill-in-turn MODULE...`, a script for an instance that
# kills the named modules in turn, waiting for each to be back, until there is a file
# `enough`. The number of kills goes to `kills`.
test_script_kill_in_turn() {
	cat >kill-in-turn <<'EOS'
kills=0
while test ! -e enough
do
	for module in "$@"
	do
		pkill -KILL -P "$(flux getattr broker.pid)" -f "flux-module-$module\$" &&
			kills=$((kills + 1))
		flux ping --count=1 $module >ping.log 2>&1
	done
done
echo $kills >kills
EOS
}

# tree.sh: instances of many brokers on this host, and how scripts reach single ones.

# test_under_hosts SIZE PERSONALITY [OPTION...]: as test_under_flux, but the brokers find
# each other by the table [bootstrap], as hosts fake0, fake1, ...: a rank that has ended can
# be started again. Without -S tbon.topo=... all are children of rank 0.
test_under_hosts() {
	test__size=$1 test__personality=$2
	shift 2
	if test "$TEST_UNDER_FLUX_ACTIVE" != "$test__name"
	then
		# The path of a socket must be short.
		test__rundir=$(mktemp -d /tmp/flux-XXXXXX) &&
			test_hosts "$test__size" "ipc://$test__rundir/tbon-%h" ||
			test__bug "cannot prepare the hosts"
		set -- --config-path="$PWD/conf" --test-hosts="fake[0-$((test__size - 1))]" \
			--test-rundir="$test__rundir" --test-rundir-cleanup \
			--test-exit-mode=leader --test-exit-timeout=none "$@"
	fi
	test_under_flux "$test__size" "$test__personality" "$@"
}

# test_hosts SIZE URI: writes the configuration of such hosts to conf/.
test_hosts() {
	mkdir -p conf && flux keygen conf/cert &&
		cat >conf/bootstrap.toml <<-EOF2
		[bootstrap]
		curve_cert = "$PWD/conf/cert"
		default_bind = "$2"
		default_connect = "$2"
		hosts = [ { host = "fake[0-$(($1 - 1))]" } ]
		EOF2
}

# on RANK COMMAND...: runs COMMAND as a client of the broker of that rank.
on() {
	test__rank=$1
	shift
	FLUX_URI=${FLUX_URI%-*}-$test__rank "$@"
}

# rpc TOPIC [JSON]: prints the errno and the payload of the answer of the broker.
rpc() {
	{ test -z "$2" || printf '%s\0' "$2"; } |
		perl "$TEST_HARNESS_DIR/sharness.d/client.pl" "$FLUX_URI" rpc "$1"
}

# quiet_rpc TOPIC [JSON]: the same, but says that no answer is wanted.
quiet_rpc() {
	{ test -z "$2" || printf '%s\0' "$2"; } |
		timeout 20 perl "$TEST_HARNESS_DIR/sharness.d/client.pl" "$FLUX_URI" quiet "$1"
}

# start_rpc METHOD [JSON]: the same of the program that has started the brokers.
start_rpc() {
	FLUX_URI=$FLUX_START_URI rpc "start.$1" "$2"
}

# run_rank RANK, kill_rank RANK SIGNAL: starts a broker again; sends it a signal (number).
run_rank() {
	test "$(start_rpc run "{\"rank\":$1}")" = "0 "
}

kill_rank() {
	test "$(start_rpc kill "{\"rank\":$1,\"signum\":$2}")" = "0 "
}

# wait_rank RANK CODE: waits for the end of a broker, which has to have this exit code.
wait_rank() {
	start_rpc wait "{\"rank\":$1}" >wait_rank.log
	test "$(cat wait_rank.log)" = "0 {\"exit_rc\":$2}" && return 0
	echo "wait_rank: wanted code $2 of rank $1: $(cat wait_rank.log)" >&2
	return 1
}

# group NAME: prints the ranks in a group.
group() {
	rpc groups.get "{\"name\":\"$1\"}"
}

# wait_group NAME IDSET: waits until these are the ranks in the group.
wait_group() {
	wait_for 20 is_group "$1" "$2"
}

is_group() {
	group "$1" >group.log && cat group.log && test "$(cat group.log)" = "0 {\"members\":\"$2\"}"
}

# wait_status STATUS [RANK]: waits until the subtree of the rank has this status.
wait_status() {
	flux overlay status --summary --rank="${2:-0}" --wait="$1" --timeout=20s
}

# net.sh: four hosts with a broker each, and real TCP between them.
#
# Each host is a network namespace, and a bridge joins them: h1 and h3 are children of h0, and
# h2 is one of h1. Scripts cut links with ip (`$net-N` is the cable of host N, ${net}N its
# namespace), kill brokers and boot them again.

# test_net_hosts PERSONALITY: makes the hosts, conf.toml with a table [bootstrap], and FLUX_URI.
# Skips the script where that cannot be done. Call it before any test.
test_net_hosts() {
	test__personality=$1
	net=fx$$
	if test "$(id -u)" != 0
	then
		skip_all='it takes root to make network namespaces'
	elif ! command -v ip >/dev/null
	then
		skip_all='there is no ip (Debian: iproute2)'
	elif ! ip link add ${net}b type bridge 2>/dev/null
	then
		skip_all='this kernel makes no bridges'
	fi
	test -z "$skip_all" || test_done

	# The path of a socket must be short.
	dir=$(mktemp -d /tmp/flux-XXXXXX)
	test__at_end="$test__at_end test__no_hosts_remain"
	FLUX_URI=local://$dir/0/local-0 && export FLUX_URI

	ip link set ${net}b up
	for host in 0 1 2 3
	do
		ip netns add $net$host
		ip link add $net-$host type veth peer name eth0 netns $net$host
		ip link set $net-$host master ${net}b up
		ip -n $net$host link set lo up
		ip -n $net$host addr add 10.77.0.1$host/24 dev eth0
		ip -n $net$host link set eth0 up
	done
	flux keygen cert >/dev/null
	test__net_config
}

test__no_hosts_remain() {
	for host in 0 1 2 3
	do
		kill -KILL $(ip netns pids $net$host) 2>/dev/null
		ip netns del $net$host
	done
	ip link del ${net}b
	rm -rf $dir
}

test__net_config() {
	cat >conf.toml <<-EOS
	[bootstrap]
	curve_cert = "$PWD/cert"
	default_port = 8050
	default_bind = "tcp://eth0:%p"
	hosts = [
	  { host = "h0", connect = "tcp://10.77.0.10:%p" },
	  { host = "h1", connect = "tcp://10.77.0.11:%p", parent = "h0" },
	  { host = "h2", parent = "h1" },
	  { host = "h3", parent = "h0" },
	]

	[tbon]
	topo = "custom"
	torpid_min = "1s"
	torpid_max = "3s"
	EOS
}

# boot HOST [OPTION...]: starts the broker of a host. Its code goes to code-HOST.
boot() {
	host=$1
	shift
	mkdir -p $dir/$host
	rm -f code-$host
	{
		ip netns exec $net$host flux start -c "$PWD/conf.toml" -S hostname=h$host \
			-S rundir=$dir/$host -S ferroflux.personality=$test__personality "$@" >>log-$host 2>&1
		echo $? >code-$host
	} &
}

boot_all() {
	for follower in 1 2 3
	do
		boot $follower "$@"
	done
	boot 0 "$@" tail -f /dev/null
	await 0 full && wait_for 60 sh -c "flux uptime | grep run"
}

# await HOST STATUS: the subtree of a host becomes so.
await() {
	wait_for 60 test -S $dir/$1/local-$1 &&
		FLUX_URI=local://$dir/$1/local-$1 flux overlay status --summary --wait="$2" --timeout=60
}

# killed HOST: its broker dies without a word.
killed() {
	for pid in $(ip netns pids $net$1)
	do
		test "$(cat /proc/$pid/comm 2>/dev/null)" != flux-broker || kill -KILL $pid
	done
}

# ended HOST CODE: the broker of a host has ended with a code.
ended() {
	wait_for 60 test -s code-$1 && test "$(cat code-$1)" = "$2"
}

logged() {
	wait_for 60 sh -c "flux dmesg | grep -q \"$1\""
}

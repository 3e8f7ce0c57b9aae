#!/bin/sh

test_description='brokers on four hosts find, lose and find each other again

Each host is a network namespace, and a bridge joins them: real TCP, a certificate that all
share, and a table [bootstrap]. h1 and h3 are children of h0, and h2 is one of h1.
Links are cut, hosts fall silent, brokers are killed and come back.
'

. "$(dirname "$0")/sharness.sh"
test_need_flux

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
test__at_end="$test__at_end no_hosts_remain"
no_hosts_remain() {
	pkill -KILL -f "[f]lux-broker .*rundir=$dir/"
	for host in 0 1 2 3
	do
		ip netns del $net$host
	done
	ip link del ${net}b
	rm -rf $dir
}

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
cat >conf.toml <<EOS
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

# boot HOST [OPTION...]: starts the broker of a host. Its code goes to code-HOST.
boot() {
	host=$1
	shift
	mkdir -p $dir/$host
	rm -f code-$host
	{
		ip netns exec $net$host flux start -c "$PWD/conf.toml" -S hostname=h$host \
			-S rundir=$dir/$host -S ferroflux.personality=minimal "$@" >>log-$host 2>&1
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
	pkill -KILL -f "[f]lux-broker .*rundir=$dir/$1\b"
}

# ended HOST CODE: the broker of a host has ended with a code.
ended() {
	wait_for 60 test -s code-$1 && test "$(cat code-$1)" = "$2"
}

logged() {
	wait_for 60 sh -c "flux dmesg | grep -q \"$1\""
}

FLUX_URI=local://$dir/0/local-0 && export FLUX_URI

test_expect_success 'four hosts become one instance' '
	boot_all &&
	flux overlay status -vv --no-pretty >out &&
	sed "s/ for .*//" out >actual &&
	cat >expect <<-EOS &&
	0 h0: full
	1 h1: full
	2 h2: full
	3 h3: full
	EOS
	test_cmp expect actual &&
	flux ping --count=1 2 &&
	flux exec -r all ip -o -4 addr show eth0 >addresses &&
	grep -o "10\.77\.0\.1[0-3]" addresses | sort -u >actual &&
	printf "10.77.0.1%s\n" 0 1 2 3 >expect &&
	test_cmp expect actual
'

test_expect_success 'a host that is silent is torpid, and nothing else' '
	ip link set $net-3 down &&
	logged "h3 (rank 3) has been unresponsive" &&
	flux ping --count=1 2 &&
	ip link set $net-3 up &&
	logged "h3 (rank 3) is responsive" &&
	flux ping --count=1 3 &&
	await 0 full
'

test_expect_success 'a leaf that dies is lost alone, and comes back' '
	killed 3 &&
	await 0 degraded &&
	test_must_fail flux ping --count=1 3 2>err &&
	test_grep -i "no route to host" err &&
	flux ping --count=1 2 &&
	boot 3 &&
	await 0 full &&
	flux ping --count=1 3
'

test_expect_success 'a router that dies takes its subtree with it, and both come back' '
	killed 1 &&
	await 0 degraded &&
	ended 2 1 &&
	test_must_fail flux ping --count=1 2 &&
	flux ping --count=1 3 &&
	boot 2 && boot 1 &&
	await 0 full &&
	flux ping --count=1 2
'

# h1 ends in order as soon as it has lost h0, and h2 has a parent that does.
test_expect_success 'when rank 0 dies all end' '
	killed 0 &&
	ended 1 1 && ended 3 1 && ended 2 0
'

# TCP gives up what is not acknowledged for that long.
test_expect_success 'all come back, and give up sooner' '
	boot_all -S tbon.tcp_user_timeout=2s
'

test_expect_success 'a link that stays cut is lost at both ends' '
	ip link set $net-3 down &&
	await 0 degraded &&
	ended 3 1 &&
	flux ping --count=1 2 &&
	ip link set $net-3 up &&
	boot 3 -S tbon.tcp_user_timeout=2s &&
	await 0 full
'

test_expect_success 'so is one that is cut one way' '
	ip -n ${net}3 route add blackhole 10.77.0.10/32 &&
	await 0 degraded &&
	ended 3 1 &&
	ip -n ${net}3 route del blackhole 10.77.0.10/32 &&
	boot 3 -S tbon.tcp_user_timeout=2s &&
	await 0 full
'

test_expect_success 'the instance ends in order' '
	flux shutdown &&
	ended 1 0 && ended 2 0 && ended 3 0
'

test_done

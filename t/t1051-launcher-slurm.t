#!/bin/sh

test_description='srun starts the brokers of an instance

A Slurm of our own with two nodes on the loopback address, a key of its own, and nothing
outside of the folder of this script. Covers what only the real launcher and its libraries
show: the wire that srun speaks, libpmi2, libpmi, and ranks on more than one node.
'

. "$(dirname "$0")/sharness.sh"
test_need_flux

PATH=$PATH:/usr/sbin
for command in munged slurmctld slurmd srun
do
	command -v $command >/dev/null ||
		skip_all="there is no $command (Debian: slurm-wlm, munge)"
done
test "$(id -u)" = 0 || skip_all='it takes root to run slurmd'
test -z "$skip_all" || test_done
test_mpi ring abort

# The path of a socket must be short.
slurm=$(mktemp -d /tmp/slurm-XXXXXX) && mkdir $slurm/state $slurm/log
SLURM_CONF=$slurm/slurm.conf && export SLURM_CONF
test__at_end="$test__at_end end_slurm"
end_slurm() {
	for daemon in slurmd.n1 slurmd.n2 slurmctld munged
	do
		test -s $slurm/$daemon.pid || continue
		pid=$(cat $slurm/$daemon.pid)
		kill "$pid" && timeout 60 tail --pid="$pid" -f /dev/null
	done
	rm -rf $slurm
}

# free_ports N: ports that nobody listens on now.
free_ports() {
	perl -MIO::Socket::INET -e '
		my @sockets = map { IO::Socket::INET->new(Listen => 1, LocalAddr => "127.0.0.1") } 1 .. shift;
		print join(" ", map { $_->sockport } @sockets), "\n";
	' "$1"
}

host=$(uname -n)
host=${host%%.*}
set -- $(free_ports 3)
cat >$SLURM_CONF <<EOS
ClusterName=t
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$1
AuthType=auth/munge
AuthInfo=socket=$slurm/munge
CryptoType=crypto/munge
SlurmUser=root
StateSaveLocation=$slurm/state
SlurmdSpoolDir=$slurm/%n
SlurmctldPidFile=$slurm/slurmctld.pid
SlurmdPidFile=$slurm/slurmd.%n.pid
SlurmctldLogFile=$slurm/log/slurmctld
SlurmdLogFile=$slurm/log/%n
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SwitchType=switch/none
MpiDefault=pmi2
SlurmdParameters=config_overrides
NodeName=n1 NodeHostname=$host NodeAddr=127.0.0.1 Port=$2 CPUs=8
NodeName=n2 NodeHostname=$host NodeAddr=127.0.0.1 Port=$3 CPUs=8
PartitionName=p Nodes=n1,n2 Default=YES State=UP
EOS

# Waits for resources by itself.
run() {
	timeout 120 srun -Q --overcommit "$@"
}

test_expect_success 'two nodes run tasks' '
	head -c 1024 /dev/urandom >$slurm/key &&
	chmod 400 $slurm/key &&
	munged --force --socket=$slurm/munge --key-file=$slurm/key --seed-file=$slurm/seed \
		--pid-file=$slurm/munged.pid --log-file=$slurm/log/munged &&
	slurmctld && slurmd -N n1 && slurmd -N n2 &&
	run -N2 -n2 sh -c "echo \$SLURMD_NODENAME" | sort >actual &&
	printf "n1\nn2\n" >expect &&
	test_cmp expect actual
'

# instance OPTION...: what its ranks answer, and how they have found each other.
instance() {
	run -N2 -n4 flux start "$@" sh -c "
		flux exec -r all flux getattr rank | sort
		flux getattr size
		flux getattr broker.boot-method"
}

# Debian has them in packages of their own.
for method in simple libpmi2 libpmi
do
	if test $method = simple || /sbin/ldconfig -p | grep -q "$method.so"
	then
		test_set_prereq $method
	fi
	test_expect_success $method "four brokers by $method" '
		instance -S broker.boot-method=$method >actual &&
		printf "%s\n" 0 1 2 3 4 $method >expect &&
		test_cmp expect actual
	'
done

test_expect_success 'without a word about it the wire is taken' '
	instance >actual &&
	test_grep "^simple$" actual
'

test_expect_success 'who shares a node is known' '
	run -N2 --ntasks-per-node=2 flux start flux getattr broker.mapping >actual &&
	echo "[[0,2,2,1]]" >expect &&
	test_cmp expect actual
'

test_expect_success 'a job runs, and its code is that of srun' '
	test_expect_code 3 run -N2 -n2 flux start flux run sh -c "exit 3"
'

# MPI itself may complain of tasks that are gone, on its standard output.
test_expect_success MPI 'MPI programs run over brokers that srun has started' '
	run -N2 -n4 flux start sh -c "
		flux run -N4 -n4 ./ring
		flux run -N4 -n4 ./abort >noise || echo \$?
		flux run -N2 -n2 ./ring" >actual 2>err &&
	printf "%s\n" "ring of 4: 4" 143 "ring of 2: 2" >expect &&
	test_cmp expect actual &&
	test_grep "PMI_Abort: aborted" err
'

# The library of Slurm is loaded by the brokers alone: tasks get the wire of their shells.
test_expect_success libpmi2,MPI 'also if these have used a library of Slurm' '
	run -N2 -n4 flux start -S broker.boot-method=libpmi2 flux run -N4 -n4 ./ring >actual &&
	echo "ring of 4: 4" >expect &&
	test_cmp expect actual
'

test_done

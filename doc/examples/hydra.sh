#!/bin/sh
# An instance over the hosts of a file, one broker a line: hydra.sh HOSTFILE ./work.sh
hosts=$1
shift
exec mpiexec.hydra -f "$hosts" -n "$(grep -c . "$hosts")" -ppn 1 flux start "$@"

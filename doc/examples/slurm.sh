#!/bin/sh
#SBATCH --job-name=flux
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --exclusive
#SBATCH --time=10
# An instance over the nodes of a Slurm job, one broker a node: sbatch slurm.sh ./work.sh
# Its history goes with it, unless flux start gets -S statedir=FOLDER on a disk that stays.
exec srun --mpi=pmi2 flux start "$@"

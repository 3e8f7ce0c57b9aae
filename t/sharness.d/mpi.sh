# mpi.sh: the MPI programs of t/mpi/, for scripts that run them in one way or another.

# has_mpi_h COMPILER: true if it is there, with the headers, which Debian has in another package.
has_mpi_h() {
	echo '#include <mpi.h>' | "$1" -E - >/dev/null 2>&1
}

# test_mpi NAME...: compiles these programs into the trash directory, and sets the
# prerequisite MPI. Without a compiler for MPI there is neither. Call it before any test.
test_mpi() {
	# Debian calls the compiler of every MPI by its own name, and one of them mpicc.
	test__mpicc=$(command -v mpicc.mpich || command -v mpicc) && has_mpi_h "$test__mpicc" || {
		say 'there is no mpicc with mpi.h (Debian: libmpich-dev): tests of MPI programs are skipped'
		return 0
	}
	for test__program in "$@"
	do
		"$test__mpicc" -o "$test__program" "$TEST_HARNESS_DIR/mpi/$test__program.c" ||
			test__bug "cannot compile $test__program.c"
	done
	test_set_prereq MPI
}

# test_openmpi NAME...: the same for Open MPI, into a folder openmpi, with prerequisite OPENMPI.
test_openmpi() {
	if ! has_mpi_h mpicc.openmpi
	then
		say 'there is no mpicc.openmpi with mpi.h (Debian: libopenmpi-dev): its tests are skipped'
		return 0
	fi
	mkdir -p openmpi
	for test__program in "$@"
	do
		mpicc.openmpi -o "openmpi/$test__program" "$TEST_HARNESS_DIR/mpi/$test__program.c" ||
			test__bug "cannot compile $test__program.c for Open MPI"
	done
	test_set_prereq OPENMPI
}

# mpi.sh: the MPI programs of t/mpi/, for scripts that run them in one way or another.

# test_mpi NAME...: compiles these programs into the trash directory, and sets the
# prerequisite MPI. Without a compiler for MPI there is neither. Call it before any test.
test_mpi() {
	if ! command -v mpicc >/dev/null
	then
		say 'there is no mpicc (Debian: libmpich-dev): tests of MPI programs are skipped'
		return 0
	fi
	for test__program in "$@"
	do
		mpicc -o "$test__program" "$TEST_HARNESS_DIR/mpi/$test__program.c" ||
			test__bug "cannot compile $test__program.c"
	done
	test_set_prereq MPI
}

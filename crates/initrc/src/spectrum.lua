-- -o mpi=spectrum: IBM Spectrum MPI, started by its own PMIx, without variables of another MPI.
local root = shell.getenv ("MPI_ROOT") or "/opt/ibm/spectrum_mpi"

shell.env_strip ("^PMIX_", "^OMPI_")
shell.setenv ("OMPI_MCA_osc", "pt2pt")
shell.setenv ("OMPI_MCA_pml", "yalla")
shell.setenv ("OMPI_MCA_btl", "self")
shell.setenv ("OMPI_MCA_coll_hcoll_enable", "0")
shell.prepend_path ("LD_LIBRARY_PATH", root .. "/lib")

-- The loader complains of a file that is not there.
local hook = root .. "/lib/libpami_cudahook.so"
local file = io.open (hook)
if file then
    file:close ()
    shell.prepend_path ("LD_PRELOAD", hook)
end

local rlimit = shell.options.rlimit or {}
rlimit.stack = rlimit.stack or 10 * 1024 * 1024
shell.options.rlimit = rlimit

plugin.register {
    name = "spectrum",
    handlers = {
        { topic = "task.init", fn = function ()
            task.setenv ("OMPI_COMM_WORLD_RANK", task.info.rank)
        end },
    },
}

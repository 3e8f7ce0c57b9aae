-- What a job shell runs where its site has no initrc.lua: the site's files, those of the
-- job's MPI, and those of the user.
plugin.load ("*.so")
shell.source_rcpath ("*.lua")
shell.source_rcpath_option ("mpi")
if shell.options.userrc then source (shell.options.userrc) end

//! job-exec as a process: see the library.

fn main() -> std::process::ExitCode {
    runtime::module_main::<job_exec::JobExec>(|| {
        let own = std::env::current_exe().unwrap_or_default();
        let job_shell = own.with_file_name("flux-shell");
        job_exec::Surroundings {
            job_shell: job_shell.to_string_lossy().into_owned(),
            begun: Box::new(ahead::LogFile::new(job_exec::BEGUN_FILE)),
            processes: Box::<job_exec::ThisHost>::default(),
        }
    })
}

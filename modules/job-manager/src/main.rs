//! job-manager as a process: see the library.

fn main() -> std::process::ExitCode {
    runtime::module_main::<job_manager::JobManager>(|| {
        Box::new(ahead::LogFile::new(job_manager::EARLY_FILE)) as Box<dyn ahead::Log>
    })
}

//! The job-info module as a process.

fn main() -> std::process::ExitCode {
    runtime::module_main::<job_info::JobInfo>(|| ())
}

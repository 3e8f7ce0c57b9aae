//! job-ingest as a process: see the library.

fn main() -> std::process::ExitCode {
    runtime::module_main::<job_ingest::JobIngest>(|| job_ingest::names_of)
}

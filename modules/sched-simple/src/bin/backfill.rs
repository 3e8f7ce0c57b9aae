//! The sched-backfill module as a process.

fn main() -> std::process::ExitCode {
    runtime::module_main::<sched_simple::SchedBackfill>(|| ())
}

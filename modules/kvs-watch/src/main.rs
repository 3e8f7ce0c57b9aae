//! The kvs-watch module as a process.

fn main() -> std::process::ExitCode {
    runtime::module_main::<kvs_watch::KvsWatch>(|| ())
}

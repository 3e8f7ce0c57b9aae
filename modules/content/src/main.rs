//! The content module as a process: its worker thread owns the file.

fn main() -> std::process::ExitCode {
    runtime::module_main::<content::Content>(content::Store::default)
}

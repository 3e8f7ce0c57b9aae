//! The content module as a process: its worker thread owns the file, which nobody but its
//! user can read.

fn main() -> std::process::ExitCode {
    // Regardless of the user's umask: what all jobs have is for the owner alone.
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    runtime::module_main::<content::Content>(content::Store::default)
}

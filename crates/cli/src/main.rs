//! The binary `flux`: everything is in the library, so that xtask can print the manual.

use std::process::ExitCode;

use cli::{Env, Io};

fn main() -> ExitCode {
    die_of_broken_pipes();
    let mut args = std::env::args_os();
    let mut env = Env::from_process();
    cli::lead_path(&mut env, &args.next().unwrap_or_default());
    ExitCode::from(cli::run(args.collect(), env, Io::standard()))
}

/// `flux jobs | head -1` must end quietly, as programs do that know nothing of pipes.
fn die_of_broken_pipes() {
    use nix::sys::signal::{SigHandler, Signal, signal};
    // SAFETY: no handler function is installed, and no thread has been started yet.
    // If it fails, broken pipes are reported as errors instead.
    let _ = unsafe { signal(Signal::SIGPIPE, SigHandler::SigDfl) };
}

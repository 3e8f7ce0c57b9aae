//! The terminal server of a user's own as a process: see the library. `flux terminus start` starts
//! it with the name of its service and the rank of its broker.

use std::env;
use std::process::ExitCode;

use terminus::Server;

#[allow(
    clippy::disallowed_methods,
    reason = "the core is told what the process was started with"
)]
fn main() -> ExitCode {
    // It outlives the terminal that it was started from.
    let _ = rustix::process::setsid();
    let mut args: Vec<String> = env::args().skip(1).take(2).collect();
    let uid = rustix::process::geteuid().as_raw().to_string();
    args.insert(args.len().min(1), uid);
    args.extend(env::var("SHELL").ok());
    runtime::program_main::<Server>(args, || ())
}

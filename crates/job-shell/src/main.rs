//! The job shell as a process: see the library.

use std::env;
use std::process::ExitCode;

use job_shell::{Files, JobShell, is_utf8};

#[allow(
    clippy::disallowed_methods,
    reason = "the core is told what the process was started with"
)]
fn main() -> ExitCode {
    let mut args = env::args().skip(1);
    match args.next() {
        // Each job has a process of its own all the same, forked from this one.
        Some(first) if first == runtime::SERVE => runtime::serve(run).unwrap_or(ExitCode::FAILURE),
        first => run(first.into_iter().chain(args).collect()),
    }
}

#[allow(
    clippy::disallowed_methods,
    reason = "the core is told what the process was started with"
)]
fn run(mut args: Vec<String>) -> ExitCode {
    let var = |name: &str| env::var(name).ok();
    args.truncate(1);
    args.push(format!("pid={}", std::process::id()));
    args.push(format!("utf8={}", u8::from(is_utf8(var))));
    for (key, name) in [
        ("lease", "FLUX_SHELL_LEASE"),
        ("tmpdir", "TMPDIR"),
        ("urifile", "FLUX_SHELL_URI_FILE"),
    ] {
        args.extend(var(name).map(|value| format!("{key}={value}")));
    }
    runtime::program_main::<JobShell>(args, Files::default)
}

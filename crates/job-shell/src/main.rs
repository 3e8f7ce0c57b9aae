//! The job shell as a process: see the library.

use std::env;

use job_shell::{Files, JobShell, is_utf8};

#[allow(
    clippy::disallowed_methods,
    reason = "the core is told what the process was started with"
)]
fn main() -> std::process::ExitCode {
    let mut args: Vec<String> = env::args().skip(1).collect();
    let var = |name: &str| env::var(name).ok();
    args.truncate(1);
    args.push(format!("pid={}", std::process::id()));
    args.push(format!("utf8={}", u8::from(is_utf8(var))));
    for (key, name) in [("lease", "FLUX_SHELL_LEASE"), ("tmpdir", "TMPDIR")] {
        args.extend(var(name).map(|value| format!("{key}={value}")));
    }
    runtime::program_main::<JobShell>(args, Files::default)
}

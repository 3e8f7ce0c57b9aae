//! The job shell as a process: see the library.

use std::env;
use std::path::{Path, PathBuf};
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
    let library = env::current_exe().ok().and_then(|own| pmi_library(&own));
    let library = library.and_then(|path| path.into_os_string().into_string().ok());
    args.extend(library.map(|path| format!("libpmi={path}")));
    runtime::program_main::<JobShell>(args, Files::default)
}

/// The library by which tasks find our PMI: in a build tree it is beside us, installed it is in
/// `PREFIX/lib/flux`, and we are in `PREFIX/libexec/flux`.
fn pmi_library(own: &Path) -> Option<PathBuf> {
    let folder = own.parent()?;
    let installed = folder.parent().and_then(Path::parent);
    let places = [
        Some(folder.to_path_buf()),
        installed.map(|prefix| prefix.join("lib/flux")),
    ];
    let mut files = places
        .into_iter()
        .flatten()
        .map(|folder| folder.join("libpmi.so"));
    files.find(|path| path.is_file())
}

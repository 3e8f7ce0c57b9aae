//! Resolution of the names of instances to URIs (protocol/24 section 8): of `flux uri`,
//! and of every command that has a TARGET.
//!
//! Read on in `form.rs` (a URI as seen from its host and from others), `jobs.rs` (instances
//! that are jobs, parents and the root), `process.rs` (by process id) and `launchers.rs` (by
//! a job of Slurm or LSF).

mod form;
mod jobs;
mod launchers;
mod process;

use command::entry::Style;
use command::error::CliError;
use command::flux::Flux;

pub use form::{Near, hostname, local_uri, near, remote_uri};

/// In the environment: URIs of this host are wanted.
const RESOLVE_LOCAL: &str = "FLUX_URI_RESOLVE_LOCAL";

/// Resolution of a target.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Request {
    /// For its own host.
    pub local: bool,
    /// For other hosts.
    pub remote: bool,
    /// Wait until a job has an instance.
    pub wait: bool,
    /// We are where the job of another resource manager runs.
    pub is_compute: bool,
}

/// Kinds of targets and their descriptions, for `flux uri --help`.
pub const SCHEMES: &[(&str, &str)] = &[
    (
        "jobid",
        "a job by its id, or a path of ids; . .. and / are the current, parent and root \
            instances",
    ),
    ("lsf", "a job of LSF by its id"),
    ("pid", "a process by its id"),
    ("slurm", "a job of Slurm by its id"),
];

/// Finds the URI of a target.
pub fn resolve(flux: &mut Flux, target: &str, request: Request) -> Result<String, CliError> {
    if is_uri(target) {
        return converted(target.to_owned(), with_env(flux, request, target)?);
    }
    let (scheme, rest) = split_scheme(target);
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    let request = with_env(flux, with_query(request, query), target)?;
    let uri = match scheme {
        "jobid" => jobs::find(flux, path, request)?,
        "pid" => process::find(path)?,
        "slurm" => launchers::slurm(flux, path)?,
        "lsf" => launchers::lsf(flux, path, request.is_compute)?,
        other => return Err(CliError::new(format!("No plugin for URI scheme {other}"))),
    };
    converted(uri, request)
}

/// The same for a command whose own errors have no tag: errors are those of `flux uri`.
pub fn resolve_quietly(flux: &mut Flux, target: &str) -> Result<String, String> {
    if is_uri(target) {
        return Ok(target.to_owned());
    }
    let program = flux.program().to_owned();
    let style = flux.style();
    flux.set_command("flux-uri".to_owned(), Style::Tagged);
    let found = resolve(flux, target, Request::default());
    let text = |error: CliError| error.render("flux-uri", Style::Tagged, flux.plain());
    let found = found.map_err(text);
    flux.set_command(program, style);
    found
}

/// Connects to the instance that the user means, or to that of the environment. Errors are in
/// the words of commands of the C style.
pub fn open_target(flux: &mut Flux, target: Option<&str>) -> Result<client::Handle, CliError> {
    let Some(target) = target else {
        return flux.connect();
    };
    let uri = resolve_quietly(flux, target).map_err(|why| {
        let text = format!("failed to resolve target {target} to a Flux URI\n{why}");
        CliError::new(text.trim_end()).in_lines()
    })?;
    flux.connect_to(Some(&near(flux, &uri)))
}

/// True if this is a URI that needs no resolver.
fn is_uri(target: &str) -> bool {
    target.starts_with("ssh://") || target.starts_with("local://")
}

/// The kind of a target, and the part after it. One without is a path of jobs.
fn split_scheme(target: &str) -> (&str, &str) {
    match target.split_once(':') {
        Some((scheme, rest)) if is_scheme(scheme) => (scheme, rest),
        _ => ("jobid", target),
    }
}

fn is_scheme(text: &str) -> bool {
    let mut chars = text.chars();
    let rest = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
    chars.next().is_some_and(|c| c.is_ascii_alphabetic()) && chars.all(rest)
}

/// Adds the query of a target.
fn with_query(mut request: Request, query: &str) -> Request {
    for pair in query.split('&') {
        match pair.split('=').next().unwrap_or_default() {
            "local" => request.local = true,
            "remote" => request.remote = true,
            "wait" => request.wait = true,
            "is_compute" => request.is_compute = true,
            _ => {}
        }
    }
    request
}

/// Adds the environment, where nothing else is set.
fn with_env(flux: &Flux, mut request: Request, target: &str) -> Result<Request, CliError> {
    if request.local && request.remote {
        return Err(CliError::new("Only one of 'local' or 'remote' is allowed"));
    }
    // A URI that was found before is what it is.
    let is_found = target.starts_with("ssh://") || target.starts_with("local://");
    if !request.remote && !is_found {
        request.local |= flux.env.get_os(RESOLVE_LOCAL).is_some();
    }
    Ok(request)
}

fn converted(uri: String, request: Request) -> Result<String, CliError> {
    Ok(match request {
        Request { local: true, .. } => local_uri(&uri).unwrap_or(uri),
        Request { remote: true, .. } => remote_uri(&uri, &hostname()),
        _ => uri,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_have_a_kind_and_wishes() {
        for (target, expect) in [
            ("ƒ1/ƒ2?local", ("jobid", "ƒ1/ƒ2?local")),
            ("jobid:1", ("jobid", "1")),
            ("pid:1", ("pid", "1")),
            ("foo://x", ("foo", "//x")),
            (".", ("jobid", ".")),
            ("1:2", ("jobid", "1:2")),
        ] {
            assert_eq!(split_scheme(target), expect, "{target}");
        }
        let request = with_query(Request::default(), "local&wait=1&x");
        assert_eq!(
            (request.local, request.wait, request.remote),
            (true, true, false)
        );
    }

    #[test]
    fn a_uri_is_seen_from_its_host_or_from_others() {
        let local = Request {
            local: true,
            ..Request::default()
        };
        let uri = |text: &str, request| converted(text.to_owned(), request).unwrap();
        assert_eq!(uri("ssh://h/p", local), "local:///p");
        assert_eq!(uri("ssh://h/a//b", Request::default()), "ssh://h/a//b");
    }
}

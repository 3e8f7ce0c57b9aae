//! Instances that are jobs, and those around us: a path of job ids, `.`, `..` and `/`.

use client::{Arrival, Call, Handle};
use proto::Errno;
use proto::data::job::State;
use proto::data::{Entry, JobId};
use proto::job_info::EventlogWatch;
use proto::job_list::ListId;
use serde_json::{Value, json};

use super::Request;
use super::form::{host_of, local_uri, near, remote_uri};
use command::error::CliError;
use command::flux::Flux;

/// Instances that are climbed to find the root before it must be a loop.
const ANCESTORS_MAX: u32 = 64;

/// Finds the instance at the end of a path.
pub fn find(flux: &Flux, path: &str, request: Request) -> Result<String, CliError> {
    let mut walk = Walk {
        flux,
        request,
        uri: None,
        host: None,
        handle: None,
    };
    if path.starts_with('/') {
        walk.climb_to_root()?;
    }
    for part in path.split('/').filter(|part| !part.is_empty()) {
        match part {
            "." => {}
            ".." => walk.climb()?,
            id => walk.descend(id)?,
        }
    }
    walk.end()
}

/// Position on the path.
struct Walk<'f> {
    flux: &'f Flux,
    request: Request,
    /// URI of the instance where we are; `None` for the one that the environment names.
    uri: Option<String>,
    /// The host of the last job.
    host: Option<String>,
    /// The connection to it, once one was needed.
    handle: Option<Handle>,
}

impl Walk<'_> {
    fn handle(&mut self) -> Result<&mut Handle, CliError> {
        let handle = match self.handle.take() {
            Some(handle) => handle,
            None => {
                let uri = self.uri.as_deref().map(|uri| match self.request.local {
                    true => local_uri(uri).unwrap_or_else(|| uri.to_owned()),
                    false => near(self.flux, uri),
                });
                self.flux.connect_to(uri.as_deref())?
            }
        };
        Ok(self.handle.insert(handle))
    }

    fn go_to(&mut self, uri: String) {
        self.uri = Some(uri);
        self.handle = None;
    }

    fn climb_to_root(&mut self) -> Result<(), CliError> {
        for _ in 0..ANCESTORS_MAX {
            match attr(self.handle()?, "parent-uri")? {
                Some(uri) => self.go_to(uri),
                None => break,
            }
        }
        let uri = attr(self.handle()?, "local-uri")?;
        self.uri = uri.or(self.uri.take());
        Ok(())
    }

    /// To the parent; the root is its own.
    fn climb(&mut self) -> Result<(), CliError> {
        let handle = self.handle()?;
        let parent = attr(handle, "parent-uri")?;
        let is_root = parent.is_none();
        let uri = match parent {
            None => attr(handle, "local-uri")?.unwrap_or_default(),
            Some(uri) => uri,
        };
        let uri = match &self.host {
            Some(host) => remote_uri(&uri, host),
            None => uri,
        };
        match is_root {
            true => self.uri = Some(uri),
            false => self.go_to(uri),
        }
        Ok(())
    }

    fn descend(&mut self, name: &str) -> Result<(), CliError> {
        let id: JobId = name
            .parse()
            .map_err(|_| CliError::new(format!("{name} is not a valid Flux jobid")))?;
        let wait = self.request.wait;
        let handle = self.handle()?;
        let waited = match wait {
            true => wait_for_uri(handle, id, name)?,
            false => None,
        };
        let uri = match waited {
            Some(uri) => uri,
            None => uri_of(handle, id, name)?,
        };
        self.host = host_of(&uri).map(str::to_owned);
        self.go_to(uri);
        Ok(())
    }

    fn end(mut self) -> Result<String, CliError> {
        if let Some(uri) = self.uri {
            return Ok(uri);
        }
        let uri = attr(self.handle()?, "local-uri")?;
        uri.ok_or_else(|| CliError::new("this instance has no local-uri"))
    }
}

fn attr(handle: &mut Handle, name: &str) -> Result<Option<String>, CliError> {
    match handle.attr(name) {
        Ok(value) => Ok(Some(value)),
        Err(refusal) if refusal.errno == Errno::ENOENT => Ok(None),
        Err(refusal) => Err(CliError::from(refusal).about(name)),
    }
}

fn not_found(name: &str) -> CliError {
    CliError::new(format!("jobid {name} not found"))
}

/// URI that a running job has published.
fn uri_of(handle: &mut Handle, id: JobId, name: &str) -> Result<String, CliError> {
    let request = ListId {
        id: Some(json!(id)),
        attrs: Some(json!(["state", "annotations"])),
        state: None,
    };
    let job = match handle.rpc(&request) {
        Ok(listed) => json!(listed.job),
        Err(refusal) if refusal.errno == Errno::ENOENT => return Err(not_found(name)),
        Err(refusal) => return Err(refusal.into()),
    };
    if job["state"].as_u64() != Some(u64::from(State::Run.bit())) {
        return Err(CliError::new(format!("jobid {name} is not running")));
    }
    let uri = job.pointer("/annotations/user/uri").and_then(Value::as_str);
    let none = || CliError::new(format!("URI not found for job {name}"));
    uri.map(str::to_owned).ok_or_else(none)
}

/// Follows the job until its URI is known; `None` if it ends without one.
fn wait_for_uri(handle: &mut Handle, id: JobId, name: &str) -> Result<Option<String>, CliError> {
    let request = EventlogWatch {
        id,
        path: "eventlog".to_owned(),
        flags: 0,
    };
    let log = handle.start_stream(Call::new(&request).repeating());
    loop {
        let Arrival::Answer(_, answer) = handle.next(&[], None)? else {
            continue;
        };
        let line = match log.decode(answer) {
            Ok(watched) => watched.event,
            Err(refusal) if refusal.is_end() => return Ok(None),
            Err(refusal) if refusal.errno == Errno::ENOENT => return Err(not_found(name)),
            Err(refusal) => return Err(refusal.into()),
        };
        let Some(Ok(entry)) = line.map(|line| Entry::decode(&line)) else {
            continue;
        };
        let memo = entry
            .context()
            .and_then(|context| context.get("uri")?.as_str());
        match (entry.name(), memo) {
            ("memo", Some(uri)) => {
                let uri = uri.to_owned();
                handle.cancel(log.id(), proto::job_info::EVENTLOG_WATCH_CANCEL);
                handle.forget(log.id());
                return Ok(Some(uri));
            }
            ("finish", _) => return Ok(None),
            _ => {}
        }
    }
}

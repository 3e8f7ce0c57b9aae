//! State of an array: the request of its job, its log, and while it runs the progress of its
//! leading shell.

use std::collections::BTreeMap;

use client::Handle;
use proto::Errno;
use proto::data::array::{ArraySpec, History, KEY};
use proto::data::eventlog::split_log;
use proto::data::{Hostlist, IdSet, JobId, Jobspec, Rset};
use proto::job_info::{CURRENT, JSON_DECODE, Lookup};
use proto::job_shell::{ArrayProgress, ArrayState};
use serde_json::{Map, Value};

use crate::commands::job::events::decode;
use command::error::CliError;

/// The elements of an array.
pub struct Elements {
    pub id: JobId,
    pub spec: ArraySpec,
    pub history: History,
    /// Elements that shells have, by the shell's rank in the job.
    pub running: BTreeMap<u32, IdSet>,
    /// True if the job has ended: elements that have not begun never will.
    pub is_over: bool,
    hosts: Hostlist,
}

/// The shell that keeps the book.
pub struct Shell {
    pub service: String,
    pub rank: u32,
}

impl Elements {
    /// Looks everything up.
    pub fn find(handle: &mut Handle, id: JobId) -> Result<Elements, CliError> {
        let no_job = || CliError::new(format!("{id}: no such job"));
        let jobspec = lookup(handle, id, "jobspec", JSON_DECODE | CURRENT)?;
        let jobspec = jobspec.ok_or_else(no_job)?;
        let spec = match jobspec {
            Value::Object(jobspec) => spec_of(&Jobspec::from_object(jobspec)),
            _ => None,
        };
        let spec = spec.ok_or_else(|| CliError::new(format!("{id}: the job is not an array")))?;
        let r = lookup(handle, id, "R", JSON_DECODE | CURRENT)?;
        let r: Option<Rset> = r.and_then(|r| serde_json::from_value(r).ok());
        // Elements in the shells are requested first: those that end meanwhile are in the
        // log.
        let progress = progress(handle, id)?;
        let log = lookup(handle, id, &format!("guest.{KEY}"), 0)?;
        let log = log.as_ref().and_then(Value::as_str).unwrap_or_default();
        let history = History::read(log);
        let is_over = progress.is_none() && is_over(handle, id)?;
        let out = progress.unwrap_or_default().out.into_iter();
        let running = out.filter_map(|(shell, set)| Some((shell, set.parse().ok()?)));
        Ok(Elements {
            id,
            spec,
            history,
            running: running.collect(),
            is_over,
            hosts: r.map(|r| r.nodelist()).unwrap_or_default(),
        })
    }

    /// The host of a shell.
    pub fn host(&self, shell: u32) -> &str {
        let shell = usize::try_from(shell).ok();
        shell.and_then(|shell| self.hosts.get(shell)).unwrap_or("-")
    }
}

/// True if a job's log records its end.
fn is_over(handle: &mut Handle, id: JobId) -> Result<bool, CliError> {
    let log = lookup(handle, id, "eventlog", 0)?;
    let log = log.as_ref().and_then(Value::as_str).unwrap_or_default();
    let lines = split_log(log.as_bytes()).map_err(|error| CliError::new(error.to_string()))?;
    for line in lines {
        if matches!(decode(line)?.name(), "finish" | "clean") {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The array that a job is.
fn spec_of(jobspec: &Jobspec) -> Option<ArraySpec> {
    let options = jobspec.system("shell.options").and_then(Value::as_object);
    ArraySpec::read(options.unwrap_or(&Map::new())).ok()?
}

/// Progress reported by the leading shell, if there is one.
fn progress(handle: &mut Handle, id: JobId) -> Result<Option<ArrayProgress>, CliError> {
    let Some(shell) = Shell::find(handle, id)? else {
        return Ok(None);
    };
    match handle.call(shell.call(&ArrayState {}, "array-state")) {
        Ok(progress) => Ok(Some(progress)),
        Err(error)
            if matches!(
                error.errno,
                Errno::ENOSYS | Errno::EHOSTUNREACH | Errno::ENOENT
            ) =>
        {
            Ok(None)
        }
        Err(error) => Err(CliError::from(error).about(id)),
    }
}

impl Shell {
    /// The leading shell of a job, if there was one.
    pub fn find(handle: &mut Handle, id: JobId) -> Result<Option<Shell>, CliError> {
        let log = lookup(handle, id, "guest.exec.eventlog", 0)?;
        let log = log.as_ref().and_then(Value::as_str).unwrap_or_default();
        let lines = split_log(log.as_bytes()).map_err(|error| CliError::new(error.to_string()))?;
        for line in lines {
            let entry = decode(line)?;
            let rank = entry.get_i64("leader-rank").map(u32::try_from);
            if let ("shell.init", Some(service), Some(Ok(rank))) =
                (entry.name(), entry.get_str("service"), rank)
            {
                let service = service.to_owned();
                return Ok(Some(Shell { service, rank }));
            }
        }
        Ok(None)
    }
}

/// A key of a job, if it is there.
fn lookup(
    handle: &mut Handle,
    id: JobId,
    key: &str,
    flags: u32,
) -> Result<Option<Value>, CliError> {
    let request = Lookup {
        id,
        keys: vec![key.to_owned()],
        flags,
    };
    match handle.rpc(&request) {
        Ok(mut reply) => Ok(reply.values.shift_remove(key)),
        Err(error) if error.errno == Errno::ENOENT => Ok(None),
        Err(error) => Err(CliError::from(error).about(id)),
    }
}

//! Asks all who may know something of a job: its logs, and the services on its way.

use client::{Call, Cursor, Handle};
use proto::Errno;
use proto::common::{JobTrace, JobTraced};
use proto::data::eventlog::decode_log;
use proto::data::{Entry, IdSet, JobId, Rset};
use proto::job_info::{EventlogWatch, Lookup};
use serde_json::Value;

use super::row::{Row, Source, rows};
use crate::commands::job::events::decode;
use crate::limits::TRACED_RANKS_MAX;
use command::error::CliError;

/// The way of a job, as far as it is known.
pub struct Gathered {
    pub rows: Vec<Row>,
    /// When it was submitted, in seconds since the epoch.
    pub submitted: f64,
    pub is_over: bool,
    /// Reasons why something is not known.
    pub notes: Vec<String>,
}

/// Asks, after the end of the job if it is followed.
pub fn gather(
    handle: &mut Handle,
    id: JobId,
    name: &str,
    follow: bool,
) -> Result<Gathered, CliError> {
    if follow {
        wait_for_end(handle, id, name)?;
    }
    let events = log(handle, id, "eventlog")?;
    let events = events.ok_or_else(|| not_found(name))?;
    let mut notes = Vec::new();
    let ranks = match text(handle, id, "R")? {
        Some(r) => Rset::decode(&r).map(|r| r.ranks()).unwrap_or_default(),
        None => IdSet::new(),
    };
    let mut sources = steps(handle, id, &ranks, &mut notes)?;
    let exec = log(handle, id, "guest.exec.eventlog")?.unwrap_or_default();
    let is_over = events.last().is_some_and(|last| last.name() == "clean");
    let submitted = events.first().map_or(0.0, Entry::timestamp);
    sources.push(Source::Log(events));
    sources.push(Source::ExecLog(exec));
    Ok(Gathered {
        rows: rows(sources, submitted),
        submitted,
        is_over,
        notes,
    })
}

/// Follows the log of a job to its end.
fn wait_for_end(handle: &mut Handle, id: JobId, name: &str) -> Result<(), CliError> {
    let request = EventlogWatch {
        id,
        path: "eventlog".to_owned(),
        flags: 0,
    };
    let mut cursor = Cursor::default();
    let mut log = handle.stream(Call::new(&request).repeating());
    while let Some(watched) = log.next() {
        let watched = watched.map_err(|refusal| match refusal.errno {
            Errno::ENOENT => not_found(name),
            _ => CliError::from(refusal).about(name),
        })?;
        if let Some(line) = watched.event
            && cursor.is_new(log.repeats())
            && decode(&line)?.name() == "clean"
        {
            break;
        }
    }
    Ok(())
}

fn not_found(name: &str) -> CliError {
    CliError::new(format!("job {name} not found"))
}

/// A log of a job, if it is there.
fn log(handle: &mut Handle, id: JobId, key: &str) -> Result<Option<Vec<Entry>>, CliError> {
    let text = text(handle, id, key)?;
    let entries = text.map(|text| decode_log(text.as_bytes())).transpose();
    entries.map_err(|error| CliError::new(error.to_string()).about(key))
}

/// The text under a key of a job, if it is there.
fn text(handle: &mut Handle, id: JobId, key: &str) -> Result<Option<String>, CliError> {
    let lookup = Lookup {
        id,
        keys: vec![key.to_owned()],
        flags: 0,
    };
    match handle.rpc(&lookup) {
        Ok(reply) => Ok(reply
            .values
            .get(key)
            .and_then(Value::as_str)
            .map(str::to_owned)),
        Err(refusal) if refusal.errno == Errno::ENOENT => Ok(None),
        Err(refusal) => Err(refusal.into()),
    }
}

/// Steps that services have noted, all asked at once. One that does not answer knows nothing.
fn steps(
    handle: &mut Handle,
    id: JobId,
    ranks: &IdSet,
    notes: &mut Vec<String>,
) -> Result<Vec<Source>, CliError> {
    let size = handle.size()?;
    let head = IdSet::from_range(0, 0);
    let (shells, more) = first(&ranks.union(&head), TRACED_RANKS_MAX);
    let ingest = IdSet::from_range(id.generator(), id.generator());
    let asked = [
        ("job-ingest", &ingest),
        ("job-manager", &head),
        ("sched", &head),
        ("job-exec", &shells),
    ];
    let asked = asked.iter().flat_map(|(service, ranks)| {
        let ranks = ranks.iter().filter(|rank| *rank < size);
        ranks.map(|rank| (*service, rank))
    });
    let pending: Vec<_> = asked
        .map(|(service, rank)| {
            let call = Call::new(&JobTrace { id }).topic(&format!("{service}.job-trace"));
            (service, rank, handle.start(call.to(rank)))
        })
        .collect();
    let mut sources = Vec::new();
    let mut is_refused = false;
    for (service, rank, pending) in pending {
        match handle.wait(pending) {
            Ok(JobTraced { steps, .. }) => sources.push(Source::Steps(service, rank, steps)),
            Err(refusal) if refusal.errno == Errno::EPERM => is_refused = true,
            Err(refusal) => notes.push(format!("{service} of rank {rank}: {refusal}")),
        }
    }
    if is_refused {
        notes.push("only the owner of the instance sees the steps that services note".to_owned());
    } else if sources.iter().all(Source::is_empty) {
        notes.push("services have forgotten this job: only its logs are left".to_owned());
    }
    if more > 0 {
        notes.push(format!("{more} ranks of the job were not asked"));
    }
    Ok(sources)
}

/// The lowest `n` of a set, and how many there are besides.
fn first(ranks: &IdSet, n: usize) -> (IdSet, usize) {
    let mut some = IdSet::new();
    for rank in ranks.iter().take(n) {
        some.insert(rank);
    }
    (some, ranks.iter().skip(n).count())
}

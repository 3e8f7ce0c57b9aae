//! `flux exec --jobid`: commands beside the tasks of a job, by the subprocess servers of its
//! shells (protocol/23 section 13).

use client::{Arrival, Call, Handle};
use proto::Errno;
use proto::data::eventlog::split_log;
use proto::data::{Entry, IdSet, JobId, Rset};
use proto::job_info::{EventlogWatch, Lookup, WAITCREATE};

use command::error::CliError;

/// Where the shells of a job are, and the name that they serve under.
#[derive(Debug)]
pub(super) struct Shells {
    pub ranks: IdSet,
    pub service: String,
}

impl Shells {
    /// Shells of a running job, as soon as they can be asked.
    pub fn of(handle: &mut Handle, job: &str) -> Result<Shells, CliError> {
        let unknown = || CliError::new(format!("error parsing jobid: \"{job}\""));
        let id: JobId = job.parse().map_err(|_| unknown())?;
        let ranks = ranks(handle, id)?;
        let service = service(handle, id)?;
        Ok(Shells { ranks, service })
    }

    /// The ranks of the instance that stand at these places among those of the job.
    pub fn at(&self, places: &IdSet) -> IdSet {
        let ranks = places
            .iter()
            .filter_map(|place| self.ranks.nth(place.into()));
        ranks.collect()
    }
}

fn not_running(id: JobId) -> CliError {
    CliError::new(format!("{id}: job is not running"))
}

fn ranks(handle: &mut Handle, id: JobId) -> Result<IdSet, CliError> {
    let keys = ["eventlog", "R"].map(str::to_owned).to_vec();
    let found = handle.rpc(&Lookup { id, keys, flags: 0 });
    let found = found.map_err(|refusal| match refusal.errno {
        Errno::ENOENT => not_running(id),
        _ => CliError::from(refusal).about(id),
    })?;
    let text = |key: &str| found.values.get(key).and_then(|value| value.as_str());
    let log = entries(text("eventlog").unwrap_or_default())?;
    if log.iter().any(|entry| entry.name() == "finish") {
        return Err(not_running(id));
    }
    let r = Rset::decode(text("R").unwrap_or_default());
    let r = r.map_err(|error| CliError::new(format!("R of {id}: {error}")))?;
    Ok(r.ranks())
}

fn entries(log: &str) -> Result<Vec<Entry>, CliError> {
    let lines = split_log(log.as_bytes()).map_err(|error| CliError::new(error.to_string()))?;
    lines.into_iter().map(entry).collect()
}

fn entry(line: &str) -> Result<Entry, CliError> {
    Entry::decode(line).map_err(|error| CliError::new(error.to_string()))
}

/// The name that the first shell has logged, once it has.
fn service(handle: &mut Handle, id: JobId) -> Result<String, CliError> {
    let request = EventlogWatch {
        id,
        path: "guest.exec.eventlog".to_owned(),
        flags: WAITCREATE,
    };
    // Entries repeated after a restart of the service are the same.
    let pending = handle.start_stream(Call::new(&request).repeating());
    loop {
        let Arrival::Answer(_, answer) = handle.next(&[], None)? else {
            continue;
        };
        let line = match pending.decode(answer) {
            Ok(watched) => watched.event,
            Err(refusal) if refusal.is_end() || refusal.errno == Errno::ENOENT => {
                return Err(not_running(id));
            }
            Err(refusal) => return Err(CliError::from(refusal).about(id)),
        };
        let entry = line.map(|line| entry(&line)).transpose()?;
        let init = entry.filter(|entry| entry.name() == "shell.init");
        if let Some(name) = init.as_ref().and_then(|entry| entry.get_str("service")) {
            handle.forget(pending.id());
            return Ok(format!("{name}.rexec"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(ranks: &str, places: &str, want: &str) {
        let set = |text: &str| text.parse::<IdSet>().expect("an idset");
        let shells = Shells {
            ranks: set(ranks),
            service: String::new(),
        };
        assert_eq!(shells.at(&set(places)).to_string(), want);
    }

    #[test]
    fn places_count_from_the_first_rank_of_the_job() {
        check("0-3", "0-3", "0-3");
        check("2,5,7", "0,2", "2,7");
        check("2,5,7", "1", "5");
    }
}

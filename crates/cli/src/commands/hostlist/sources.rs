//! Sources of lists of hosts.

use client::{Call, Handle};
use command::error::CliError;
use command::flux::Flux;
use proto::data::{Hostlist, JobId};
use proto::job_list::ListId;
use proto::{Errno, resource};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use serde_json::json;

/// Seconds that standard input is waited for, unless FLUX_HOSTLIST_STDIN_TIMEOUT is longer.
const STDIN_TIMEOUT_S: f64 = 15.0;

/// Reads lists, and connects when the first is asked of an instance.
pub struct Sources<'f> {
    flux: &'f mut Flux,
    handle: Option<Handle>,
    falls_back: bool,
}

impl<'f> Sources<'f> {
    /// `falls_back` allows a text that could be a job id to be a host name.
    pub fn new(flux: &'f mut Flux, falls_back: bool) -> Sources<'f> {
        Sources {
            flux,
            handle: None,
            falls_back,
        }
    }

    /// The lists of these sources, in order.
    pub fn read(&mut self, sources: &[String]) -> Result<Vec<Hostlist>, CliError> {
        sources.iter().map(|source| self.one(source)).collect()
    }

    fn one(&mut self, source: &str) -> Result<Hostlist, CliError> {
        match source {
            "instance" => self.instance(),
            "local" => match self.flux.env.get("FLUX_JOB_ID").map(str::to_owned) {
                Some(id) => self.job(&id),
                None => self.instance(),
            },
            "avail" | "available" => self.available(),
            "stdin" | "-" => self.input(),
            other if other.parse::<JobId>().is_ok() => self.job(other),
            other => parse(other),
        }
    }

    fn handle(&mut self) -> Result<&mut Handle, CliError> {
        let handle = match self.handle.take() {
            Some(handle) => handle,
            None => self.flux.connect()?,
        };
        Ok(self.handle.insert(handle))
    }

    fn instance(&mut self) -> Result<Hostlist, CliError> {
        parse(&self.handle()?.attr("hostlist")?)
    }

    /// The instance's hosts but for those of ranks that are away or drained.
    fn available(&mut self) -> Result<Hostlist, CliError> {
        let hosts = self.instance()?;
        let status = self.handle()?.call(Call::new(&resource::Status).to(0))?;
        let mut away = status.offline;
        for ranks in status.drain.keys() {
            away.add(&ranks.parse().unwrap_or_default());
        }
        let mut rank = 0;
        let mut available = hosts;
        available.retain(|_| {
            rank += 1;
            !away.contains(rank - 1)
        });
        Ok(available)
    }

    fn job(&mut self, text: &str) -> Result<Hostlist, CliError> {
        let id: JobId = text.parse().map_err(|_| invalid(text))?;
        let listed = self.handle()?.rpc(&ListId {
            id: Some(json!(id)),
            attrs: Some(json!(["nodelist"])),
            state: None,
        });
        match listed {
            Ok(listed) => parse(
                listed
                    .job
                    .0
                    .get("nodelist")
                    .and_then(|n| n.as_str())
                    .unwrap_or(""),
            ),
            Err(refusal) if refusal.errno == Errno::ENOENT && self.falls_back => parse(text),
            Err(refusal) if refusal.errno == Errno::ENOENT => {
                Err(CliError::new(format!("job {text} not found")))
            }
            Err(refusal) => Err(refusal.into()),
        }
    }

    /// Lists between blanks and newlines.
    fn input(&mut self) -> Result<Hostlist, CliError> {
        self.await_input()?;
        let input = self.flux.read_input()?;
        let mut hosts = Hostlist::new();
        for word in String::from_utf8_lossy(&input).split_whitespace() {
            hosts.extend(&parse(word)?).map_err(super::bad)?;
        }
        Ok(hosts)
    }

    /// Waits until there is input: without any, the user has most likely forgotten it.
    fn await_input(&mut self) -> Result<(), CliError> {
        let given = self.flux.env.get("FLUX_HOSTLIST_STDIN_TIMEOUT");
        let seconds = match given.map(|text| text.parse::<f64>()) {
            None => STDIN_TIMEOUT_S,
            Some(Ok(seconds)) if seconds >= 0.0 => seconds,
            Some(_) => {
                return Err(CliError::new(
                    "FLUX_HOSTLIST_STDIN_TIMEOUT: not a number of seconds",
                ));
            }
        };
        let Some(descriptor) = self.flux.input.descriptor() else {
            return Ok(());
        };
        let timeout = Timespec {
            tv_sec: seconds as i64,
            tv_nsec: (seconds.fract() * 1e9) as i64,
        };
        let mut watched = [PollFd::new(&descriptor, PollFlags::IN)];
        match poll(&mut watched, Some(&timeout)) {
            Ok(0) => Err(CliError::new(format!(
                "timeout after {seconds:?}s waiting for stdin"
            ))),
            _ => Ok(()),
        }
    }
}

fn parse(text: &str) -> Result<Hostlist, CliError> {
    text.parse().map_err(|_| invalid(text))
}

fn invalid(text: &str) -> CliError {
    CliError::new(format!("Invalid jobid or hostlist {text}"))
}

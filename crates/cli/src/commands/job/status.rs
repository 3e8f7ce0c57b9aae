//! `flux job status`

use client::{Call, Handle, Pending, Refusal};
use proto::Errno;
use proto::data::job::{Exception, JobOutcome, JobResult, WaitStatus};
use proto::data::{Entry, JobId};
use proto::job_info::EventlogWatch;
use proto::job_manager::JobEvent;
use serde_json::{Map, Value, json};

use super::events::decode;
use super::parse_id;
use attach::limits::FOLLOWED_JOBS_MAX;
use command::error::CliError;
use command::flux::Flux;

/// Wait for jobs to end, and exit with the largest of their exit codes
#[derive(clap::Args)]
pub struct Status {
    /// Print how each job ended
    #[arg(short, long, action = clap::ArgAction::Count)]
    verbose: u8,
    /// Print how each job ended, as JSON
    #[arg(short, long)]
    json: bool,
    /// Count jobs ended by an exception as exit code N
    #[arg(short, long, value_name = "N", default_value_t = 1)]
    exception_exit_code: u8,
    /// Job ids
    #[arg(required = true, value_name = "ID")]
    ids: Vec<String>,
}

impl Status {
    pub fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let ids = self.ids.iter().map(|text| parse_id(text));
        let ids: Vec<JobId> = ids.collect::<Result<_, _>>()?;
        let mut handle = flux.connect()?;
        let mut worst = 0;
        let names = self.ids.chunks(FOLLOWED_JOBS_MAX);
        for (ids, names) in ids.chunks(FOLLOWED_JOBS_MAX).zip(names) {
            let watch = |id: &JobId| {
                let request = EventlogWatch {
                    id: *id,
                    path: "eventlog".to_owned(),
                    flags: 0,
                };
                // Entries repeated after a restart of the service are the same.
                handle.start_stream(Call::new(&request).repeating())
            };
            let pending: Vec<_> = ids.iter().map(watch).collect();
            for ((id, name), pending) in ids.iter().zip(names).zip(pending) {
                let end = End::wait(&mut handle, pending).map_err(|error| error.said_of(name))?;
                worst = worst.max(self.print(flux, *id, &end)?);
            }
        }
        match worst {
            0 => Ok(()),
            code => Err(CliError::exit(code)),
        }
    }

    /// Prints the requested text and returns the exit code.
    fn print(&self, flux: &mut Flux, id: JobId, end: &End) -> Result<u8, CliError> {
        if self.json {
            writeln!(flux.out, "{}", end.object(id))?;
        }
        let (code, text) = match (end.status, &end.worst) {
            (Some(status), _) if !status.is_success() => {
                let code = u8::try_from(status.shell_code()).unwrap_or(u8::MAX);
                let text = match (status.signal(), status.exit_code()) {
                    (Some(signal), _) => format!("job shell died by signal {signal}"),
                    (None, exit) => format!("exited with exit code {}", exit.unwrap_or(1)),
                };
                (code, text)
            }
            (_, Some(exception)) if exception.severity.is_fatal() => {
                let text = format!("exception type={}", exception.kind);
                (self.exception_exit_code, text)
            }
            (Some(_), _) => (0, "exited with exit code 0".to_owned()),
            (None, _) => (
                self.exception_exit_code,
                "ended without a status".to_owned(),
            ),
        };
        if self.verbose > 1 || (self.verbose > 0 && code > 0) {
            flux.note(format_args!("flux-job: {id}: {text}"))?;
        }
        Ok(code)
    }
}

/// Reasons for which the end of a job is unknown.
enum Failed {
    Refused(Refusal),
    Other(CliError),
}

impl Failed {
    fn said_of(self, name: &str) -> CliError {
        match self {
            Failed::Refused(refusal) if refusal.errno == Errno::ENOENT => {
                CliError::new(format!("{name}: No such job"))
            }
            Failed::Refused(refusal) => CliError::from(refusal).about(name),
            Failed::Other(error) => error.about(name),
        }
    }
}

/// End of a job, from its log.
#[derive(Default)]
struct End {
    t_submit: Option<f64>,
    t_run: Option<f64>,
    t_cleanup: Option<f64>,
    status: Option<WaitStatus>,
    worst: Option<Exception>,
}

impl End {
    /// Reads the log to its end.
    fn wait(handle: &mut Handle, pending: Pending<EventlogWatch>) -> Result<End, Failed> {
        let mut end = End::default();
        loop {
            match handle.wait(pending) {
                Ok(watched) => {
                    let entry = watched.event.map(|line| decode(&line)).transpose();
                    if let Some(entry) = entry.map_err(Failed::Other)? {
                        end.take(&entry);
                    }
                }
                Err(refusal) if refusal.is_end() => return Ok(end),
                Err(refusal) => return Err(Failed::Refused(refusal)),
            }
        }
    }

    fn take(&mut self, entry: &Entry) {
        let time = Some(entry.timestamp());
        match JobEvent::of(entry) {
            Ok(JobEvent::Submit { .. }) => self.t_submit = time,
            Ok(JobEvent::Alloc { .. }) => self.t_run = time,
            Ok(JobEvent::Finish(status)) => {
                self.status = Some(status);
                self.t_cleanup = self.t_cleanup.or(time);
            }
            Ok(JobEvent::Exception(exception)) => {
                if exception.severity.is_fatal() {
                    self.t_cleanup = self.t_cleanup.or(time);
                }
                let known = self.worst.iter().chain([&exception]);
                self.worst = Exception::worst(known).cloned();
            }
            // Entries that do not concern the end, or of a later version.
            Ok(_) | Err(_) => {}
        }
    }

    fn result(&self) -> JobResult {
        let fatal = self.worst.as_ref();
        let fatal = fatal.filter(|exception| exception.severity.is_fatal());
        JobResult::of(JobOutcome {
            ran: self.t_run.is_some(),
            status: self.status,
            fatal_exception: fatal.map(|exception| exception.kind.as_str()),
        })
    }

    fn object(&self, id: JobId) -> Value {
        let mut object = Map::new();
        let mut put = |key: &str, value: Value| object.insert(key.to_owned(), value);
        put("id", json!(id));
        put("result", json!(self.result()));
        put("t_submit", json!(self.t_submit.unwrap_or(0.0)));
        put("t_run", json!(self.t_run.unwrap_or(0.0)));
        put("t_cleanup", json!(self.t_cleanup.unwrap_or(0.0)));
        if let Some(status) = self.status {
            put("waitstatus", json!(status));
        }
        put("exception_occurred", json!(self.worst.is_some()));
        if let Some(exception) = &self.worst {
            put("exception_type", json!(exception.kind));
            put("exception_severity", json!(exception.severity));
            put("exception_note", json!(exception.note));
        }
        Value::Object(object)
    }
}

//! `flux cron interval` and `flux cron event`, and the parts common to all commands that
//! create entries.

use std::collections::BTreeMap;

use client::Call;
use command::error::CliError;
use command::flux::Flux;
use proto::Object;
use proto::cron::{Create, Entry};
use serde_json::{Value, json};

use super::when::seconds;

/// Options of all that make entries.
#[derive(clap::Args)]
pub(super) struct Common {
    /// Set other options: rank, timeout, task-history-count, stop-on-failure
    #[arg(short, long, value_name = "KEY=VAL,...", value_delimiter = ',')]
    options: Vec<String>,
    /// Give the command this environment instead of that of the broker
    #[arg(short = 'E', long)]
    preserve_env: bool,
    /// Run the command in this directory
    #[arg(short = 'd', long, value_name = "DIR")]
    working_dir: Option<String>,
}

/// Name of an entry, and the number of its runs.
#[derive(clap::Args)]
pub(super) struct Named {
    /// Name the entry in logs and listings
    #[arg(short = 'N', long, value_name = "NAME")]
    name: Option<String>,
    /// Stop after N runs
    #[arg(short, long, value_name = "N")]
    count: Option<u64>,
}

/// Run a command at an interval
#[derive(clap::Args)]
pub(super) struct Interval {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    named: Named,
    /// Wait TIME before the first run
    #[arg(short, long, value_name = "TIME")]
    after: Option<String>,
    /// Interval between two runs
    #[arg(value_name = "INTERVAL")]
    interval: Option<String>,
    /// Shell command to run
    #[arg(
        value_name = "COMMAND",
        trailing_var_arg = true,
        allow_hyphen_values = true
    )]
    command: Vec<String>,
}

/// Run a command after events
#[derive(clap::Args)]
pub(super) struct Event {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    named: Named,
    /// Run only after every Nth event
    #[arg(short, long, value_name = "N")]
    nth: Option<u64>,
    /// Wait for N events before the first run
    #[arg(short, long, value_name = "N")]
    after: Option<u64>,
    /// Run at most once per TIME
    #[arg(short = 'i', long, value_name = "TIME")]
    min_interval: Option<String>,
    /// Topic of the event, or a glob for topics
    #[arg(value_name = "TOPIC")]
    topic: Option<String>,
    /// Shell command to run
    #[arg(
        value_name = "COMMAND",
        trailing_var_arg = true,
        allow_hyphen_values = true
    )]
    command: Vec<String>,
}

impl Common {
    /// A request for an entry.
    pub(super) fn request(
        &self,
        flux: &Flux,
        kind: &str,
        command: &str,
        args: Value,
    ) -> Result<Create, CliError> {
        let mut request = Create {
            kind: Some(kind.to_owned()),
            name: Some(default_name(command)),
            command: Some(command.to_owned()),
            args: Some(Object(args.as_object().cloned().unwrap_or_default())),
            environ: BTreeMap::new(),
            cwd: self.working_dir.clone(),
            ..Create::default()
        };
        if self.preserve_env {
            let pairs = flux.env.iter().filter_map(|(name, value)| {
                Some((name.to_str()?.to_owned(), value.to_str()?.to_owned()))
            });
            request.environ = pairs.collect();
        }
        for option in &self.options {
            set_option(&mut request, option)?;
        }
        Ok(request)
    }

    /// Sends a request, and prints the result.
    pub(super) fn create(flux: &mut Flux, request: &Create) -> Result<Entry, CliError> {
        Ok(flux.connect()?.call(Call::new(request).to(0))?)
    }
}

/// Sets one of the options that all entries have.
fn set_option(request: &mut Create, option: &str) -> Result<(), CliError> {
    let (key, value) = option.split_once('=').unwrap_or((option, "1"));
    let bad = || CliError::new(format!("Invalid value '{value}' of option '{key}'"));
    match key {
        "rank" => request.rank = Some(value.parse().map_err(|_| bad())?),
        "repeat" => request.repeat = Some(value.parse().map_err(|_| bad())?),
        "timeout" => request.timeout = Some(value.parse().map_err(|_| bad())?),
        "task-history-count" => {
            request.task_history_count = Some(value.parse().map_err(|_| bad())?);
        }
        "stop-on-failure" => request.stop_on_failure = Some(value.parse().map_err(|_| bad())?),
        _ => return Err(CliError::new(format!("Unknown option '{key}'"))),
    }
    Ok(())
}

/// Default name of an entry: the program, without its directory.
fn default_name(command: &str) -> String {
    let program = command.split_whitespace().next().unwrap_or_default();
    let program = program.rsplit('/').next().unwrap_or_default();
    program.to_owned()
}

impl Named {
    fn apply(self, request: &mut Create) {
        request.name = self.name.or(request.name.take());
        request.repeat = self.count.or(request.repeat);
    }
}

impl Interval {
    pub(super) fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let Some(interval) = self.interval.filter(|_| !self.command.is_empty()) else {
            return Err(CliError::new("INTERVAL and COMMAND required"));
        };
        let mut args = json!({ "interval": seconds(&interval)? });
        if let Some(after) = self.after {
            args["after"] = seconds(&after)?.into();
        }
        let command = self.command.join(" ");
        let mut request = self.common.request(flux, "interval", &command, args)?;
        self.named.apply(&mut request);
        let made = Common::create(flux, &request)?;
        Ok(flux.note(format_args!("interval: cron-{} created", made.id))?)
    }
}

impl Event {
    pub(super) fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let Some(topic) = self.topic.filter(|_| !self.command.is_empty()) else {
            return Err(CliError::new("TOPIC and COMMAND required"));
        };
        let min_interval = self.min_interval.as_deref().map_or(Ok(0.0), seconds)?;
        let args = json!({
            "topic": topic,
            "nth": self.nth.unwrap_or(0),
            "after": self.after.unwrap_or(0),
            "min_interval": min_interval,
        });
        let command = self.command.join(" ");
        let mut request = self.common.request(flux, "event", &command, args)?;
        self.named.apply(&mut request);
        let made = Common::create(flux, &request)?;
        Ok(flux.note(format_args!("event: cron-{} created", made.id))?)
    }
}

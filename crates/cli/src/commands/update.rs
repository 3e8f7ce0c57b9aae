//! `flux update`: gives jobs new values, such as another time limit or queue.

use client::Handle;
use proto::data::{Fsd, JobId, dotted};
use proto::job_manager::{GetAttr, Update as Request};
use proto::{Errno, Object};
use serde_json::{Map, Value};

use crate::commands::jobs::job_ids;
use command::entry::{Group, Run, Style};
use command::error::CliError;
use command::flux::Flux;
use submission::values::json_or_text;

const DURATION: &str = "attributes.system.duration";

/// Change attributes of a pending or running job
#[derive(clap::Parser)]
#[command(after_help = "Examples:
  flux update ƒABC duration=1h
  flux update ƒABC duration=+30m
  flux update ƒABC queue=debug")]
pub struct Update {
    /// Print the request without sending it
    #[arg(short = 'n', long)]
    dry_run: bool,
    /// Print the changes
    #[arg(short, long)]
    verbose: bool,
    /// Wait until the change is in the log of the job
    #[arg(long)]
    wait: bool,
    /// Job id
    #[arg(value_name = "JOBID")]
    id: String,
    /// New values: JSON or text; a duration may be changed by +FSD or -FSD
    #[arg(required = true, value_name = "KEY=VALUE")]
    updates: Vec<String>,
}

impl Run for Update {
    const NAME: &'static str = "update";
    const GROUP: Group = Group::Jobs;
    const STYLE: Style = Style::Tagged;

    fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let ids = job_ids(std::slice::from_ref(&self.id))?;
        let Some(id) = ids.first().copied() else {
            return Ok(());
        };
        let mut handle = None;
        let mut updates = Map::new();
        for update in &self.updates {
            let Some((name, text)) = update.split_once('=') else {
                return Err(CliError::new(format!("{update}: expected KEY=VALUE")));
            };
            let key = key(name);
            let value = match key.as_str() {
                DURATION => match Change::parse(text)? {
                    Change::To(seconds) => seconds,
                    change => {
                        let handle = match &mut handle {
                            Some(handle) => handle,
                            none => none.insert(flux.connect()?),
                        };
                        change.apply(id, text, current(handle, id)?)?
                    }
                }
                .into(),
                _ => json_or_text(text),
            };
            updates.insert(key, value);
        }
        if self.dry_run {
            let text = submission::spaced(&Value::Object(updates));
            writeln!(flux.out, "{text}")?;
            return Ok(());
        }
        let mut handle = match handle {
            Some(handle) => handle,
            None => flux.connect()?,
        };
        // It is answered when it is in the log: with --wait there is nothing more to do.
        let request = Request {
            id,
            updates: Object(updates),
        };
        handle.rpc(&request)?;
        if self.verbose {
            for (key, value) in &request.updates.0 {
                let text = match value {
                    Value::String(text) => text.clone(),
                    value => value.to_string(),
                };
                flux.info(format_args!("updated {key} to {text}"))?;
            }
        }
        Ok(())
    }
}

/// The whole key of a short one.
fn key(name: &str) -> String {
    let is_whole = ["attributes.", "resources", "tasks"]
        .iter()
        .any(|prefix| name.starts_with(prefix));
    match name {
        "name" => "attributes.system.job.name".to_owned(),
        name if is_whole => name.to_owned(),
        name => match name.strip_prefix('.') {
            Some(rest) => rest.to_owned(),
            None => format!("attributes.system.{name}"),
        },
    }
}

/// Change of a duration.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Change {
    /// To N seconds; 0 is without end.
    To(f64),
    /// By N seconds more.
    Longer(f64),
    /// By N seconds less.
    Shorter(f64),
}

impl Change {
    fn parse(text: &str) -> Result<Change, CliError> {
        let seconds = |text: &str| match text.parse::<Fsd>() {
            Ok(time) if time.is_infinite() => Ok(0.0),
            Ok(time) => Ok(time.secs()),
            Err(_) => {
                let text = format!("invalid Flux standard duration: {text}");
                Err(CliError::new(text))
            }
        };
        Ok(match (text.strip_prefix('+'), text.strip_prefix('-')) {
            (Some(more), _) => Change::Longer(seconds(more)?),
            (_, Some(less)) => Change::Shorter(seconds(less)?),
            _ => Change::To(seconds(text)?),
        })
    }

    /// The new duration of a job that has `current`.
    fn apply(self, id: JobId, text: &str, current: f64) -> Result<f64, CliError> {
        let change = match self {
            Change::To(seconds) => return Ok(seconds),
            _ if current == 0.0 => {
                let text = format!("duration for {id} is unlimited, can't update by {text}");
                return Err(CliError::new(text));
            }
            Change::Longer(seconds) => seconds,
            Change::Shorter(seconds) => -seconds,
        };
        let new = current + change;
        if new > 0.0 {
            return Ok(new);
        }
        let now = Fsd::from_secs(current).map_or(String::new(), |now| now.to_string());
        let less = text.trim_start_matches('-');
        Err(CliError::new(format!(
            "current duration for {id} ({now}) cannot be reduced by {less}"
        )))
    }
}

/// The duration that a job has, 0 if it is without end.
fn current(handle: &mut Handle, id: JobId) -> Result<f64, CliError> {
    let request = GetAttr {
        id,
        attrs: vec!["jobspec".into()],
    };
    let attrs = handle.rpc(&request).map_err(|refusal| {
        match refusal.errno {
            // As an update of it would say.
            Errno::EINVAL => CliError::new("unknown job id"),
            _ => CliError::from(refusal),
        }
    })?;
    let jobspec = attrs.0.get("jobspec").and_then(Value::as_object);
    let duration = jobspec.and_then(|jobspec| dotted::get(jobspec, DURATION));
    Ok(duration.and_then(Value::as_f64).unwrap_or(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_keys_are_system_attributes() {
        for (name, expect) in [
            ("duration", "attributes.system.duration"),
            ("name", "attributes.system.job.name"),
            ("job.name", "attributes.system.job.name"),
            ("attributes.user.x", "attributes.user.x"),
            ("resources", "resources"),
            ("tasks", "tasks"),
            (".attributes.user.x", "attributes.user.x"),
        ] {
            assert_eq!(key(name), expect);
        }
    }

    #[test]
    fn durations_are_set_or_changed() {
        let check = |text: &str, current: f64, expect: Result<f64, &str>| {
            let new = Change::parse(text).and_then(|change| change.apply(JobId(9), text, current));
            let new = new.map_err(|error| error.text().to_owned());
            assert_eq!(new, expect.map_err(str::to_owned), "{text}");
        };
        check("10m", 60.0, Ok(600.0));
        check("inf", 60.0, Ok(0.0));
        check("+1m", 60.0, Ok(120.0));
        check("-30s", 60.0, Ok(30.0));
        let unlimited = "duration for ƒA is unlimited, can't update by +1m";
        check("+1m", 0.0, Err(unlimited));
        let reduced = "current duration for ƒA (1m) cannot be reduced by 1h";
        check("-1h", 60.0, Err(reduced));
        check("x", 60.0, Err("invalid Flux standard duration: x"));
    }
}

//! `flux cron tab` and `flux cron at`: entries that run at set times.

use std::process::{Command, Stdio};

use client::Call;
use command::clock;
use command::error::{CliError, io_text};
use command::flux::Flux;
use jiff::Timestamp;
use proto::cron::{Delete, Entry, TypeData};
use serde_json::{Value, json};

use super::create::Common;

/// Run commands at the times of crontab lines: minute, hour, day, month, day of the week, command
#[derive(clap::Args)]
pub(super) struct Tab {
    #[command(flatten)]
    common: Common,
    /// File of crontab lines; standard input if not given
    file: Option<String>,
}

/// Run a command once, at a time
#[derive(clap::Args)]
pub(super) struct At {
    #[command(flatten)]
    common: Common,
    /// Time, as understood by date(1)
    #[arg(value_name = "TIME")]
    time: Option<String>,
    /// Shell command to run
    #[arg(
        value_name = "COMMAND",
        trailing_var_arg = true,
        allow_hyphen_values = true
    )]
    command: Vec<String>,
}

impl Tab {
    pub(super) fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let text = match self.file.as_deref() {
            None | Some("-") => flux.read_input()?,
            Some(path) => {
                std::fs::read(path).map_err(|error| CliError::new(io_text(&error)).about(path))?
            }
        };
        let text = String::from_utf8_lossy(&text);
        let lines = text.lines().map(str::trim);
        for line in lines.filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let bad = || CliError::new(format!("Failed to process crontab line: {line}"));
            let (args, command) = crontab_line(line).ok_or_else(bad)?;
            let request = self.common.request(flux, "datetime", command, args)?;
            let made = match flux.connect()?.call(Call::new(&request).to(0)) {
                Err(refusal) if refusal.errno == proto::Errno::EPROTO => return Err(bad()),
                made => made?,
            };
            print_created(flux, "tab", &made)?;
        }
        Ok(())
    }
}

/// The times and the command of a line.
fn crontab_line(line: &str) -> Option<(Value, &str)> {
    let mut args = json!({"second": 0});
    let mut rest = line;
    for name in ["minute", "hour", "mday", "month", "weekday"] {
        let (field, behind) = rest.split_once(char::is_whitespace)?;
        args[name] = field.into();
        rest = behind.trim_start();
    }
    (!rest.is_empty()).then_some((args, rest))
}

impl At {
    pub(super) fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let Some(time) = self.time.filter(|_| !self.command.is_empty()) else {
            return Err(CliError::new("TIME and COMMAND required"));
        };
        let seconds = asked_of_date(flux, &time)?;
        let at = Timestamp::from_second(seconds).map_err(|_| unknown(&time))?;
        let at = at.to_zoned(clock::zone(&flux.env));
        let args = json!({
            "second": at.second(),
            "minute": at.minute(),
            "hour": at.hour(),
            "mday": at.day(),
            "month": at.month() - 1,
            "year": at.year() - 1900,
        });
        let command = self.command.join(" ");
        let mut request = self.common.request(flux, "datetime", &command, args)?;
        request.repeat = Some(1);
        let mut handle = flux.connect()?;
        let made = handle.call(Call::new(&request).to(0))?;
        if next_wakeup(&made) as i64 != seconds {
            let (id, kill) = (made.id, None);
            handle.call(Call::new(&Delete { id, kill }).to(0))?;
            return Err(CliError::new(
                "the instance is in another time zone: set TZ to it",
            ));
        }
        print_created(flux, "at", &made)
    }
}

/// When that is, in seconds since the epoch.
fn asked_of_date(flux: &Flux, time: &str) -> Result<i64, CliError> {
    let mut date = Command::new("date");
    date.arg("+%s").arg(format!("--date={time}"));
    date.stdin(Stdio::null());
    if let Some(zone) = flux.env.get("TZ") {
        date.env("TZ", zone);
    }
    let output = date
        .output()
        .map_err(|error| CliError::new(io_text(&error)).about("date"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let seconds = text.trim().parse().ok();
    seconds
        .filter(|_| output.status.success())
        .ok_or_else(|| unknown(time))
}

fn unknown(time: &str) -> CliError {
    CliError::new(format!("Invalid time '{time}'"))
}

fn next_wakeup(entry: &Entry) -> f64 {
    match &entry.typedata {
        TypeData::Datetime { next_wakeup, .. } | TypeData::Interval { next_wakeup, .. } => {
            *next_wakeup
        }
        TypeData::Event { .. } => 0.0,
    }
}

fn print_created(flux: &mut Flux, verb: &str, made: &Entry) -> Result<(), CliError> {
    let next = next_wakeup(made);
    let wait = next - clock::now();
    let when = Timestamp::from_second(next as i64).unwrap_or_default();
    let when = when.to_zoned(clock::zone(&flux.env));
    let when = when.strftime("%a %b %e %H:%M:%S %Y");
    let id = made.id;
    Ok(flux.note(format_args!(
        "{verb}: cron-{id} created: scheduled in {wait:.3}s at {when}"
    ))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_five_fields_and_a_command() {
        let (args, command) = crontab_line("*/5 1\t2 * mon-fri  echo  a b").unwrap();
        let expect = json!({"second": 0, "minute": "*/5", "hour": "1", "mday": "2", "month": "*",
            "weekday": "mon-fri"});
        assert_eq!((args, command), (expect, "echo  a b"));
        for line in ["", "bad line", "* * * * *", "* * * * echo"] {
            assert_eq!(crontab_line(line), None, "{line}");
        }
    }
}

//! `flux resource drain` and `flux resource undrain`

use client::{Call, Refusal};
use proto::Errno;
use proto::data::{IdSet, Rset};
use proto::resource;

use super::status::drains;
use super::which::Which;
use super::{ask, refused};
use command::error::CliError;
use command::flux::Flux;
use format::{Format, FormatOptions, Formats, Named, Table, Value};

const FORMATS: Formats = Formats {
    named: &[
        Named {
            name: "default",
            about: "Default flux-resource drain format string",
            text: "{timestamp!d:%b%d %R::<12} {state:<8.8} {reason:<30.30+} {nodelist}",
        },
        Named {
            name: "long",
            about: "Extended flux-resource drain format string",
            text: "{timestamp!d:%b%d %R::<12} {state:<8.8} {ranks:<8.8+} +:{reason:<30.30} \
            {nodelist}",
        },
    ],
    variable: "FLUX_RESOURCE_DRAIN_FORMAT_DEFAULT",
    file: super::CONFIGURATION,
    table: Some("drain"),
    lists: &[],
};

/// Take nodes out of use; without nodes, list those that are
#[derive(clap::Args)]
pub struct Drain {
    #[command(flatten)]
    format: FormatOptions,
    #[command(flatten)]
    which: Which,
    /// Set the reason only where there is none
    #[arg(short, long)]
    update: bool,
    /// Replace reasons; twice, times too
    #[arg(short, long, action = clap::ArgAction::Count)]
    force: u8,
    /// Ranks or hosts
    targets: Option<String>,
    /// Why
    #[arg(trailing_var_arg = true)]
    reason: Vec<String>,
}

/// Put nodes back in use
#[derive(clap::Args)]
pub struct Undrain {
    /// Pass over nodes that are in use
    #[arg(short, long)]
    update: bool,
    /// The same, and say so in the log
    #[arg(short, long, action = clap::ArgAction::Count)]
    force: u8,
    /// Ranks or hosts
    targets: String,
    /// Why
    #[arg(trailing_var_arg = true)]
    reason: Vec<String>,
}

impl Drain {
    pub fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let Some(targets) = self.targets.clone() else {
            return self.list(flux);
        };
        let request = resource::Drain {
            targets,
            reason: sentence(&self.reason),
            mode: mode(self.update, self.force)?,
        };
        let mut handle = flux.connect()?;
        match handle.call(Call::new(&request).to(0)) {
            Ok(_) => Ok(()),
            Err(refusal) => Err(self.refuse(flux, refusal)?),
        }
    }

    fn refuse(&self, flux: &mut Flux, refusal: Refusal) -> Result<CliError, CliError> {
        let is_drained = refusal.errno == Errno::EEXIST;
        let error = refused(refusal);
        if !is_drained {
            return Ok(error);
        }
        flux.complain(&error)?;
        let program = flux.program().to_owned();
        flux.note(format_args!(
            "{program}: INFO: Use --force to overwrite existing drain reason"
        ))?;
        Ok(CliError::exit(1))
    }

    fn list(&self, flux: &mut Flux) -> Result<(), CliError> {
        let Some(text) = self.format.choose(flux, &FORMATS)? else {
            return Ok(());
        };
        let format = Format::of_user(&text, resolve)?;
        let mut handle = flux.connect()?;
        let status = ask(&mut handle, &resource::Status)?;
        let busy = ask(&mut handle, &resource::SchedStatus)?.allocated.ranks();
        let kept = self.which.ranks(&mut handle, &status.r)?;
        let mut table = Table::new(&format, None, self.format.table(flux, None));
        for (reason, timestamp, ranks) in drains(&status) {
            let ranks = match &kept {
                Some(kept) => ranks.intersection(kept),
                None => ranks,
            };
            for (state, ranks) in [
                ("draining", ranks.intersection(&busy)),
                ("drained", ranks.difference(&busy)),
            ] {
                if !ranks.is_empty() {
                    let nodelist = nodelist(&status.r, &ranks);
                    let ranks = ranks.to_string();
                    table.push(|field| match field {
                        Field::Timestamp => Value::Float(timestamp),
                        Field::State => Value::Text(state.into()),
                        Field::Reason => Value::Text((&reason).into()),
                        Field::Ranks => Value::Text((&ranks).into()),
                        Field::Nodelist => Value::Text((&nodelist).into()),
                    });
                }
            }
        }
        table.print(&mut flux.out)?;
        Ok(())
    }
}

impl Undrain {
    pub fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let request = resource::Undrain {
            targets: self.targets,
            mode: mode(self.update, self.force)?,
            reason: sentence(&self.reason),
        };
        let mut handle = flux.connect()?;
        // This command gives the sentence alone.
        handle.call(Call::new(&request).to(0))?;
        Ok(())
    }
}

/// What is to be done with nodes that are drained already, or are not.
fn mode(update: bool, force: u8) -> Result<Option<String>, CliError> {
    let mode = match (update, force) {
        (true, 1..) => {
            let text = "Only one of --force and --update may be specified";
            return Err(CliError::new(text));
        }
        (true, 0) => "update",
        (false, 0) => return Ok(None),
        (false, 1) => "overwrite",
        (false, _) => "force-overwrite",
    };
    Ok(Some(mode.to_owned()))
}

/// What a column shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    Timestamp,
    State,
    Reason,
    Ranks,
    Nodelist,
}

fn resolve(name: &str) -> Option<(Field, String)> {
    let (field, heading) = match name {
        "timestamp" => (Field::Timestamp, "TIME"),
        "state" => (Field::State, "STATE"),
        "reason" => (Field::Reason, "REASON"),
        "ranks" => (Field::Ranks, "RANK"),
        "nodelist" => (Field::Nodelist, "NODELIST"),
        _ => return None,
    };
    Some((field, heading.to_owned()))
}

fn sentence(words: &[String]) -> Option<String> {
    (!words.is_empty()).then(|| words.join(" "))
}

fn nodelist(r: &Rset, ranks: &IdSet) -> String {
    let mut nodes = r.clone();
    nodes.keep_ranks(ranks);
    nodes.nodelist().to_string()
}

//! `flux resource drain` and `flux resource undrain`

use client::{Call, Refusal};
use proto::Errno;
use proto::resource;

use super::status::{self, Field, Row, combined, drains};
use super::which::Which;
use super::{ask, refused};
use command::error::CliError;
use command::flux::Flux;
use format::{Format, FormatOptions, Formats, Named, Table};

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

/// Drain nodes; without nodes, list drained ones
#[derive(clap::Args)]
pub struct Drain {
    #[command(flatten)]
    format: FormatOptions,
    #[command(flatten)]
    which: Which,
    /// Set the reason only where none is set
    #[arg(short, long)]
    update: bool,
    /// Replace reasons; twice, times too
    #[arg(short, long, action = clap::ArgAction::Count)]
    force: u8,
    /// Ranks or hosts
    targets: Option<String>,
    /// Reason
    #[arg(trailing_var_arg = true)]
    reason: Vec<String>,
}

/// Undrain nodes
#[derive(clap::Args)]
pub struct Undrain {
    /// Ignore nodes that are not drained
    #[arg(short, long)]
    update: bool,
    /// Ignore nodes that are not drained, and log the use of force
    #[arg(short, long, action = clap::ArgAction::Count)]
    force: u8,
    /// Ranks or hosts
    targets: String,
    /// Reason
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
        let mut rows = Vec::new();
        for (reason, timestamp, ranks) in drains(&status) {
            let ranks = match &kept {
                Some(kept) => ranks.intersection(kept),
                None => ranks,
            };
            for (state, ranks) in [
                ("draining", ranks.intersection(&busy)),
                ("drained", ranks.difference(&busy)),
            ] {
                let row = Row {
                    state: state.to_owned(),
                    reason: reason.clone(),
                    timestamp,
                    ranks,
                    is_up: true,
                };
                if !row.ranks.is_empty() {
                    rows.extend(row.by_presence(&status.offline));
                }
            }
        }
        let is_coloured = flux.wants_color(clap::ColorChoice::Auto);
        let mut table = Table::new(&format, None, self.format.table(flux, None));
        for row in combined(rows, &format) {
            table.push(|field| row.get(*field, &status.r, is_coloured));
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

/// Handling of nodes that are drained already, or are not.
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

/// The fields of 'flux resource status'; one has another heading here.
fn resolve(name: &str) -> Option<(Field, String)> {
    let (field, heading) = status::resolve(name)?;
    match field {
        Field::Ranks => Some((field, "RANK".to_owned())),
        _ => Some((field, heading)),
    }
}

fn sentence(words: &[String]) -> Option<String> {
    (!words.is_empty()).then(|| words.join(" "))
}

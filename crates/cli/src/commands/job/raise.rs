//! `flux job raise` and `flux job raiseall`

use client::Call;
use proto::data::JobId;
use proto::data::job::States;
use proto::job_manager;

use super::{Selected, on_each, parse_id};
use command::error::CliError;
use command::flux::Flux;

/// Raise an exception on jobs
#[derive(clap::Args)]
pub struct Raise {
    /// Set the severity: 0 (ends the job) to 7
    #[arg(short, long, value_name = "N", default_value_t = 0)]
    severity: i64,
    /// Set the type
    #[arg(
        short = 't',
        long = "type",
        value_name = "TYPE",
        default_value = "cancel"
    )]
    kind: String,
    /// Add this note
    #[arg(short, long, value_name = "NOTE")]
    message: Option<String>,
    /// Job ids
    #[arg(required = true, value_name = "ID")]
    ids: Vec<String>,
    /// Note, instead of --message
    #[arg(last = true, value_name = "NOTE")]
    note: Vec<String>,
}

impl Raise {
    pub fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let (ids, words) = self.ids_and_words()?;
        let note = match (self.message, words.is_empty()) {
            (Some(message), true) => Some(message),
            (Some(_), false) => {
                return Err(CliError::usage(
                    "Do not set note on command line and with --message",
                ));
            }
            (None, true) => None,
            (None, false) => Some(words.join(" ")),
        };
        let (severity, kind) = (self.severity, self.kind);
        on_each(flux, &ids, "raise ", |id| {
            Call::new(&job_manager::Raise {
                id,
                severity,
                kind: kind.clone(),
                note: note.clone(),
                wait_status: None,
            })
        })
    }
}

impl Raise {
    /// The ids, and the words after them.
    fn ids_and_words(&self) -> Result<(Vec<JobId>, Vec<String>), CliError> {
        let ids = self.ids.iter();
        if !self.note.is_empty() {
            let ids: Result<_, _> = ids.map(|id| parse_id(id)).collect();
            return Ok((ids?, self.note.clone()));
        }
        let count = ids.take_while(|id| id.parse::<JobId>().is_ok()).count();
        let (ids, words) = self.ids.split_at(count.max(1));
        let ids: Result<_, _> = ids.iter().map(|id| parse_id(id)).collect();
        Ok((ids?, words.to_vec()))
    }
}

/// Raise an exception on all jobs
#[derive(clap::Args)]
pub struct RaiseAll {
    /// Set the severity: 0 (ends the jobs) to 7
    #[arg(short, long, value_name = "N", default_value_t = 7)]
    severity: i64,
    /// Select jobs in these states, separated by commas
    #[arg(short = 'S', long, value_name = "STATES", default_value = "ACTIVE")]
    states: String,
    #[command(flatten)]
    selected: Selected,
    /// Set the type
    #[arg(value_name = "TYPE")]
    kind: String,
    /// Add this note
    #[arg(value_name = "NOTE")]
    note: Vec<String>,
}

impl RaiseAll {
    pub fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let mut handle = flux.connect()?;
        let request = job_manager::RaiseAll {
            dry_run: !self.selected.force,
            userid: self.selected.userid()?,
            states: states(&self.states)?.bits(),
            severity: self.severity,
            kind: self.kind,
            note: (!self.note.is_empty()).then(|| self.note.join(" ")),
        };
        let counted = handle
            .rpc(&request)
            .map_err(|refusal| CliError::from(refusal).about("raiseall"))?;
        self.selected.print(flux, counted, "Raised exception on")
    }
}

/// States separated by commas.
pub fn states(text: &str) -> Result<States, CliError> {
    let mut states = States::NONE;
    for word in text.split(',').filter(|word| !word.is_empty()) {
        let unknown = |_| CliError::new(format!("error parsing state name \"{word}\""));
        states = states | word.parse().map_err(unknown)?;
    }
    Ok(states)
}

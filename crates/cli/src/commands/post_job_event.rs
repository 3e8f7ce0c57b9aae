//! `flux post-job-event`: adds an event of any name to the log of a job.

use command::entry::{Group, Run, Style};
use command::error::CliError;
use command::flux::Flux;
use proto::Errno;
use proto::data::{JobId, dotted};
use proto::job_manager::PostEvent;
use serde_json::{Map, Value};
use submission::values::json_or_text;

/// Name of the command in messages.
const PROGRAM: &str = "flux-job-post-event";

/// Append an event to the log of a job
///
/// Events known to the job manager have their usual effect.
#[derive(clap::Parser)]
#[command(after_help = "Examples:\n  flux post-job-event f1 note text=hello checked.by=me")]
pub struct PostJobEvent {
    /// Job id
    id: String,
    /// Name of the event
    name: String,
    /// Context; a value may be JSON, and keys with dots nest
    #[arg(value_name = "KEY=VALUE")]
    context: Vec<String>,
}

impl Run for PostJobEvent {
    const NAME: &'static str = "post-job-event";
    const GROUP: Group = Group::Jobs;
    const STYLE: Style = Style::Tagged;

    fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        flux.set_command(PROGRAM.to_owned(), Self::STYLE);
        let mut context = Map::new();
        for text in &self.context {
            let (key, value) = text
                .split_once('=')
                .ok_or_else(|| CliError::new(format!("{text}: expected KEY=VALUE")))?;
            dotted::set(&mut context, key, json_or_text(value))
                .map_err(|error| CliError::new(error.to_string()))?;
        }
        let invalid = |_| CliError::new(format!("Invalid jobid {}", self.id));
        let request = PostEvent {
            id: self.id.parse::<JobId>().map_err(invalid)?,
            name: self.name,
            context: (!context.is_empty()).then_some(Value::Object(context)),
        };
        match flux.connect()?.rpc(&request) {
            Err(refusal) if refusal.errno == Errno::ENOENT => {
                Err(CliError::new(format!("No such job {}", self.id)))
            }
            posted => Ok(posted.map(drop)?),
        }
    }
}

//! `flux job urgency`

use proto::data::job::Urgency;
use proto::job_manager::SetUrgency;

use super::parse_id;
use command::error::CliError;
use command::flux::Flux;

/// Change the urgency of a pending job
#[derive(clap::Args)]
pub struct UrgencyArgs {
    /// Print the old urgency
    #[arg(short, long)]
    verbose: bool,
    /// Job id
    id: String,
    /// Urgency: 0 to 31, hold, default or expedite
    #[arg(value_name = "N")]
    urgency: String,
}

impl UrgencyArgs {
    pub fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let id = parse_id(&self.id)?;
        let urgency = match self.urgency.parse::<Urgency>() {
            Ok(urgency) => i64::from(urgency.get()),
            // A number out of range is refused by the service.
            Err(_) => self.urgency.parse().map_err(|_| {
                CliError::new(format!("error parsing urgency: \"{}\"", self.urgency))
            })?,
        };
        let mut handle = flux.connect()?;
        let old = handle
            .rpc(&SetUrgency { id, urgency })
            .map_err(|refusal| CliError::from(refusal).about(id))?;
        if self.verbose {
            let old = match old.old_urgency {
                0 => "job held".to_owned(),
                31 => "job expedited".to_owned(),
                number => number.to_string(),
            };
            flux.note(format_args!("old urgency: {old}"))?;
        }
        Ok(())
    }
}

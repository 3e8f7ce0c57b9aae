//! `flux job timeleft`

use proto::data::job::State;
use proto::data::{Fsd, JobId};
use proto::job_list::ListId;
use serde_json::{Value, json};

use command::clock;
use command::error::CliError;
use command::flux::Flux;

/// Print the time left of a job's limit, in seconds
#[derive(clap::Args)]
pub struct Timeleft {
    /// Print it in a readable form
    #[arg(short = 'H', long)]
    human: bool,
    /// Job id; default: the job that this command runs in
    id: Option<String>,
}

impl Timeleft {
    pub fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let unset = || CliError::usage("FLUX_JOB_ID is not set: name a job");
        let from_env = || flux.env.get("FLUX_JOB_ID").map(str::to_owned);
        let text = self.id.clone().or_else(from_env).ok_or_else(unset)?;
        let bad = |_| CliError::new(format!("failed to parse jobid {text}"));
        let id: JobId = text.parse().map_err(bad)?;
        let mut handle = flux.connect()?;
        let listed = handle.rpc(&ListId {
            id: Some(json!(id)),
            attrs: Some(json!(["state", "expiration"])),
            state: None,
        });
        let job = listed
            .map_err(|refusal| CliError::from(refusal).about(id))?
            .job
            .0;
        let state = job.get("state").and_then(Value::as_u64);
        let state = state.and_then(|state| u32::try_from(state).ok());
        let left = match state.and_then(State::from_bit) {
            Some(State::Cleanup | State::Inactive) => Fsd::ZERO,
            Some(State::Run) => {
                let end = job.get("expiration").and_then(Value::as_f64);
                match end.filter(|end| *end > 0.0) {
                    Some(end) => Fsd::from_secs(end - clock::now()).unwrap_or(Fsd::ZERO),
                    None => Fsd::INFINITY,
                }
            }
            _ => return Err(CliError::new(format!("job {id} has not started"))),
        };
        match (self.human, left.is_infinite()) {
            (true, _) => flux.line(left)?,
            (false, true) => flux.line(u32::MAX)?,
            (false, false) => flux.line(left.secs() as u64)?,
        }
        Ok(())
    }
}

//! `flux job wait`

use proto::Errno;
use proto::data::JobId;
use proto::job_manager;

use super::parse_id;
use command::error::CliError;
use command::flux::Flux;

/// Exit code when there is nothing to wait for.
const NOT_WAITABLE_CODE: u8 = 2;

/// Wait for jobs that were submitted with --flags=waitable
#[derive(clap::Args)]
pub struct Wait {
    /// Wait for all waitable jobs
    #[arg(short, long, conflicts_with = "id")]
    all: bool,
    /// With --all, print how each job ended
    #[arg(short, long)]
    verbose: bool,
    /// Job id; default: the next waitable job to end
    id: Option<String>,
}

impl Wait {
    pub fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let id = self.id.as_deref().map(parse_id).transpose()?;
        let mut handle = flux.connect()?;
        let mut code = 0;
        loop {
            let request = job_manager::Wait {
                id: id.unwrap_or(JobId::ANY),
            };
            let waited = match handle.rpc(&request) {
                Ok(waited) => waited,
                Err(refusal) if refusal.errno == Errno::ECHILD && self.all => break,
                Err(refusal) if refusal.errno == Errno::ECHILD => {
                    return Err(CliError::from(refusal).with_code(NOT_WAITABLE_CODE));
                }
                Err(refusal) => return Err(refusal.into()),
            };
            if self.all {
                code |= u8::from(!waited.success);
                self.print(flux, &waited)?;
                continue;
            }
            if id.is_none() {
                flux.line(waited.id)?;
            }
            return match waited.success {
                true => Ok(()),
                false => Err(CliError::new(waited.errstr)),
            };
        }
        match code {
            0 => Ok(()),
            code => Err(CliError::exit(code)),
        }
    }

    /// Failures are always said, successes only if wanted.
    fn print(&self, flux: &mut Flux, waited: &job_manager::Waited) -> Result<(), CliError> {
        let id = waited.id;
        match (waited.success, self.verbose) {
            (true, true) => flux.note(format_args!("{id}: job completed successfully"))?,
            (true, false) => {}
            (false, _) => flux.note(format_args!("{id}: {}", waited.errstr))?,
        }
        Ok(())
    }
}

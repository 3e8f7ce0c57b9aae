//! End of the processes of all ranks: the exit code, and the messages about failures.

use client::Refusal;
use proto::Errno;
use proto::data::IdSet;
use proto::data::job::{WaitStatus, signal_description};

use command::error::CliError;
use command::flux::Flux;

/// Exit code for a rank that is not reached (`EX_NOHOST`).
const NO_HOST: u8 = 68;
/// Exit code for a command that may not be run.
const NOT_EXECUTABLE: u8 = 126;
/// Exit code for a command that is not found.
const NOT_FOUND: u8 = 127;

/// The ranks that failed, by how.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    failed: Vec<(String, IdSet)>,
    code: u8,
}

impl Outcome {
    /// The highest exit code.
    pub fn code(&self) -> u8 {
        self.code
    }

    /// A process has ended.
    pub fn ended(&mut self, rank: u32, status: i32) {
        let status = WaitStatus(status);
        let how = match (status.exit_code(), status.signal()) {
            (Some(0), _) => return,
            (Some(code), _) => format!("Exit {code}"),
            (None, signal) => signal_description(signal.unwrap_or(0)).into_owned(),
        };
        self.failed(rank, &how, u8::try_from(status.shell_code()).unwrap_or(1));
    }

    /// A process could not be run or followed, which is said at once.
    pub fn refused(
        &mut self,
        flux: &mut Flux,
        rank: u32,
        command: &str,
        refusal: &Refusal,
    ) -> Result<(), CliError> {
        let code = match refusal.errno {
            Errno::EHOSTUNREACH => NO_HOST,
            Errno::EACCES | Errno::EPERM => NOT_EXECUTABLE,
            Errno::ENOENT => NOT_FOUND,
            _ => 1,
        };
        self.code = self.code.max(code);
        flux.warn(format_args!("Error: rank {rank}: {command}: {refusal}"))
    }

    /// A process fails in its own way.
    pub fn failed(&mut self, rank: u32, how: &str, code: u8) {
        self.code = self.code.max(code);
        match self.failed.iter_mut().find(|(other, _)| other == how) {
            Some((_, ranks)) => ranks.insert(rank),
            None => self.failed.push((how.to_owned(), IdSet::from(rank))),
        }
    }

    /// One line for each way to fail: `[0-3]: Exit 1`.
    pub fn print(&self, flux: &mut Flux) -> Result<(), CliError> {
        let mut failed: Vec<&(String, IdSet)> = self.failed.iter().collect();
        failed.sort_by_key(|(_, ranks)| ranks.first());
        for (how, ranks) in failed {
            flux.note(format_args!("{}: {how}", ranks.bracketed()))?;
        }
        Ok(())
    }
}

//! `flux overlay disconnect`: cuts a broker off.

use client::Call;
use proto::Method;
use proto::overlay::DisconnectSubtree;

use super::lookup::parent_of;
use super::{hosts, not_a_rank, tree};
use command::error::CliError;
use command::flux::Flux;

/// Disconnect a broker and all brokers below it
///
/// They shut down, and their jobs end.
#[derive(clap::Args)]
pub(super) struct Disconnect {
    /// Rank of its parent, which is looked up if not given
    #[arg(short = 'r', long, value_name = "RANK")]
    parent: Option<u32>,
    /// Rank or host name
    #[arg(value_name = "TARGET", allow_hyphen_values = true)]
    target: Option<String>,
}

impl Disconnect {
    pub(super) fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let bad = || CliError::new("TARGET must be a valid rank or hostname");
        let target = self.target.ok_or_else(bad)?;
        let mut handle = flux.connect()?;
        let hosts = hosts(&mut handle)?;
        let rank = match target.parse::<u32>() {
            Ok(rank) => rank,
            Err(_) => {
                let found = hosts.iter().zip(0..).find(|(host, _)| *host == target);
                found.map(|(_, rank)| rank).ok_or_else(bad)?
            }
        };
        let tree = tree(&mut handle, 0)?;
        let parent = match self.parent {
            Some(parent) => parent,
            None if rank == 0 => return Err(CliError::new("0 has no parent")),
            None => parent_of(rank, &tree).ok_or_else(|| not_a_rank(rank))?,
        };
        let host = |rank: u32| hosts.get(rank as usize).unwrap_or("?");
        let text = format!(
            "flux-overlay: asking {} (rank {parent}) to disconnect child {} (rank {rank})",
            host(parent),
            host(rank)
        );
        flux.note(text)?;
        let call = Call::new(&DisconnectSubtree { rank }).to(parent);
        let cut = handle.call(call);
        cut.map_err(|refusal| CliError::from(refusal).about(DisconnectSubtree::TOPIC))?;
        Ok(())
    }
}

//! `flux R verify`: the resources of one rank, compared with those expected.

use proto::data::Rset;

use super::read;
use command::error::CliError;
use command::flux::Flux;

/// Compare the resources of one rank with those expected
///
/// The first set on standard input is the expected one, the second the actual one.
#[derive(clap::Args)]
pub struct Verify {}

impl Verify {
    pub fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let sets = read::sets(flux)?;
        let [expected, actual] = sets.as_slice() else {
            let text = "verify requires exactly 2 R objects on stdin";
            return Err(CliError::new(text));
        };
        match extra(expected, actual).map_err(CliError::new)? {
            Some(extra) => flux.warn(extra),
            None => Ok(()),
        }
    }
}

/// Surplus resources, if any; an error if some are missing or on another host.
fn extra(expected: &Rset, actual: &Rset) -> Result<Option<String>, String> {
    let mut nodes = actual.nodes();
    let (Some((rank, found)), None) = (nodes.next(), nodes.next()) else {
        return Err("Verification supported on single rank only".to_owned());
    };
    let wanted = expected.node(rank);
    let wanted = wanted.ok_or_else(|| format!("rank {rank} not found in expected ranks"))?;
    let (has, should) = (&found.host, &wanted.host);
    if has != should {
        return Err(format!(
            "rank {rank} got hostname '{has}', expected '{should}'"
        ));
    }
    let missing = wanted.without(found);
    if !missing.is_empty() {
        return Err(format!("rank {rank} ({has}) missing resources: {missing}"));
    }
    let extra = found.without(wanted);
    Ok((!extra.is_empty()).then(|| format!("rank {rank} ({has}) has extra resources: {extra}")))
}

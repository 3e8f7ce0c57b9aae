//! `flux R set-property`, and how properties are given on the command line.

use proto::data::Rset;

use super::{failed, print, read};
use command::error::CliError;
use command::flux::Flux;

/// Print the union of all sets with properties replaced or added
#[derive(clap::Args)]
pub struct SetProperty {
    /// Property, and the ranks that have it; default: all
    #[arg(value_name = "NAME[:RANKS]", required = true)]
    properties: Vec<String>,
}

impl SetProperty {
    pub fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let mut set = read::union(flux)?;
        assign(&mut set, &self.properties)?;
        print(flux, set)
    }
}

/// Assigns properties, each as `NAME[:RANKS]`. Any name will do, as in Flux.
pub fn assign(set: &mut Rset, properties: &[String]) -> Result<(), CliError> {
    let cannot = |error: String| CliError::new(error).about("failed to assign properties");
    for property in properties {
        let (name, ranks) = match property.rsplit_once(':') {
            Some((name, ranks)) => (name, ranks.parse().ok()),
            None => (property.as_str(), Some(set.ranks())),
        };
        let ranks = ranks.ok_or_else(|| cannot(format!("invalid idset in '{property}'")))?;
        if name.is_empty() {
            return Err(cannot(format!("no name in '{property}'")));
        }
        let assigned = set.replace_property(name, ranks);
        assigned.map_err(|error| cannot(failed(error).text().to_owned()))?;
    }
    Ok(())
}

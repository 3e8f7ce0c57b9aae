//! Sets out of sets: `flux R append`, `diff`, `intersect`, `remap` and `rerank`.

use proto::data::{Hostlist, Rset};

use super::{failed, print, read};
use command::error::CliError;
use command::flux::Flux;

/// Print the union of disjoint sets
#[derive(clap::Args)]
pub struct Append {}

/// Print the resources of the first set that are in no other
#[derive(clap::Args)]
pub struct Diff {}

/// Print the resources common to all sets
#[derive(clap::Args)]
pub struct Intersect {}

/// Print the union of all sets, with ranks renumbered from 0
#[derive(clap::Args)]
pub struct Remap {}

/// Print the union of all sets, with ranks in the order of a host list
#[derive(clap::Args)]
pub struct Rerank {
    /// Hosts of the set in the order of ranks
    #[arg(value_name = "HOSTLIST")]
    hosts: Option<String>,
}

impl Append {
    pub fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let mut sets = read::sets(flux)?.into_iter();
        let mut all = sets.next().unwrap_or_default();
        for set in sets {
            if all.overlaps(&set) {
                let text = format!("R objects '{all}' and '{set}' overlap");
                return Err(CliError::new(text));
            }
            all.add(&set).map_err(failed)?;
            read::forget_shape(&mut all);
        }
        print(flux, all)
    }
}

impl Diff {
    pub fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let rest = fold(flux, "diff", |left, right| left.subtract(right))?;
        print(flux, rest)
    }
}

impl Intersect {
    pub fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let both = fold(flux, "intersect", |left, right| left.intersect(right))?;
        print(flux, both)
    }
}

/// Combines two or more sets from left to right.
fn fold(flux: &mut Flux, verb: &str, combine: impl Fn(&mut Rset, &Rset)) -> Result<Rset, CliError> {
    let sets = read::sets(flux)?;
    let [first, others @ ..] = sets.as_slice() else {
        return Ok(Rset::new());
    };
    if others.is_empty() {
        let text = format!("{verb} requires at least 2 resource sets");
        return Err(CliError::new(text));
    }
    let mut left = first.clone();
    read::forget_shape(&mut left);
    others.iter().for_each(|right| combine(&mut left, right));
    Ok(left)
}

impl Remap {
    pub fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let union = read::union(flux)?;
        print(flux, union.remapped())
    }
}

impl Rerank {
    pub fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let Some(hosts) = self.hosts else {
            // The word behind the colon is what users of Flux see.
            let text = "Must provide a hostlist for re-ranking: Success";
            return Err(CliError::new(text));
        };
        let hosts: Hostlist = hosts.parse().map_err(failed)?;
        let union = read::union(flux)?;
        let reranked = union.reranked(&hosts).map_err(failed)?;
        print(flux, reranked)
    }
}

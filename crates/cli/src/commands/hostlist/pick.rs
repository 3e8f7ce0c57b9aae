//! Selection from a list of hosts, step by step: `--exclude`, `--sort`, `--unique`,
//! `--limit`, `--nth`.

use std::collections::BTreeSet;

use command::error::CliError;
use proto::data::{Hostlist, IdSet};

/// Selection.
#[derive(clap::Args, Default)]
pub struct Pick {
    /// Leave out these hosts, or the hosts at these positions
    #[arg(short = 'x', long, value_name = "HOSTS|IDS")]
    exclude: Option<String>,
    /// Sort the hosts
    #[arg(short = 'S', long)]
    sort: bool,
    /// Sort the hosts and remove duplicates
    #[arg(short, long, visible_alias = "union")]
    unique: bool,
    /// Keep only the first N hosts; -N for the last
    #[arg(short = 'L', long, value_name = "N", allow_hyphen_values = true)]
    limit: Option<i64>,
    /// Keep only the hosts at these positions, counted from 0; -IDS counts from the end
    #[arg(short, long, value_name = "IDS", allow_hyphen_values = true)]
    nth: Option<String>,
}

impl Pick {
    /// All steps but the last.
    pub fn narrow(&self, hosts: &mut Hostlist) -> Result<(), CliError> {
        if let Some(text) = &self.exclude {
            exclude(hosts, text)?;
        }
        if self.sort {
            hosts.sort();
        }
        if self.unique {
            hosts.uniq();
        }
        if let Some(limit) = self.limit {
            let count = usize::try_from(limit.unsigned_abs()).unwrap_or(usize::MAX);
            let skipped = match limit < 0 {
                true => hosts.len().saturating_sub(count),
                false => 0,
            };
            let kept = hosts.iter().skip(skipped).take(count);
            *hosts = Hostlist::from_names(kept).map_err(super::bad)?;
        }
        Ok(())
    }

    /// The hosts at the places that were asked for.
    pub fn nth(&self, hosts: &Hostlist) -> Result<Hostlist, CliError> {
        let Some(text) = &self.nth else {
            return Ok(hosts.clone());
        };
        let ids = text.strip_prefix('-');
        let (ids, is_from_end) = (ids.unwrap_or(text), ids.is_some());
        let ids: IdSet = ids
            .parse()
            .map_err(|_| CliError::new(format!("Invalid idset {text}")))?;
        let beyond = || CliError::new("Hostlist index out of range");
        // Before any of them is looked up: a set may have millions.
        if ids.last().is_some_and(|last| last as usize > hosts.len()) {
            return Err(beyond());
        }
        let mut picked = Hostlist::new();
        for id in ids.iter() {
            let place = match is_from_end {
                true => hosts.len().checked_sub(id as usize),
                false => Some(id as usize),
            };
            let host = place
                .and_then(|place| hosts.get(place))
                .ok_or_else(beyond)?;
            picked.push(host).map_err(super::bad)?;
        }
        Ok(picked)
    }
}

/// Leaves out hosts by name; or by place, if there are none of these names.
fn exclude(hosts: &mut Hostlist, text: &str) -> Result<(), CliError> {
    let count = hosts.len();
    let names = text.parse::<Hostlist>();
    if let Ok(names) = &names {
        subtract(hosts, names);
    }
    if hosts.len() < count {
        return Ok(());
    }
    match (text.parse::<IdSet>(), names) {
        (Ok(ids), _) => {
            let mut place = 0;
            hosts.retain(|_| {
                place += 1;
                !ids.contains(place - 1)
            });
            Ok(())
        }
        (Err(_), Ok(_)) => Ok(()),
        (Err(_), Err(error)) => Err(super::bad(error)),
    }
}

/// Keeps the hosts that are in `other` too, each once.
pub fn intersect(hosts: &mut Hostlist, other: &Hostlist) {
    let other: BTreeSet<&str> = other.iter().collect();
    let mut seen = BTreeSet::new();
    hosts.retain(|host| other.contains(host) && seen.insert(host.to_owned()));
}

/// Keeps the hosts that are not in `other`.
pub fn subtract(hosts: &mut Hostlist, other: &Hostlist) {
    let other: BTreeSet<&str> = other.iter().collect();
    hosts.retain(|host| !other.contains(host));
}

/// Keeps the hosts that are in one of the two and not in the other, each once.
pub fn xor(hosts: &mut Hostlist, other: &Hostlist) -> Result<(), CliError> {
    let mut rest = other.clone();
    subtract(&mut rest, hosts);
    subtract(hosts, other);
    hosts.extend(&rest).map_err(super::bad)?;
    let mut seen = BTreeSet::new();
    hosts.retain(|host| seen.insert(host.to_owned()));
    Ok(())
}

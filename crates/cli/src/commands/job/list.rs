//! `flux job list`, `list-inactive`, `list-ids` and `stats`: data of job-list as JSON

use std::collections::BTreeSet;

use client::{Call, Pending};
use proto::data::job::{State, States};
use proto::job_list::{JobStats, List, ListId};
use serde_json::{Value, json};

use super::parse_id;
use super::raise::states;
use crate::commands::jobs::query::{ANY_USER, user_id};
use crate::limits::{LISTED_CHUNK_JOBS, REQUESTS_IN_FLIGHT_MAX};
use command::error::CliError;
use command::flux::Flux;

/// List jobs as JSON, one per line
#[derive(clap::Args)]
pub struct ListArgs {
    /// Show at most N jobs (0 = no limit)
    #[arg(short, long, value_name = "N", default_value_t = 1000)]
    count: u64,
    /// List jobs in these states, separated by commas
    #[arg(short, long, value_name = "STATES")]
    states: Option<String>,
    /// List jobs of this user
    #[arg(short, long, value_name = "USER")]
    user: Option<String>,
    /// List jobs in every state
    #[arg(short, long)]
    all: bool,
    /// List jobs of every user
    #[arg(short = 'A', long)]
    all_users: bool,
}

/// List inactive jobs of every user as JSON, one per line, latest first
#[derive(clap::Args)]
pub struct ListInactive {
    /// Show at most N jobs (0 = no limit)
    #[arg(short, long, value_name = "N", default_value_t = 0)]
    count: u64,
    /// List jobs that became inactive after this time, in seconds since 1970
    #[arg(short, long, value_name = "TIME", default_value_t = 0.0)]
    since: f64,
}

impl ListInactive {
    pub fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let states = States::from(State::Inactive).bits();
        print_all(
            flux,
            &List {
                max_entries: Some(self.count.into()),
                since: Some(self.since.into()),
                constraint: Some(json!({ "states": [states] })),
                ..List::default()
            },
        )
    }
}

impl ListArgs {
    pub fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let states = match &self.states {
            Some(text) => states(text)?,
            None if self.all => States::ALL,
            None => States::ACTIVE,
        };
        let userid = match &self.user {
            _ if self.all_users => ANY_USER,
            Some(user) => user_id(user)?,
            None => rustix::process::getuid().as_raw(),
        };
        let constraint = json!({ "and": [{ "userid": [userid] }, { "states": [states.bits()] }] });
        print_all(
            flux,
            &List {
                max_entries: Some(self.count.into()),
                constraint: Some(constraint),
                ..List::default()
            },
        )
    }
}

/// Prints the jobs that are meant, with all that is known of them.
fn print_all(flux: &mut Flux, list: &List) -> Result<(), CliError> {
    let request = List {
        attrs: Some(json!(["all"])),
        chunk: Some(LISTED_CHUNK_JOBS),
        ..list.clone()
    };
    let mut handle = flux.connect()?;
    // A list that begins again may be in another order.
    let mut printed = BTreeSet::new();
    for listed in handle.stream(Call::new(&request).repeating()) {
        for job in listed?.jobs {
            if printed.insert(job.0.get("id").and_then(Value::as_u64)) {
                print(flux, &job)?;
            }
        }
    }
    Ok(())
}

/// List jobs by id as JSON, one per line
#[derive(clap::Args)]
pub struct ListIds {
    /// Wait until each job has reached this state
    #[arg(short = 'W', long, value_name = "STATE")]
    wait_state: Option<String>,
    /// Job ids
    #[arg(required = true, value_name = "ID")]
    ids: Vec<String>,
}

impl ListIds {
    pub fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let ids = self.ids.iter().map(|text| parse_id(text));
        let ids: Vec<_> = ids.collect::<Result<_, _>>()?;
        let state = self.wait_state.as_deref().map(states).transpose()?;
        let mut handle = flux.connect()?;
        for ids in ids.chunks(REQUESTS_IN_FLIGHT_MAX) {
            let ask = |id: &proto::data::JobId| {
                handle.start(Call::new(&ListId {
                    id: Some(json!(id)),
                    attrs: Some(json!(["all"])),
                    state: state.map(|state| state.bits().into()),
                }))
            };
            let pending: Vec<Pending<ListId>> = ids.iter().map(ask).collect();
            for pending in pending {
                let listed = handle.wait(pending).map_err(|refusal| {
                    // Scripts know this subject with its missing letter.
                    CliError::from(refusal).about("flux job-list.list-d")
                })?;
                print(flux, &listed.job)?;
            }
        }
        Ok(())
    }
}

fn print(flux: &mut Flux, job: &proto::Object) -> Result<(), CliError> {
    serde_json::to_writer(&mut flux.out, job).map_err(std::io::Error::from)?;
    writeln!(flux.out)?;
    Ok(())
}

/// Print the number of jobs in each state, as JSON
#[derive(clap::Args)]
pub struct Stats {}

impl Stats {
    pub fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let mut handle = flux.connect()?;
        let stats = handle.rpc(&JobStats)?;
        serde_json::to_writer(&mut flux.out, &stats).map_err(std::io::Error::from)?;
        writeln!(flux.out)?;
        Ok(())
    }
}

//! `priority-factor`: the priority of a job is the sum of its urgency and the factors of its
//! user and its bank (`[job-manager.priority-factor]`). The bank of a job is named by
//! `attributes.system.bank`.
//!
//! A job of a user or a bank that is not in the tables has no priority, and waits until it is.

use std::collections::BTreeMap;

use proto::Object;
use proto::config::{Key, keys};
use proto::data::Jobspec;
use proto::data::job::Priority;
use proto::job_manager::UpdateFactors;
use serde_json::{Map, Value, json};

use super::{Points, Policy, Rank, View, Want, Wants};
use crate::job::Job;
use crate::limits::FACTORS_MAX;

/// The policy.
#[derive(Default)]
pub struct PriorityFactor {
    users: Table,
    banks: Table,
}

/// Factors, by name.
type Table = BTreeMap<String, u32>;

/// Stands for those without an entry.
const DEFAULT: &str = "default";
const BANK: &str = "bank";

impl Policy for PriorityFactor {
    fn name(&self) -> &str {
        "priority-factor"
    }

    fn hears(&self) -> Points {
        Points::PRIORITY
    }

    fn configure(&mut self, conf: &Object) -> Result<(), String> {
        let users = read(&keys::JOB_MANAGER_FACTORS_USERS, conf)?;
        self.banks = read(&keys::JOB_MANAGER_FACTORS_BANKS, conf)?;
        self.users = users;
        Ok(())
    }

    fn configured(&mut self, _: &View<'_>, wants: &mut Wants) {
        wants.push(Want::RankAll);
    }

    fn priority(&mut self, _: &View<'_>, job: &Job) -> Rank {
        let of = |table: &Table, name: &str| table.get(name).or(table.get(DEFAULT)).copied();
        let user = of(&self.users, &job.life.userid.to_string());
        let bank = match bank(job) {
            Some(bank) => of(&self.banks, &bank),
            None => Some(0),
        };
        let urgency = u32::from(job.life.urgency.get());
        match (user, bank) {
            (Some(user), Some(bank)) => Rank::Is(Priority(user + bank + urgency)),
            _ => Rank::Unavailable,
        }
    }

    fn update_factors(&mut self, update: &UpdateFactors) -> Option<Result<(), String>> {
        let changed = [
            (&keys::JOB_MANAGER_FACTORS_USERS, &self.users, &update.users),
            (&keys::JOB_MANAGER_FACTORS_BANKS, &self.banks, &update.banks),
        ];
        let changed: Result<Vec<Table>, String> = changed
            .map(|(key, table, update)| change(key, table, update))
            .into_iter()
            .collect();
        Some(changed.map(|mut tables| {
            self.banks = tables.pop().unwrap_or_default();
            self.users = tables.pop().unwrap_or_default();
        }))
    }

    fn query(&self, _: &View<'_>) -> Map<String, Value> {
        Map::from_iter([
            ("users".to_owned(), json!(self.users)),
            ("banks".to_owned(), json!(self.banks)),
        ])
    }
}

fn bank(job: &Job) -> Option<String> {
    // Most jobs name none.
    let text = job.jobspec();
    if !text.as_str().contains("\"bank\"") {
        return None;
    }
    let jobspec = Jobspec::decode(text.as_str()).ok()?;
    jobspec.system(BANK)?.as_str().map(str::to_owned)
}

fn read(key: &Key, conf: &Object) -> Result<Table, String> {
    let entries = key.each(conf);
    let entries = entries.map(|(name, value)| (name.to_owned(), Some(value.clone())));
    change_to(key, &Table::new(), entries)
}

fn change(
    key: &Key,
    table: &Table,
    update: &BTreeMap<String, Option<i64>>,
) -> Result<Table, String> {
    let entries = update.iter();
    let entries = entries.map(|(name, value)| (name.clone(), value.map(Value::from)));
    change_to(key, table, entries)
}

/// The table with these entries, or without those that have no value.
fn change_to(
    key: &Key,
    table: &Table,
    entries: impl Iterator<Item = (String, Option<Value>)>,
) -> Result<Table, String> {
    let mut table = table.clone();
    for (name, value) in entries {
        let Some(value) = value else {
            table.remove(&name);
            continue;
        };
        let factor = value.as_u64().and_then(|factor| u32::try_from(factor).ok());
        match factor.filter(|_| key.form.fits(&value)) {
            Some(factor) => table.insert(name, factor),
            None => {
                let path = key.path.replace('*', &name);
                return Err(key.refusal(&path).to_string());
            }
        };
    }
    match table.len() > FACTORS_MAX {
        true => Err(format!("{}: more than {FACTORS_MAX} entries", key.path)),
        false => Ok(table),
    }
}

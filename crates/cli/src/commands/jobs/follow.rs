//! `flux jobs --follow`: the list, and then a line for each change of a job, as it happens.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::Instant;

use client::{Call, Handle, Pending, Refusal, Untyped};
use proto::job_list::{Follow, FollowTaken};
use proto::{Errno, Method as _, Payload as _};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::ask::Listing;
use super::field::{Facts, Field};
use super::job::Job;
use super::{Jobs, Plan, json};
use crate::limits::{FOLLOW_WINDOW, JOURNAL_PATIENCE, JOURNAL_RETRY, LISTED_CHUNK_JOBS};
use command::clock;
use command::error::CliError;
use command::flux::Flux;
use format::Table;

/// One response.
#[derive(Deserialize)]
struct Part<'a> {
    #[serde(borrow)]
    jobs: Vec<&'a RawValue>,
    listed: Option<bool>,
}

#[derive(Deserialize)]
struct Named {
    id: u64,
}

/// Hash of each job as last shown: after a restart of job-list all jobs come again.
#[derive(Default)]
struct Shown(BTreeMap<u64, u64>);

impl Shown {
    /// True if a job has changed since it was shown.
    fn is_news(&mut self, job: &RawValue) -> Result<bool, CliError> {
        let id = parse::<Named>(job)?.id;
        let mut hasher = DefaultHasher::new();
        job.get().hash(&mut hasher);
        let hash = hasher.finish();
        Ok(self.0.insert(id, hash) != Some(hash))
    }
}

/// Output for jobs.
enum Screen<'p> {
    /// As lines of a table, jobs of the list all together: columns are as wide as they need.
    Table(Table<'p, Field>, bool),
    /// As JSON objects, one a line.
    Json,
}

impl Screen<'_> {
    fn show(
        &mut self,
        flux: &mut Flux,
        jobs: &[&RawValue],
        is_listed: bool,
    ) -> Result<(), CliError> {
        let facts = Facts::new(clock::now());
        for job in jobs {
            match self {
                Screen::Table(table, is_coloured) => {
                    let job: Job = parse(job)?;
                    table.push(|field| field.get(&job, &facts));
                    if *is_coloured {
                        table.colour_last(job.colour());
                    }
                }
                Screen::Json => {
                    let raw: Map<String, Value> = parse(job)?;
                    let object = json::object(raw, &facts);
                    writeln!(flux.out, "{}", submission::spaced(&object))?;
                }
            }
        }
        if let Screen::Table(table, _) = self
            && is_listed
        {
            table.flush(&mut flux.out)?;
        }
        flux.out.flush()?;
        Ok(())
    }
}

impl Jobs {
    /// Follows jobs in a table.
    pub(super) fn follow(&self, flux: &mut Flux, plan: &Plan) -> Result<(), CliError> {
        let options = self.table_options(flux);
        let table = Table::new(&plan.format, None, options);
        let screen = Screen::Table(table, flux.wants_color(self.color));
        self.follow_on(flux, &plan.listing, screen)
    }

    /// Follows jobs as JSON.
    pub(super) fn follow_json(&self, flux: &mut Flux, listing: &Listing) -> Result<(), CliError> {
        self.follow_on(flux, listing, Screen::Json)
    }

    fn follow_on(
        &self,
        flux: &mut Flux,
        listing: &Listing,
        mut screen: Screen<'_>,
    ) -> Result<(), CliError> {
        let mut handle = flux.connect()?;
        let mut shown = Shown::default();
        let mut is_listed = false;
        // Nobody is waited for who was never there.
        let mut give_up: Option<Instant> = None;
        loop {
            let call = Call::raw(Follow::TOPIC).payload(request(listing).encode());
            let pending = handle.start_stream(call);
            let mut taken = 0;
            let refusal = loop {
                let message = match handle.wait(pending) {
                    Ok(message) => message,
                    Err(refusal) => break refusal,
                };
                let part: Part<'_> = super::ask::read(message.payload())?;
                let mut news = Vec::new();
                for job in part.jobs {
                    if shown.is_news(job)? {
                        news.push(job);
                    }
                }
                is_listed |= part.listed == Some(true);
                screen.show(flux, &news, is_listed)?;
                taken += 1;
                take(&mut handle, pending, taken);
                give_up = Instant::now().checked_add(JOURNAL_PATIENCE);
            };
            if is_end_of_instance(&refusal) && give_up.is_some() {
                return Ok(());
            }
            if !is_passing(&refusal) || give_up.is_none_or(|end| Instant::now() > end) {
                return Err(refusal.into());
            }
            std::thread::sleep(JOURNAL_RETRY);
        }
    }
}

fn request(listing: &Listing) -> Follow {
    Follow {
        attrs: Some(listing.attrs.clone()),
        constraint: Some(listing.constraint.clone()),
        since: listing.since,
        chunk: Some(LISTED_CHUNK_JOBS),
        window: Some(FOLLOW_WINDOW),
    }
}

/// Lets job-list go on, now and then.
fn take(handle: &mut Handle, pending: Pending<Untyped>, taken: u64) {
    if taken.is_multiple_of(u64::from(FOLLOW_WINDOW / 4)) {
        let matchtag = pending.id().matchtag();
        handle.notify(Call::new(&FollowTaken { matchtag, taken }));
    }
}

/// True if the broker has exited, so that there is nothing left to follow.
fn is_end_of_instance(refusal: &Refusal) -> bool {
    matches!(
        refusal.errno,
        Errno::ECONNRESET | Errno::EPIPE | Errno::ENOTCONN
    )
}

/// True if job-list may be back soon.
fn is_passing(refusal: &Refusal) -> bool {
    let is_gone = matches!(refusal.errno, Errno::EHOSTUNREACH | Errno::ENOSYS);
    is_gone || refusal.is_end()
}

fn parse<T: serde::de::DeserializeOwned>(job: &RawValue) -> Result<T, CliError> {
    let parsed = serde_json::from_str(job.get());
    parsed.map_err(|error| CliError::new(format!("job-list: malformed response: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_has_changed_is_news() {
        let mut shown = Shown::default();
        let mut check = |json: &str, expect: bool| {
            let job = RawValue::from_string(json.to_owned()).unwrap();
            assert_eq!(shown.is_news(&job).unwrap(), expect, "{json}");
        };
        check(r#"{"id":1,"state":8}"#, true);
        check(r#"{"id":2,"state":8}"#, true);
        check(r#"{"id":1,"state":8}"#, false);
        check(r#"{"id":1,"state":16}"#, true);
        check(r#"{"id":1,"state":8}"#, true);
    }

    #[test]
    fn the_end_of_the_instance_is_told_from_a_restart_of_job_list() {
        for errno in [Errno::EHOSTUNREACH, Errno::ENOSYS, Errno::ENODATA] {
            assert!(is_passing(&Refusal::bare(errno)));
            assert!(!is_end_of_instance(&Refusal::bare(errno)));
        }
        assert!(is_end_of_instance(&Refusal::bare(Errno::ECONNRESET)));
        assert!(!is_passing(&Refusal::bare(Errno::EPERM)));
    }
}

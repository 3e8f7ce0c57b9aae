//! `flux job journal`

use std::collections::BTreeMap;
use std::time::Instant;

use client::{Call, Handle, Pending, Refusal, Untyped};
use proto::job_manager::{EventsJournal, EventsJournalTaken, SENTINEL};
use proto::{Errno, Method as _, Payload as _};
use serde::Deserialize;
use serde_json::Value;

use crate::commands::jobs::query::{ANY_USER, user_id};
use crate::limits::{JOURNAL_PATIENCE, JOURNAL_RETRY, JOURNAL_WINDOW};
use command::error::CliError;
use command::flux::Flux;

/// Print job events as they happen, one JSON object per line
///
/// Existing jobs come first, each with all its events and with "snapshot"; then a line with
/// the id -1; then events. With --since, only later events are printed, unless some of them
/// are no longer known. To continue later, use the "seq" of the last line without "snapshot",
/// or of the last one with the id -1.
#[derive(clap::Args)]
pub struct Journal {
    /// Follow new events, also after a restart
    #[arg(short = 'F', long)]
    follow: bool,
    /// Print only events with a greater "seq", or later than this time
    #[arg(long, value_name = "N", value_parser = number)]
    since: Option<f64>,
    /// Print inactive jobs too
    #[arg(long)]
    full: bool,
    /// Print only events with these names
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    allow: Option<Vec<String>>,
    /// Do not print events with these names
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    deny: Option<Vec<String>>,
    /// Print only jobs of this user, or of 'all'; default for guests: their own
    #[arg(short, long, value_name = "USER")]
    user: Option<String>,
}

fn number(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|number: &f64| number.is_finite());
    number.ok_or_else(|| "not a number".to_owned())
}

/// Position of a line in the journal.
#[derive(Deserialize)]
struct Place {
    id: i64,
    seq: Option<f64>,
    snapshot: Option<bool>,
}

impl Place {
    fn is_mark(&self) -> bool {
        self.id == SENTINEL.0 as i64
    }

    /// Where to go on after it, if that can be said.
    fn since(&self) -> Option<f64> {
        let is_part = self.snapshot == Some(true) && !self.is_mark();
        self.seq.filter(|_| !is_part)
    }
}

impl Journal {
    pub fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let mut handle = flux.connect_again(JOURNAL_PATIENCE)?;
        let mut request = self.request(flux, &mut handle)?;
        // Nobody is waited for who was never there.
        let mut give_up = None;
        loop {
            let call = Call::raw(EventsJournal::TOPIC).payload(request.encode());
            let pending = handle.start_stream(call);
            let mut taken = 0;
            let refusal = loop {
                let message = match handle.wait(pending) {
                    Ok(message) => message,
                    Err(refusal) => break refusal,
                };
                let place = print(flux, message.payload(), self.follow)?;
                request.since = place.since().or(request.since);
                if place.is_mark() && !self.follow {
                    return Ok(());
                }
                taken += 1;
                take(&mut handle, pending, taken);
                give_up = Instant::now().checked_add(JOURNAL_PATIENCE);
            };
            if !is_passing(&refusal) || give_up.is_none_or(|end| Instant::now() > end) {
                return Err(refusal.into());
            }
            std::thread::sleep(JOURNAL_RETRY);
        }
    }

    fn request(&self, flux: &Flux, handle: &mut Handle) -> Result<EventsJournal, CliError> {
        let names = |names: &Option<Vec<String>>| {
            let names = names.as_ref()?.iter().cloned();
            Some(
                names
                    .map(|name| (name, Value::from(1)))
                    .collect::<BTreeMap<_, _>>(),
            )
        };
        let userid = match &self.user {
            Some(user) => Some(user_id(user)?).filter(|userid| *userid != ANY_USER),
            None => {
                let own = match flux.env.get("FLUX_HANDLE_USERID") {
                    Some(text) => text.parse().ok(),
                    None => Some(rustix::process::getuid().as_raw()),
                };
                let owner = handle.attr("security.owner")?.parse().ok();
                own.filter(|_| own != owner)
            }
        };
        Ok(EventsJournal {
            allow: names(&self.allow),
            deny: names(&self.deny),
            full: self.full.then_some(true),
            since: self.since,
            userid,
            window: Some(JOURNAL_WINDOW),
            packed: None,
        })
    }
}

/// Prints a record as it came.
fn print(
    flux: &mut Flux,
    payload: Option<&bytes::Bytes>,
    is_followed: bool,
) -> Result<Place, CliError> {
    let record = payload.map(|payload| payload.strip_suffix(b"\0").unwrap_or(payload));
    let record = record.unwrap_or_default();
    let place = serde_json::from_slice(record);
    let place = place.map_err(|error| CliError::new(format!("malformed record: {error}")))?;
    flux.out.write_all(record)?;
    flux.out.write_all(b"\n")?;
    if is_followed {
        flux.out.flush()?;
    }
    Ok(place)
}

/// Lets the journal go on, now and then.
fn take(handle: &mut Handle, pending: Pending<Untyped>, taken: u64) {
    if taken.is_multiple_of(u64::from(JOURNAL_WINDOW / 4)) {
        let matchtag = pending.id().matchtag();
        handle.notify(Call::new(&EventsJournalTaken { matchtag, taken }));
    }
}

/// True if the journal may be back soon: job-manager was restarted, or the broker.
fn is_passing(refusal: &Refusal) -> bool {
    let is_gone = matches!(
        refusal.errno,
        Errno::EHOSTUNREACH | Errno::ENOSYS | Errno::ECONNRESET | Errno::EPIPE | Errno::ENOTCONN
    );
    is_gone || refusal.is_end()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_where_to_go_on_or_not() {
        let check = |line: &str, is_mark: bool, since: Option<f64>| {
            let place: Place = serde_json::from_str(line).unwrap();
            assert_eq!((place.is_mark(), place.since()), (is_mark, since), "{line}");
        };
        check(r#"{"id":7,"events":[],"seq":2.5}"#, false, Some(2.5));
        check(r#"{"id":7,"seq":2.5,"snapshot":true}"#, false, None);
        check(r#"{"id":-1,"seq":2.5,"snapshot":true}"#, true, Some(2.5));
        check(r#"{"id":-1,"seq":2.5}"#, true, Some(2.5));
        check(r#"{"id":-1}"#, true, None);
    }

    #[test]
    fn the_journal_is_asked_for_again_when_it_may_come_back() {
        let check = |errno: Errno, expect: bool| {
            assert_eq!(is_passing(&Refusal::bare(errno)), expect, "{errno:?}");
        };
        for errno in [Errno::EHOSTUNREACH, Errno::ENODATA, Errno::ENOSYS] {
            check(errno, true);
        }
        check(Errno::ECONNRESET, true);
        for errno in [Errno::EPERM, Errno::EPROTO, Errno::ENOBUFS] {
            check(errno, false);
        }
    }
}

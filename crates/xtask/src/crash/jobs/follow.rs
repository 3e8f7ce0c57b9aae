//! Followers: every stream that clients know, one after the other again when its service
//! dies. A stream that breaks must end with an error number that means "ask again", and
//! its events must have no gap and none twice.

use std::collections::BTreeMap;
use std::time::Duration;

use client::{Answered, Call, Handle};
use proto::data::logline::{LogLevel, LogLine};
use proto::kvs::{PRIMARY, WAITCREATE, WATCH};
use proto::{Method, Refusal, event, job_info, job_list, job_manager, kvs_watch, log};

use super::Fire;
use super::commands::COUNTER;
use super::ledger::{Followed, Phase, now};
use super::submit::is_ask_again;

/// Topic of the events that are counted.
const TICK: &str = "crash.tick";

/// Between two lines added to the log.
const LOG_PAUSE: Duration = Duration::from_millis(10);

/// Jobs that may have been told of and not been stored by a job manager that was killed.
const UNSTORED_MAX: u64 = 8;

/// Events of jobs that are told and not kept.
const VOLATILE: [&str; 3] = ["annotations", "memo", "invalidate"];

/// Follows one stream until it breaks, ends, or there is nothing more to come; returns
/// true if everything came. Each answer is given to `see`.
fn follow<M>(
    fire: &Fire,
    handle: &mut Handle,
    request: &M,
    mut see: impl FnMut(M::Response),
) -> bool
where
    M: Method + Answered<Answer = <M as Method>::Response>,
{
    let is_endless = M::TOPIC != job_info::EventlogWatch::TOPIC;
    fire.ledger.count("streams opened");
    for answer in handle.stream(Call::new(request)) {
        match answer {
            Ok(_) if is_endless && fire.ledger.is_quiet() => return true,
            Ok(answer) => see(answer),
            Err(refusal) => {
                broken(fire, M::TOPIC, &refusal);
                return false;
            }
        }
    }
    true
}

fn broken(fire: &Fire, topic: &str, refusal: &Refusal) {
    if fire.ledger.is_broker_killed() {
        return;
    }
    match is_ask_again(refusal) {
        true => fire.ledger.count("streams told to ask again"),
        false => fire
            .ledger
            .wrong("streams broken", format!("{topic}: {refusal}")),
    }
}

fn gap(fire: &Fire, what: String) {
    fire.ledger.wrong("streams with gaps or doublets", what);
}

/// The journal of all jobs.
pub fn journal(fire: &Fire) {
    let Ok(mut handle) = fire.site.open() else {
        return;
    };
    let request = job_manager::EventsJournal::default();
    while !fire.ledger.is_in(Phase::Quiet) {
        let mut names: BTreeMap<_, String> = BTreeMap::new();
        let mut n_marks = 0;
        let is_whole = follow(fire, &mut handle, &request, |record| {
            n_marks += u32::from(record.id == job_manager::SENTINEL);
            for event in &record.events {
                if !VOLATILE.contains(&event.name()) {
                    let names = names.entry(record.id).or_default();
                    *names += event.name();
                    names.push(' ');
                }
            }
        });
        if n_marks > 1 {
            gap(fire, format!("the journal has {n_marks} marks"));
        }
        for (id, text) in names {
            let path = "journal";
            let followed = Followed {
                path,
                text,
                is_whole,
            };
            fire.ledger.note(id, |told| told.journal.push(followed));
        }
    }
}

/// The logs of the newest job, one after the other.
pub fn logs(fire: &Fire) {
    let Ok(mut handle) = fire.site.open() else {
        return;
    };
    let paths = ["guest.output", "eventlog", "guest.exec.eventlog"];
    for path in paths.into_iter().cycle() {
        if fire.ledger.is_in(Phase::Quiet) {
            return;
        }
        let Some(id) = fire.ledger.newest() else {
            continue;
        };
        let request = job_info::EventlogWatch {
            id,
            path: path.to_owned(),
            flags: job_info::WAITCREATE,
        };
        let mut text = String::new();
        let is_whole = follow(fire, &mut handle, &request, |watched| {
            text += &watched.event.unwrap_or_default();
        });
        let followed = Followed {
            path,
            text,
            is_whole,
        };
        fire.ledger.note(id, |told| told.logs.push(followed));
    }
}

/// A key that counts up.
pub fn key(fire: &Fire) {
    let Ok(mut handle) = fire.site.open() else {
        return;
    };
    let request = kvs_watch::Lookup::new(PRIMARY, COUNTER, WATCH | WAITCREATE);
    let mut newest = 0;
    while !fire.ledger.is_in(Phase::Quiet) {
        let mut before = None;
        follow(fire, &mut handle, &request, |watched| {
            let bytes = watched.bytes().unwrap_or_default();
            let n: u64 = String::from_utf8_lossy(&bytes).parse().unwrap_or(0);
            // One that begins again tells the value again.
            if n < newest || Some(n) == before {
                gap(fire, format!("{COUNTER} is {n} after {newest}"));
            }
            before = Some(n);
            newest = n;
        });
    }
}

/// Checks the number of jobs.
pub fn stats(fire: &Fire) {
    let Ok(mut handle) = fire.site.open() else {
        return;
    };
    while !fire.ledger.is_in(Phase::Quiet) {
        let mut newest = 0;
        follow(fire, &mut handle, &job_list::JobStats, |stats| {
            let total = stats.all.job_states.total;
            if total + UNSTORED_MAX < newest {
                gap(fire, format!("{total} jobs in all after {newest}"));
            }
            newest = total;
        });
    }
}

/// Events that are published meanwhile: the broker has them in one order.
pub fn events(fire: &Fire) {
    let (Ok(mut handle), Ok(mut publisher)) = (fire.site.open(), fire.site.open()) else {
        return;
    };
    if let Err(refusal) = handle.subscribe(TICK) {
        return broken(fire, event::Subscribe::TOPIC, &refusal);
    }
    fire.ledger.count("streams opened");
    let mut n = 0;
    while !fire.ledger.is_in(Phase::Quiet) {
        n += 1;
        let topic = format!("{TICK}.{n}");
        let publish = event::Publish {
            topic: topic.clone(),
            flags: 0,
            payload: None,
        };
        if let Err(refusal) = publisher.rpc(&publish) {
            return broken(fire, event::Publish::TOPIC, &refusal);
        }
        match handle.next_event(None) {
            Ok(Some(event)) if event.topic() == topic => {}
            Ok(event) => gap(fire, format!("not event {topic}: {event:?}")),
            Err(refusal) => return broken(fire, TICK, &refusal),
        }
    }
}

/// The broker's log, which `write_log` adds to.
pub fn dmesg(fire: &Fire) {
    let Ok(mut handle) = fire.site.open() else {
        return;
    };
    let request = log::Dmesg {
        follow: true,
        nobacklog: Some(true),
    };
    let mut newest = None;
    follow(fire, &mut handle, &request, |raw| {
        let Some(n) = number_of(&raw.0) else {
            return;
        };
        if newest.is_some_and(|newest| n != newest + 1) {
            gap(fire, format!("log line {n} after {newest:?}"));
        }
        newest = Some(n);
    });
}

/// Adds lines to the broker's log, also after the others have stopped.
pub fn write_log(fire: &Fire) {
    let Ok(mut handle) = fire.site.open() else {
        return;
    };
    let mut n = 0;
    while !fire.ledger.is_broker_killed() {
        n += 1;
        let (time_us, text) = ((now() * 1e6) as i64, format!("tick {n}"));
        let line = LogLine::new(LogLevel::Debug, time_us, 0, "crash", &text);
        handle.append_log(line.encode().into());
        if handle.flush().is_err() {
            return;
        }
        std::thread::sleep(LOG_PAUSE);
    }
}

/// The number in a log line of ours.
fn number_of(line: &[u8]) -> Option<u64> {
    let line = LogLine::parse(line).ok()?;
    let is_ours = line.appname == "crash";
    is_ours.then(|| line.message.strip_prefix("tick ")?.parse().ok())?
}

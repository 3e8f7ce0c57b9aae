//! Promises of policies for jobs whose logs are known from beginning to end, and their
//! checkers (protocol/25 sections 1 to 3). A checker fails with an error that describes
//! the contradiction.
//!
//! Events of one moment have no order that could be seen from outside: where it matters, a
//! result that is allowed in any order is allowed.

use std::collections::BTreeMap;

use proto::data::{Entry, JobId};

use super::eras::MOMENT;
use super::site::Site;
use super::task::JobRequest;
use super::terms::Scheme;

/// Dependency added by the policy to a job above the limit.
const LIMIT: &str = "max-running-jobs-user-limit";

/// A job from beginning to end.
#[derive(Debug, Clone)]
pub(super) struct Life {
    pub request: JobRequest,
    pub log: Vec<Entry>,
}

/// Refusal of a submission.
#[derive(Debug, Clone)]
pub(super) struct Refused {
    pub request: JobRequest,
    pub text: String,
    pub asked: f64,
    pub answered: f64,
}

/// All jobs of a run.
pub(super) type Lives = BTreeMap<JobId, Life>;

type Check = Result<(), String>;

/// All checkers.
pub(super) fn check(lives: &Lives, refused: &[Refused], site: &Site) -> Check {
    for life in lives.values() {
        begins_in_time(life)?;
        for (scheme, id) in &life.request.terms.after {
            let antecedent = lives.get(id).ok_or(format!("{id} has no log"))?;
            waits_for(life, *scheme, *id, antecedent)?;
        }
        no_more_than_allowed(life, lives, site)?;
    }
    blames_only_what_failed(lives)?;
    one_of_a_name(lives)?;
    for refused in refused {
        is_refused_rightly(refused, lives, site)?;
    }
    Ok(())
}

impl Life {
    /// The time of the first event of a name.
    fn at(&self, name: &str) -> Option<f64> {
        let entry = self.log.iter().find(|entry| entry.name() == name);
        entry.map(Entry::timestamp)
    }

    /// Time at which its dependency was removed.
    fn released(&self, description: &str) -> Option<f64> {
        let entry = self
            .log
            .iter()
            .find(|entry| entry.name() == "dependency-remove" && is_about(entry, description));
        entry.map(Entry::timestamp)
    }

    fn ever_waited(&self, description: &str) -> bool {
        let mut log = self.log.iter();
        log.any(|entry| entry.name() == "dependency-add" && is_about(entry, description))
    }

    /// True if it has completed its work: events after its end count for nothing here.
    fn is_completed(&self) -> bool {
        let end = self.end();
        end.is_some_and(|end| end.name() == "finish" && end.get_i64("status") == Some(0))
    }

    /// The event that ended its run, or kept it from running.
    fn end(&self) -> Option<&Entry> {
        let is_fatal = |entry: &&Entry| {
            entry.name() == "finish"
                || entry.name() == "exception" && entry.get_i64("severity") == Some(0)
        };
        self.log.iter().find(is_fatal)
    }

    /// The sentence of the first exception, if that is one about a dependency.
    fn blamed(&self) -> Option<&str> {
        let end = self.end()?;
        let is_about_dependency = end.get_str("type") == Some("dependency");
        is_about_dependency.then(|| end.get_str("note").unwrap_or_default())
    }

    /// True if its end satisfies `scheme`.
    fn satisfies(&self, scheme: Scheme) -> bool {
        let is_begun = self.at("alloc").is_some();
        match scheme {
            Scheme::Start => self.at("start").is_some(),
            Scheme::Any => true,
            Scheme::Success => self.is_completed(),
            Scheme::Failure => is_begun && !self.is_completed(),
            Scheme::Except => {
                let end = self.end();
                is_begun && end.is_some_and(|end| end.name() == "exception")
            }
        }
    }

    /// Error of a dependency that cannot be satisfied (section 1.3).
    fn complaint(&self, scheme: Scheme, id: JobId) -> String {
        let description = scheme.description(id);
        match self.at("alloc") {
            None => format!("dependency {description} job never started"),
            Some(_) => format!("dependency {description} can never be satisfied"),
        }
    }
}

fn is_about(entry: &Entry, description: &str) -> bool {
    entry.get_str("description") == Some(description)
}

/// A job with a begin time waits until then.
fn begins_in_time(life: &Life) -> Check {
    let (Some(begin), Some(depend)) = (life.request.terms.begin, life.at("depend")) else {
        return Ok(());
    };
    // Descriptions have milliseconds.
    match depend + 0.001 >= begin {
        true => Ok(()),
        false => Err(format!("begins before {begin}: {life:?}")),
    }
}

/// A job waits for its antecedent, goes on when that is as it was to be, and ends with the
/// exception that says so when that will never be.
fn waits_for(life: &Life, scheme: Scheme, id: JobId, antecedent: &Life) -> Check {
    let told = || format!("{scheme:?} {id}: {life:?} after {antecedent:?}");
    let description = scheme.description(id);
    let ended = antecedent.at("clean").ok_or_else(told)?;
    let is_satisfied = antecedent.satisfies(scheme);
    if !life.ever_waited(&description) {
        return Err(format!("does not wait: {}", told()));
    }
    let since = match scheme {
        Scheme::Start => antecedent.at("start"),
        _ => Some(ended),
    };
    match life.released(&description) {
        Some(at) if !is_satisfied || since.is_none_or(|since| at < since - MOMENT) => {
            return Err(format!("goes on without cause: {}", told()));
        }
        Some(_) => return Ok(()),
        None if life.at("depend").is_some() => {
            return Err(format!("goes on while it waits: {}", told()));
        }
        None => {}
    }
    // It came to an end while it waited: before the other one did, or because of that.
    let end = life.end().ok_or_else(told)?;
    let is_ended_before = end.timestamp() <= ended + MOMENT;
    let is_blamed = life.blamed().is_some();
    match is_blamed || is_ended_before {
        true => Ok(()),
        false => Err(format!("is left waiting: {}", told())),
    }
}

/// Checks that a job ended because of a dependency blames one of its antecedents.
fn blames_only_what_failed(lives: &Lives) -> Check {
    for (id, life) in lives {
        let Some(note) = life.blamed() else {
            continue;
        };
        let is_true = life.request.terms.after.iter().any(|(scheme, id)| {
            let antecedent = lives.get(id);
            antecedent.is_some_and(|antecedent| {
                !antecedent.satisfies(*scheme) && antecedent.complaint(*scheme, *id) == note
            })
        });
        if !is_true {
            return Err(format!("{id} is ended with '{note}': {life:?}"));
        }
    }
    Ok(())
}

/// A singleton runs when no other job of its name does but those that wait.
fn one_of_a_name(lives: &Lives) -> Check {
    let goes_on = |life: &Life| match life.ever_waited("singleton") {
        true => life.released("singleton"),
        false => life.at("validate"),
    };
    for (id, life) in lives {
        let (true, Some(at)) = (life.request.terms.singleton, goes_on(life)) else {
            continue;
        };
        for (other, its) in lives {
            let is_of_name = its.request.terms.group == life.request.terms.group && other != id;
            let begun = goes_on(its).filter(|_| is_of_name);
            let Some((begun, ended)) = begun.zip(its.at("clean")) else {
                continue;
            };
            if begun + MOMENT < at && at < ended - MOMENT {
                return Err(format!("{id} goes on beside {other}: {life:?} {its:?}"));
            }
        }
    }
    Ok(())
}

/// When a job came in and when it was let go, no more of its user's were there than allowed,
/// and it was as large and as long as it might be.
fn no_more_than_allowed(life: &Life, lives: &Lives, site: &Site) -> Check {
    let told = |what: &str, n: usize| Err(format!("{n} {what}: {life:?}"));
    let ended = |life: &Life| life.at("clean").unwrap_or(f64::INFINITY);
    let goes_on = |life: &Life| match life.ever_waited(LIMIT) {
        true => life.released(LIMIT),
        false => life.at("depend"),
    };
    let count = |at: f64, since: &dyn Fn(&Life) -> Option<f64>| {
        let there = |life: &&Life| {
            let is_begun = since(life).is_some_and(|since| since <= at + MOMENT);
            is_begun && ended(life) > at + MOMENT
        };
        lives.values().filter(there).count()
    };
    // A request is judged by what is in force when its turn comes, which the answer to a change
    // made since does not wait for.
    let asked = life.at("submit").unwrap_or_default();
    if let Some(at) = life.at("validate").filter(|at| ended(life) > *at + MOMENT) {
        let n = count(at, &|life| life.at("validate"));
        let mut confs = site.confs.possible(asked, at);
        if !confs.any(|conf| conf.max_active.is_none_or(|max| n <= max)) {
            return told("active jobs", n);
        }
    }
    if let Some(at) = goes_on(life).filter(|at| ended(life) > *at + MOMENT) {
        let n = count(at, &goes_on);
        let from = if life.ever_waited(LIMIT) { at } else { asked };
        let mut confs = site.confs.possible(from, at);
        if !confs.any(|conf| conf.max_running.is_none_or(|max| n <= max)) {
            return told("running jobs", n);
        }
    }
    Ok(())
}

/// A refusal has a cause, and its sentence is that of the cause.
fn is_refused_rightly(refused: &Refused, lives: &Lives, site: &Site) -> Check {
    let Refused {
        request,
        text,
        asked,
        answered,
    } = refused;
    let confs = || site.confs.possible(*asked, *answered);
    let queue = request.terms.queue.unwrap_or(super::terms::QUEUES[0]);
    let is_right = if text.starts_with("dependency: ") {
        request.terms.after.iter().any(|(scheme, id)| {
            let antecedent = lives.get(id);
            antecedent.is_some_and(|antecedent| {
                let is_over = antecedent
                    .at("clean")
                    .is_some_and(|at| at <= *answered + MOMENT);
                is_over && *text == why_refused(*scheme, *id, antecedent)
            })
        })
    } else if text.starts_with("requested duration") {
        confs().any(|conf| conf.refuses_duration(request.duration))
    } else if text.starts_with("requested ncores") {
        confs().any(|conf| conf.max_cores.is_some_and(|max| request.cores > max))
    } else if text.starts_with("user has reached the limit of ") {
        confs().any(|conf| conf.max_active.is_some())
    } else if text.contains(" is disabled") {
        let mut enabled = site.queues[queue].enabled.possible(*asked, *answered);
        enabled.any(|enabled| !enabled)
    } else if text.contains("queue") {
        confs().any(|conf| !conf.has_queue(queue))
    } else {
        false
    };
    match is_right {
        true => Ok(()),
        false => Err(format!("refused without cause: {refused:?}")),
    }
}

/// Error at submit of an inactive antecedent (section 1.3).
fn why_refused(scheme: Scheme, id: JobId, antecedent: &Life) -> String {
    let is_begun = antecedent.at("alloc").is_some() && scheme != Scheme::Start;
    match scheme {
        _ if antecedent.satisfies(scheme) => String::new(),
        _ if !is_begun => format!("dependency: after: {id} never started"),
        Scheme::Success => format!("dependency: afterok: job {id} failed or was canceled"),
        Scheme::Failure => format!("dependency: afternotok: job {id} succeeded"),
        _ => format!("dependency: afterexcept: job {id}: no exception"),
    }
}

/// A job that was taken is one that could be.
pub(super) fn may_be_taken(request: &JobRequest, asked: f64, answered: f64, site: &Site) -> Check {
    let queue = request.terms.queue.unwrap_or(super::terms::QUEUES[0]);
    let mut confs = site.confs.possible(asked, answered);
    let fits = confs.any(|conf| {
        conf.has_queue(queue)
            && !conf.refuses_duration(request.duration)
            && conf.max_cores.is_none_or(|max| request.cores <= max)
    });
    let mut enabled = site.queues[queue].enabled.possible(asked, answered);
    match fits && enabled.any(|enabled| *enabled) {
        true => Ok(()),
        false => Err(format!("taken at {asked} to {answered}: {request:?}")),
    }
}

#[cfg(test)]
mod tests;

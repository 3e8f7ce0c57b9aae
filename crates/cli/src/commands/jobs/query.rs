//! Selection of jobs: options as a constraint of job-list (protocol/12 section 5).

use nix::unistd::User;
use proto::data::job::{JobResult, State, States};
use proto::data::{Fsd, IdSet};
use serde_json::{Value, json};

use command::clock;
use command::env::Env;
use command::error::CliError;
use command::when::{self, Side};

/// Stands for every user.
pub const ANY_USER: u32 = u32::MAX;

/// Options that choose jobs.
#[derive(clap::Args, Debug, Clone, Default)]
pub struct Filters {
    /// List jobs in every state, inactive ones too
    #[arg(short = 'a', long = "all")]
    pub all: bool,
    /// List jobs of every user
    #[arg(short = 'A', long = "all-users")]
    pub all_users: bool,
    /// List jobs of this user, by name or number, or of 'all'
    #[arg(short, long, value_name = "USER")]
    pub user: Option<String>,
    /// List jobs in these states or with these results, separated by commas
    #[arg(short, long, value_name = "STATE|RESULT")]
    pub filter: Vec<String>,
    /// List jobs in these queues, separated by commas
    #[arg(short, long, value_name = "QUEUE")]
    pub queue: Vec<String>,
    /// List jobs of this name
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// List jobs on these hosts or ranks
    #[arg(short, long, value_name = "HOSTS|RANKS")]
    pub include: Option<String>,
    /// List jobs that ended after this: -DURATION, a date and time, or words such as
    /// 'yesterday', 'last Monday' or '1 hour ago'; implies --all
    #[arg(long, value_name = "WHEN", allow_hyphen_values = true)]
    pub since: Option<String>,
}

impl Filters {
    /// True if there is any selection.
    pub fn is_any(&self) -> bool {
        self.all
            || self.all_users
            || self.user.is_some()
            || !self.filter.is_empty()
            || !self.queue.is_empty()
            || self.name.is_some()
            || self.include.is_some()
            || self.since.is_some()
    }

    /// The constraint.
    pub fn constraint(&self) -> Result<Value, CliError> {
        let mut terms = vec![self.states()?];
        match self.userid()? {
            ANY_USER => {}
            userid => terms.push(json!({ "userid": [userid] })),
        }
        if let Some(name) = &self.name {
            terms.push(json!({ "name": [name] }));
        }
        let queues: Vec<&str> = split(&self.queue).collect();
        if !queues.is_empty() {
            terms.push(json!({ "queue": queues }));
        }
        if let Some(include) = &self.include {
            terms.push(match include.parse::<IdSet>() {
                Ok(_) => json!({ "ranks": [include] }),
                Err(_) => json!({ "hostlist": [include] }),
            });
        }
        Ok(json!({ "and": terms }))
    }

    /// User whose jobs are selected; our own by default.
    pub fn userid(&self) -> Result<u32, CliError> {
        match self.user.as_deref() {
            _ if self.all_users => Ok(ANY_USER),
            None => Ok(rustix::process::getuid().as_raw()),
            Some(user) => user_id(user),
        }
    }

    fn states(&self) -> Result<Value, CliError> {
        let mut states = States::NONE;
        let mut results = 0;
        for word in split(&self.filter) {
            if let Ok(wanted) = word.parse::<States>() {
                states = states | wanted;
            } else if let Ok(result) = word.parse::<JobResult>() {
                results |= result.bit();
            } else {
                return Err(CliError::new(format!("Invalid filter specified: {word}")));
            }
        }
        if states.is_empty() && results == 0 {
            states = match self.all || self.since.is_some() {
                true => States::PENDING | States::RUNNING | States::from(State::Inactive),
                false => States::PENDING | States::RUNNING,
            };
        }
        let states = states.bits();
        Ok(match (states, results) {
            (_, 0) => json!({ "states": [states] }),
            (0, _) => json!({ "results": [results] }),
            _ => json!({ "or": [{ "states": [states] }, { "results": [results] }] }),
        })
    }

    /// The time of `--since`; `None` for the beginning.
    pub fn since(&self, env: &Env) -> Result<Option<f64>, CliError> {
        let Some(text) = &self.since else {
            return Ok(None);
        };
        let refuse = || CliError::new(format!("invalid value for --since: '{text}'"));
        let now = clock::now();
        let since = moment(text, now, env).ok_or_else(refuse)?;
        match since > now {
            true => Err(CliError::new("--since=WHEN cannot be in the future")),
            false => Ok(Some(since.max(0.0))),
        }
    }
}

/// The time that a user means: `-DURATION`, seconds since the epoch, a date, or words.
pub fn moment(text: &str, now: f64, env: &Env) -> Option<f64> {
    if let Some(ago) = text.strip_prefix('-') {
        let ago: Fsd = ago.parse().ok()?;
        return Some(now - ago.secs());
    }
    let seconds = text.parse::<f64>().ok();
    seconds.or_else(|| when::parse(text, now, &clock::zone(env), Side::Past))
}

/// A user by name or number, or `all`.
pub fn user_id(user: &str) -> Result<u32, CliError> {
    if user == "all" {
        return Ok(ANY_USER);
    }
    if let Ok(userid) = user.parse() {
        return Ok(userid);
    }
    let found = User::from_name(user).ok().flatten();
    found
        .map(|user| user.uid.as_raw())
        .ok_or_else(|| CliError::new(format!("Invalid user {user} specified")))
}

/// The words of a list that may be given in parts.
pub fn split(lists: &[String]) -> impl Iterator<Item = &str> {
    let words = lists.iter().flat_map(|list| list.split(','));
    words.map(str::trim).filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(filters: Filters, expect: &str) {
        let filters = Filters {
            all_users: filters.user.is_none(),
            ..filters
        };
        let outcome = match filters.constraint() {
            Ok(constraint) => constraint["and"].to_string(),
            Err(error) => error.text().to_owned(),
        };
        assert_eq!(outcome, expect, "{filters:?}");
    }

    fn filter(words: &str) -> Filters {
        Filters {
            filter: vec![words.to_owned()],
            ..Filters::default()
        }
    }

    #[test]
    fn states_and_results_become_masks() {
        check(Filters::default(), r#"[{"states":[62]}]"#);
        let all = Filters {
            all: true,
            ..Filters::default()
        };
        check(all, r#"[{"states":[126]}]"#);
        check(filter("run,CLEANUP"), r#"[{"states":[48]}]"#);
        check(filter("failed"), r#"[{"results":[2]}]"#);
        check(
            filter("pending,failed"),
            r#"[{"or":[{"states":[14]},{"results":[2]}]}]"#,
        );
        check(filter("foo"), "Invalid filter specified: foo");
    }

    #[test]
    fn other_options_are_more_terms() {
        let filters = Filters {
            user: Some("42".to_owned()),
            name: Some("n".to_owned()),
            queue: vec!["a,b".to_owned()],
            include: Some("0-1".to_owned()),
            ..Filters::default()
        };
        check(
            filters,
            r#"[{"states":[62]},{"userid":[42]},{"name":["n"]},{"queue":["a","b"]},{"ranks":["0-1"]}]"#,
        );
        let hosts = Filters {
            include: Some("n[1-2]".to_owned()),
            ..Filters::default()
        };
        check(hosts, r#"[{"states":[62]},{"hostlist":["n[1-2]"]}]"#);
    }

    #[test]
    fn unknown_users_are_refused() {
        let refused = user_id("no such user").unwrap_err();
        assert_eq!(refused.text(), "Invalid user no such user specified");
        assert_eq!(user_id("all"), Ok(ANY_USER));
    }
}

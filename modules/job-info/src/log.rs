//! Facts from a job's primary log: the users who may read it, the end of the job, and the
//! changes of its jobspec and R. Pure.

use node::Peer;
use proto::data::{Entry, dotted};
use proto::job_info::JobInfoError;
use serde_json::{Map, Value};

/// Checks that the client may read a job's data: its submitter or the instance owner.
pub fn check_access(log: &str, peer: &Peer) -> Result<(), JobInfoError> {
    if peer.is_owner() {
        return Ok(());
    }
    let first = log.split_inclusive('\n').next().unwrap_or_default();
    let entry = Entry::decode(first).map_err(|e| JobInfoError::BadEventlog(e.to_string()))?;
    let userid = match entry.name() {
        "submit" => entry.get("userid").and_then(Value::as_u64),
        _ => None,
    };
    match userid {
        Some(userid) if userid == u64::from(peer.userid) => Ok(()),
        Some(_) => Err(JobInfoError::Restricted),
        None => Err(JobInfoError::BadEventlog("no submit event".to_owned())),
    }
}

/// True if a line is the event `name`, such as `clean`, the last of a job's log.
pub fn is_event(line: &str, name: &str) -> bool {
    // Most lines are not, and say so without being read.
    line.contains(name) && Entry::decode(line).is_ok_and(|entry| entry.name() == name)
}

/// Keys whose values change with the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Updated {
    /// `R`
    R,
    /// `jobspec`
    Jobspec,
}

impl Updated {
    /// The key of this name, if it is one.
    pub fn of(key: &str) -> Option<Updated> {
        match key {
            "R" => Some(Updated::R),
            "jobspec" => Some(Updated::Jobspec),
            _ => None,
        }
    }

    /// Name.
    pub fn key(self) -> &'static str {
        match self {
            Updated::R => "R",
            Updated::Jobspec => "jobspec",
        }
    }

    /// Changes by a line of the log, by dotted path; `None` if there are none.
    pub fn update(self, line: &str) -> Option<Map<String, Value>> {
        let name = match self {
            Updated::R => "resource-update",
            Updated::Jobspec => "jobspec-update",
        };
        if !line.contains(name) {
            return None;
        }
        let entry = Entry::decode(line).ok()?;
        if entry.name() != name {
            return None;
        }
        match self {
            Updated::Jobspec => entry.context().cloned(),
            Updated::R => {
                let expiration = entry.get("expiration")?.clone();
                let path = "execution.expiration".to_owned();
                Some(Map::from_iter([(path, expiration)]))
            }
        }
    }

    /// Applies every change in a log.
    pub fn apply_all(self, object: &mut Map<String, Value>, log: &str) {
        for update in log.lines().filter_map(|line| self.update(line)) {
            apply(object, &update);
        }
    }
}

/// Applies one change.
pub fn apply(object: &mut Map<String, Value>, update: &Map<String, Value>) {
    for (path, value) in update {
        if let Err(error) = dotted::set(object, path, value.clone()) {
            tracing::error!("update of {path}: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use proto::Role;

    use super::*;

    fn check(log: &str, userid: u32, rolemask: Role, expect: &str) {
        let peer = Peer {
            userid,
            rolemask,
            sender: None,
            matchtag: 1,
            number: None,
        };
        let outcome = check_access(log, &peer).map_or_else(|e| e.to_string(), |()| "ok".into());
        assert!(outcome.starts_with(expect), "{outcome}");
    }

    #[test]
    fn only_the_submitter_and_the_owner_may_read() {
        let log = "{\"timestamp\":1.0,\"name\":\"submit\",\"context\":{\"userid\":7}}\n";
        check(log, 7, Role::USER, "ok");
        check(log, 8, Role::OWNER, "ok");
        let text = "access is restricted to job/instance owner";
        check(log, 8, Role::USER, text);
        check("{}\n", 7, Role::USER, "error parsing eventlog: ");
        let other = "{\"timestamp\":1.0,\"name\":\"clean\"}\n";
        check(other, 7, Role::USER, "error parsing eventlog: no submit");
    }

    #[test]
    fn updates_are_applied_in_order() {
        let log = concat!(
            "{\"timestamp\":1.0,\"name\":\"submit\"}\n",
            "{\"timestamp\":2.0,\"name\":\"resource-update\",\"context\":{\"expiration\":5.0}}\n",
            "{\"timestamp\":2.0,\"name\":\"jobspec-update\",\"context\":{\"attributes.system.duration\":1}}\n",
            "{\"timestamp\":3.0,\"name\":\"resource-update\",\"context\":{\"expiration\":6.0}}\n",
        );
        let mut r = Map::new();
        Updated::R.apply_all(&mut r, log);
        assert_eq!(
            Value::Object(r).to_string(),
            r#"{"execution":{"expiration":6.0}}"#
        );
        let mut jobspec = Map::new();
        Updated::Jobspec.apply_all(&mut jobspec, log);
        assert_eq!(
            Value::Object(jobspec).to_string(),
            r#"{"attributes":{"system":{"duration":1}}}"#
        );
    }

    #[test]
    fn an_event_is_known_by_its_name_only() {
        let clean = "{\"timestamp\":1.0,\"name\":\"clean\"}\n";
        assert!(is_event(clean, "clean"));
        let memo = "{\"timestamp\":1.0,\"name\":\"memo\",\"context\":{\"a\":\"clean\"}}\n";
        assert!(!is_event(memo, "clean"));
    }
}

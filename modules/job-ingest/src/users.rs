//! Users who may submit: `access.allow-user` and `access.allow-group` of the policy in
//! effect in a queue. User lookups run on the worker thread, for a directory server may
//! take its time.

use std::ffi::CString;

use nix::unistd::{Group, Uid, User, getgrouplist};
use proto::config::policy::Access;
use proto::job_ingest::SubmitError;

/// Looks up a user.
pub type Directory = fn(u32) -> Names;

/// A user as the system knows it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Names {
    /// Name; `None` for one that the system does not know.
    pub user: Option<String>,
    /// Groups.
    pub groups: Vec<String>,
}

/// Asks the system.
pub fn names_of(uid: u32) -> Names {
    let Ok(Some(user)) = User::from_uid(Uid::from_raw(uid)) else {
        return Names::default();
    };
    let Ok(name) = CString::new(user.name.clone()) else {
        return Names::default();
    };
    let groups = getgrouplist(&name, user.gid).unwrap_or_default();
    let groups = groups
        .into_iter()
        .filter_map(|gid| Group::from_gid(gid).ok()?);
    Names {
        user: Some(user.name),
        groups: groups.map(|group| group.name).collect(),
    }
}

/// True if access is limited.
pub(crate) fn is_limited(access: &Access) -> bool {
    access.users.is_some() || access.groups.is_some()
}

/// Keeps those out who are in neither list.
pub(crate) fn check(
    access: &Access,
    queue: Option<&str>,
    uid: u32,
    names: &Names,
) -> Result<(), SubmitError> {
    let users = access.users.as_deref().unwrap_or_default();
    let groups = access.groups.as_deref().unwrap_or_default();
    let is_named = names.user.as_ref().is_some_and(|user| users.contains(user));
    let is_member = names.groups.iter().any(|group| groups.contains(group));
    if !is_limited(access) || is_named || is_member {
        return Ok(());
    }
    let user = names.user.clone().unwrap_or_else(|| uid.to_string());
    Err(match queue {
        Some(queue) => SubmitError::NotInQueue(user, queue.to_owned()),
        None => SubmitError::NotHere(user),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks the response to user alice of the groups staff and wheel.
    fn check_lists(users: Option<&[&str]>, groups: Option<&[&str]>, expect: &str) {
        let list = |names: Option<&[&str]>| {
            names.map(|names| names.iter().map(|name| (*name).to_owned()).collect())
        };
        let access = Access {
            users: list(users),
            groups: list(groups),
        };
        let alice = Names {
            user: Some("alice".to_owned()),
            groups: vec!["staff".to_owned(), "wheel".to_owned()],
        };
        let said = check(&access, Some("batch"), 7, &alice);
        let said = said.err().map(|error| error.to_string());
        assert_eq!(said.as_deref().unwrap_or("ok"), expect, "{access:?}");
    }

    #[test]
    fn one_of_the_lists_lets_a_user_in() {
        let refused = "user alice may not submit to queue batch";
        check_lists(None, None, "ok");
        check_lists(Some(&["bob", "alice"]), None, "ok");
        check_lists(None, Some(&["wheel"]), "ok");
        check_lists(Some(&["bob"]), Some(&["wheel"]), "ok");
        check_lists(Some(&["bob"]), None, refused);
        check_lists(Some(&[]), Some(&[]), refused);
        check_lists(None, Some(&["alice"]), refused);
    }

    #[test]
    fn one_whom_nobody_knows_is_kept_out_of_any_list() {
        let access = Access {
            users: Some(vec!["alice".to_owned()]),
            groups: None,
        };
        let refused = check(&access, None, 7, &Names::default()).unwrap_err();
        assert_eq!(refused.to_string(), "user 7 may not submit jobs");
    }

    #[test]
    fn the_system_knows_its_users() {
        let root = names_of(0);
        assert_eq!(root.user.as_deref(), Some("root"));
        assert!(root.groups.iter().any(|group| group == "root"));
        assert_eq!(names_of(u32::MAX - 7), Names::default());
    }
}

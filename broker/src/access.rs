//! Access of users by the local socket, and their roles: the table `[access]`
//! (protocol/02 section 3). Pure.

use proto::Object;
use proto::config::{Key, keys};
use wire::Role;

/// The rules of an instance.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Access<'a> {
    /// User id of the instance owner.
    pub owner: u32,
    /// Configuration with the table `[access]`.
    pub config: &'a Object,
}

impl Access<'_> {
    /// True if a switch of `[access]` is on.
    pub fn allows(&self, key: &Key) -> bool {
        key.value(self.config) == Some(&true.into())
    }

    /// Role of a user of these groups; `None` if it may not connect.
    pub fn role(&self, uid: u32, gids: &[u32]) -> Option<Role> {
        if uid == self.owner || uid == 0 && self.allows(&keys::ACCESS_ALLOW_ROOT_OWNER) {
            return Some(Role::OWNER | Role::LOCAL);
        }
        if !self.allows(&keys::ACCESS_ALLOW_GUEST_USER) {
            return None;
        }
        let guest = Role::USER | Role::LOCAL;
        Some(match self.is_admin(uid, gids) {
            true => guest | Role::ADMIN,
            false => guest,
        })
    }

    /// True if `[access.roles]` lists the user or one of its groups as an admin.
    fn is_admin(&self, uid: u32, gids: &[u32]) -> bool {
        let listed = |key: &Key, id: u32| {
            let list = key.value(self.config).and_then(|list| list.as_array());
            list.is_some_and(|list| list.iter().any(|entry| entry.as_u64() == Some(id.into())))
        };
        let by_group = |gid: &u32| listed(&keys::ACCESS_ROLES_ADMIN_GROUPS, *gid);
        listed(&keys::ACCESS_ROLES_ADMIN_USERS, uid) || gids.iter().any(by_group)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The role of user `uid` of group `gid` in an instance of user 100.
    fn check(access: serde_json::Value, uid: u32, gid: u32, want: Option<Role>) {
        let config = serde_json::json!({ "access": access });
        let config = &Object(config.as_object().cloned().unwrap_or_default());
        let access = Access { owner: 100, config };
        assert_eq!(access.role(uid, &[gid]), want, "{config:?} {uid} {gid}");
    }

    #[test]
    fn the_owner_comes_in_always_and_others_as_the_table_says() {
        let owner = Some(Role::OWNER | Role::LOCAL);
        let guest = Some(Role::USER | Role::LOCAL);
        let admin = Some(Role::USER | Role::LOCAL | Role::ADMIN);
        let none = || serde_json::json!({});
        check(none(), 100, 1, owner);
        check(none(), 0, 0, None);
        check(none(), 7, 1, None);
        let root = || serde_json::json!({"allow-root-owner": true});
        check(root(), 0, 0, owner);
        check(root(), 7, 1, None);
        let guests = || serde_json::json!({"allow-guest-user": true});
        check(guests(), 0, 0, guest);
        check(guests(), 7, 1, guest);
        let admins = || {
            let roles = serde_json::json!({"admin-users": [7], "admin-groups": [50]});
            serde_json::json!({"allow-guest-user": true, "roles": roles})
        };
        check(admins(), 7, 1, admin);
        check(admins(), 8, 50, admin);
        check(admins(), 8, 7, guest);
        check(admins(), 100, 50, owner);
    }
}

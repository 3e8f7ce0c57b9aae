//! What the system says of users.

use std::ffi::CString;

use nix::unistd::{Uid, User, getgrouplist};

/// The groups of a user, main one first; empty when the system does not know it. Our
/// own user needs no look-up: the owner is let in by its id.
pub fn groups_of(uid: u32) -> Vec<u32> {
    if uid == Uid::current().as_raw() {
        return Vec::new();
    }
    let Ok(Some(user)) = User::from_uid(Uid::from_raw(uid)) else {
        return Vec::new();
    };
    let Ok(name) = CString::new(user.name) else {
        return Vec::new();
    };
    let groups = getgrouplist(&name, user.gid).unwrap_or_default();
    groups.into_iter().map(|gid| gid.as_raw()).collect()
}

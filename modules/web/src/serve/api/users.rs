//! Names of users, which the system is asked for once each.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use axum::http::StatusCode;
use nix::unistd::{Uid, User};

use super::ApiError;
use crate::limits::USERS_MAX;

/// Names by user id.
#[derive(Default)]
pub struct Users(Mutex<BTreeMap<u32, String>>);

impl Users {
    /// Name of a user; the number where the system knows none.
    pub fn name(&self, userid: u32) -> String {
        let mut names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(name) = names.get(&userid) {
            return name.clone();
        }
        if names.len() >= USERS_MAX {
            names.clear();
        }
        let known = User::from_uid(Uid::from_raw(userid)).ok().flatten();
        let name = known.map_or_else(|| userid.to_string(), |user| user.name);
        names.insert(userid, name.clone());
        name
    }

    /// The user id of a name, or of a number.
    pub fn id(&self, name: &str) -> Result<u32, ApiError> {
        if let Ok(userid) = name.parse() {
            return Ok(userid);
        }
        let user = User::from_name(name).ok().flatten();
        let user = user.ok_or_else(|| {
            ApiError::new(StatusCode::BAD_REQUEST, format!("there is no user {name}"))
        })?;
        Ok(user.uid.as_raw())
    }
}

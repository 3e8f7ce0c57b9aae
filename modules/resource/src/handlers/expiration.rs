//! `resource.expiration-update`: the instance's resources end at another time.

use node::{Cx, Peer};
use proto::Empty;
use proto::resource::{ExpirationUpdate, QueryError};
use serde_json::json;

use crate::Resource;

pub fn expiration_update(
    core: &mut Resource,
    cx: &mut Cx<Resource>,
    _: &Peer,
    request: ExpirationUpdate,
) -> Result<Empty, QueryError> {
    if cx.rank() != 0 {
        return Err(QueryError::NotRankZero);
    }
    let inventory = core.inventory.as_mut().ok_or(QueryError::NoResources)?;
    let expiration = request.expiration;
    inventory
        .set_expiration(expiration)
        .map_err(|_| QueryError::BadExpiration)?;
    core.store.put_r(inventory.whole().encode());
    core.post(
        cx,
        "resource-update",
        &json!({ "expiration": expiration }),
        None,
    );
    core.notify_scheduler(cx);
    Ok(Empty)
}

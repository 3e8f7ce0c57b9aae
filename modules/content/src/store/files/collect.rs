//! Marking and deleting blobs (doc/garbage-collection.md). Files have no row numbers: the
//! first bits of a blob's digest stand in for one.

use proto::content_backing::{Sweep, Swept};
use proto::data::BlobRef;

use super::blobs::{Blobs, Place};
use crate::store::failure::Failure;

/// Bits of the digest that make a place.
const PLACE_BITS: u32 = 20;

/// The last place.
pub const HIGH_WATER: i64 = 1 << PLACE_BITS;

/// Number of blobs, with places after one and up to another, of a lower epoch.
pub fn count_below(
    blobs: &Blobs,
    places: &mut Vec<Place>,
    epoch: i64,
    (after, end): (i64, i64),
) -> Result<i64, Failure> {
    let mut count = 0;
    for place in places_between(blobs, places, after, end)? {
        count += i64::from(blobs.epoch(&place.name)?.is_some_and(|found| found < epoch));
    }
    Ok(count)
}

/// Raises the epoch of blobs, and returns the number of those with a lower one.
pub fn mark(blobs: &Blobs, epoch: i64, names: &[BlobRef]) -> Result<i64, Failure> {
    let mut marked = 0;
    for name in names {
        if blobs.epoch(name)?.is_some_and(|found| found < epoch) {
            blobs.set_epoch(name, epoch)?;
            marked += 1;
        }
    }
    Ok(marked)
}

/// Deletes blobs of a lower epoch. `places` holds the rest of the folder as the first
/// sweep of a collection found it; blobs stored since have a later epoch.
pub fn sweep(
    blobs: &Blobs,
    places: &mut Vec<Place>,
    sweep: &Sweep,
    current: i64,
) -> Result<Swept, Failure> {
    let (cursor, high_water) = (sweep.cursor, sweep.high_water.min(HIGH_WATER));
    let end = cursor
        .saturating_add(sweep.window)
        .min(high_water)
        .max(cursor);
    let mut deleted = 0;
    for place in places_between(blobs, places, cursor, end)? {
        let epoch = blobs.epoch(&place.name)?;
        if epoch.is_some_and(|epoch| epoch > current) {
            // A copy of the folder without its times: the next collection may have it.
            blobs.set_epoch(&place.name, current)?;
        } else if epoch.is_some_and(|epoch| epoch < sweep.epoch) {
            if deleted == sweep.delete_cap {
                // Others may have the place of the last that was deleted.
                let cursor = place.number - 1;
                return Ok(Swept { deleted, cursor });
            }
            blobs.delete(&place.name)?;
            deleted += 1;
        }
    }
    Ok(Swept {
        deleted,
        cursor: end,
    })
}

/// Blobs after one place and up to another. The folder is read for the first of them and
/// forgotten with the last.
fn places_between(
    blobs: &Blobs,
    places: &mut Vec<Place>,
    after: i64,
    end: i64,
) -> Result<Vec<Place>, Failure> {
    if after == 0 || places.is_empty() {
        *places = places_of(blobs)?;
    }
    let from = places.partition_point(|place| place.number <= after);
    let to = places.partition_point(|place| place.number <= end);
    let between = places[from..to.max(from)].to_vec();
    if end >= HIGH_WATER {
        places.clear();
    }
    Ok(between)
}

fn places_of(blobs: &Blobs) -> Result<Vec<Place>, Failure> {
    let names = blobs.names()?.into_iter();
    let mut places: Vec<Place> = names
        .map(|name| Place {
            number: number_of(&name),
            name,
        })
        .collect();
    places.sort_unstable();
    Ok(places)
}

fn number_of(name: &BlobRef) -> i64 {
    let first = name.digest().iter().take(4);
    let bits = first.fold(0u32, |bits, byte| bits << 8 | u32::from(*byte));
    i64::from(bits >> (32 - PLACE_BITS)) + 1
}

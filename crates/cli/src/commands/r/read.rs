//! R objects on standard input.

use proto::data::Rset;
use proto::data::shape::not_found;
use serde_json::Value;

use super::failed;
use command::error::CliError;
use command::flux::Flux;

/// All sets on standard input; at least one.
pub fn sets(flux: &mut Flux) -> Result<Vec<Rset>, CliError> {
    let input = flux.read_input()?;
    let text = std::str::from_utf8(&input).map_err(|_| unreadable("it is not UTF-8"))?;
    let start = text.trim_start();
    if !start.starts_with(['{', '[']) {
        let near = match start.split_whitespace().next() {
            None => "end of file".to_owned(),
            Some(word) => format!("'{}'", word.chars().take(20).collect::<String>()),
        };
        return Err(unreadable(format_args!("'[' or '{{' expected near {near}")));
    }
    let objects = serde_json::Deserializer::from_str(text).into_iter::<Value>();
    objects
        .map(|object| decode(&object.map_err(unreadable)?))
        .collect()
}

/// The union of all sets, which keeps the times of the first.
pub fn union(flux: &mut Flux) -> Result<Rset, CliError> {
    let mut sets = sets(flux)?.into_iter();
    let mut union = sets.next().unwrap_or_default();
    for set in sets {
        union.add(&set).map_err(failed)?;
        forget_shape(&mut union);
    }
    Ok(union)
}

/// Drops the scheduler's part of a set that has changed since.
pub fn forget_shape(set: &mut Rset) {
    set.set_nslots(None);
    set.set_scheduling(None);
}

fn unreadable(why: impl std::fmt::Display) -> CliError {
    failed(why).about("Failed to read an R object")
}

/// Reads one set.
fn decode(object: &Value) -> Result<Rset, CliError> {
    let decoded = match missing(object) {
        Some(key) => Err(not_found(key)),
        None => Rset::decode(&object.to_string()).map_err(|error| error.to_string()),
    };
    decoded.map_err(|why| CliError::new(format!("Failed to decode R on stdin: {why}")))
}

/// The first key that every set has and `object` lacks.
fn missing(object: &Value) -> Option<&'static str> {
    let Some(execution) = object.get("execution") else {
        let has_version = object.get("version").is_some();
        return Some(if has_version { "execution" } else { "version" });
    };
    match execution.get("R_lite") {
        _ if object.get("version").is_none() => Some("version"),
        None => Some("R_lite"),
        Some(_) => None,
    }
}

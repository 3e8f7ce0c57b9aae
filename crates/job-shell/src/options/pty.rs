//! Option `pty` (protocol/23 section 8): which tasks run on terminals.

use proto::data::IdSet;
use proto::data::shape::mismatch;
use proto::data::shell_option::{self as option, ShellOption};
use serde_json::Value;

use super::reader::{Problem, Reader};

/// Tasks that run on terminals, and the destination of their output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pty {
    /// Ranks of these tasks; `None` for all.
    ranks: Option<IdSet>,
    /// True if their output is also copied to standard output.
    pub capture: bool,
    /// Task 0 waits for a client.
    pub interactive: bool,
}

impl Pty {
    /// True if the task of this rank has a terminal.
    pub fn has(&self, rank: u32) -> bool {
        self.ranks.as_ref().is_none_or(|ranks| ranks.contains(rank))
    }
}

/// The part of the shell that speaks, and its plug-in.
const NAME: &str = "pty";

/// Reads the option. An object of another form ends the job at once.
pub(super) fn pty(reader: &mut Reader) -> Result<Option<Pty>, Problem> {
    let given = reader.value(option::PTY);
    let ranks = reader.value(option::PTY_RANKS);
    let capture = flag(reader, option::PTY_CAPTURE);
    let interactive = flag(reader, option::PTY_INTERACTIVE);
    let of_all = Pty {
        ranks: None,
        capture: true,
        interactive: false,
    };
    match given {
        None => return Ok(None),
        Some(Value::Object(_)) => {}
        Some(_) => return Ok(Some(of_all)),
    }
    let other = reader.strict(NAME, &["ranks", "capture", "interactive"])?;
    let (capture, interactive) = match (other, capture, interactive) {
        (None, Ok(capture), Ok(interactive)) => (capture, interactive.unwrap_or(false)),
        (Some(why), ..) | (_, Err(why), _) | (.., Err(why)) => {
            reader.fail_as(NAME, format!("invalid shell pty option: {why}"));
            return Ok(None);
        }
    };
    let mut ranks = match ranks {
        None if interactive => Some(IdSet::from_range(0, 0)),
        None => None,
        Some(ranks) => read_ranks(ranks)?,
    };
    if let Some(ranks) = &mut ranks
        && interactive
        && !ranks.contains(0)
    {
        reader.warn(NAME, "pty: adding pty to rank 0 for interactive support");
        ranks.insert(0);
    }
    Ok(Some(Pty {
        ranks,
        capture: capture.unwrap_or(!interactive),
        interactive,
    }))
}

fn flag(reader: &mut Reader, row: ShellOption) -> Result<Option<bool>, String> {
    match reader.value(row) {
        Some(value) if !value.is_number() && !value.is_boolean() => Err(mismatch("integer", value)),
        _ => Ok(reader.bool(row)),
    }
}

/// An idset, one rank, or `all`.
fn read_ranks(ranks: &Value) -> Result<Option<IdSet>, Problem> {
    let unknown = "pty: shell_taskids_intersect";
    match ranks {
        Value::String(all) if all == "all" => Ok(None),
        Value::String(ids) => Ok(Some(ids.parse().map_err(|_| unknown)?)),
        Value::Number(rank) => {
            let rank = rank.as_u64().and_then(|rank| u32::try_from(rank).ok());
            let rank = rank.ok_or(unknown)?;
            Ok(Some(IdSet::from_range(rank, rank)))
        }
        _ => Err(unknown.into()),
    }
}

//! `flux resource status`: nodes by their state for administrators.

use client::Handle;
use proto::data::{IdSet, Rset};
use proto::{job_manager, resource};

use super::ask;
use super::which::Which;
use crate::commands::jobs::query::split;
use command::error::CliError;
use command::flux::Flux;
use format::{Format, FormatOptions, Formats, Named, Table, Value};

const FORMATS: Formats = Formats {
    named: &[
        Named {
            name: "default",
            about: "Default flux-resource status format string",
            text: "{state:>12} {color_up}{up:>2}{color_off} {nnodes:>6} {nodelist}",
        },
        Named {
            name: "long",
            about: "Extended flux-resource status format string",
            text: "{state:>12} {color_up}{up:>2}{color_off} {nnodes:>6} +:{reason:<30.30} {nodelist}",
        },
    ],
    variable: "FLUX_RESOURCE_STATUS_FORMAT_DEFAULT",
    file: super::CONFIGURATION,
    table: Some("status"),
    lists: &[],
};

/// States that can be asked for.
const STATES: [&str; 11] = [
    "all",
    "online",
    "avail",
    "offline",
    "exclude",
    "drain",
    "draining",
    "drained",
    "torpid",
    "allocated",
    "housekeeping",
];

/// Shown when nothing is asked for (flux-resource(1)); those after the first only if they have
/// nodes. The others overlap with these: nodes that are offline have a line of their own in
/// each, with a star.
const SHOWN: [&str; 6] = [
    "avail",
    "exclude",
    "draining",
    "drained",
    "torpid",
    "housekeeping",
];

/// List nodes by state, and drained nodes with the reason
#[derive(clap::Args)]
pub struct Status {
    #[command(flatten)]
    format: FormatOptions,
    /// Show only these states, separated by commas
    #[arg(short, long, value_name = "STATES")]
    states: Vec<String>,
    #[command(flatten)]
    which: Which,
    /// Leave out states without nodes
    #[arg(long)]
    skip_empty: bool,
}

impl Status {
    pub fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let Some(text) = self.format.choose(flux, &FORMATS)? else {
            return Ok(());
        };
        let format = Format::of_user(&text, resolve)?;
        let wanted = self.wanted(flux)?;
        let mut handle = flux.connect()?;
        let status = ask(&mut handle, &resource::Status)?;
        let busy = Busy {
            allocated: ask(&mut handle, &resource::SchedStatus)?.allocated.ranks(),
            housekeeping: match wanted.iter().any(|state| state == "housekeeping") {
                true => in_housekeeping(&mut handle, !self.states.is_empty())?,
                false => IdSet::new(),
            },
        };
        let kept = self.which.ranks(&mut handle, &status.r)?;
        let is_coloured = flux.wants_color(clap::ColorChoice::Auto);
        let mut all = Vec::new();
        for state in &wanted {
            let is_optional = self.states.is_empty() && state != "avail";
            for mut row in rows(state, &status, &busy) {
                if let Some(kept) = &kept {
                    row.ranks = row.ranks.intersection(kept);
                }
                if row.ranks.is_empty() && (self.skip_empty || is_optional) {
                    continue;
                }
                all.extend(row.by_presence(&status.offline));
            }
        }
        let mut table = Table::new(&format, None, self.format.table(flux, None));
        for row in combined(all, &format) {
            table.push(|field| row.get(*field, &status.r, is_coloured));
        }
        table.print(&mut flux.out)?;
        Ok(())
    }

    fn wanted(&self, flux: &mut Flux) -> Result<Vec<String>, CliError> {
        let words: Vec<&str> = split(&self.states).collect();
        if let Some(bad) = words.iter().find(|word| !STATES.contains(word)) {
            let error = CliError::new(format!("Invalid resource state {bad} specified"));
            flux.complain(&error)?;
            let program = flux.program().to_owned();
            flux.note(format_args!(
                "{program}: INFO: valid states: {}",
                STATES.join(",")
            ))?;
            return Err(CliError::exit(1));
        }
        let words = if words.is_empty() {
            SHOWN.to_vec()
        } else {
            words
        };
        Ok(words.into_iter().map(str::to_owned).collect())
    }
}

/// One line: nodes of one state and reason.
#[derive(Clone)]
pub struct Row {
    /// State of the nodes.
    pub state: String,
    /// Reason; empty for nodes that are not drained.
    pub reason: String,
    /// Time of the drain; 0 for other nodes.
    pub timestamp: f64,
    /// The nodes.
    pub ranks: IdSet,
    /// The nodes are online.
    pub is_up: bool,
}

/// Field of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    State,
    BareState,
    Up,
    UpAscii,
    Presence,
    Timestamp,
    ColorUp,
    ColorOff,
    Nnodes,
    Ranks,
    Reason,
    Nodelist,
}

/// The field and its heading.
pub fn resolve(name: &str) -> Option<(Field, String)> {
    let (field, heading) = match name {
        "state" => (Field::State, "STATE"),
        "statex" => (Field::BareState, "STATE"),
        "up" => (Field::Up, "UP"),
        "up.ascii" => (Field::UpAscii, "UP"),
        "status" => (Field::Presence, "STATUS"),
        "timestamp" => (Field::Timestamp, "TIME"),
        "color_up" => (Field::ColorUp, ""),
        "color_off" => (Field::ColorOff, ""),
        "nnodes" => (Field::Nnodes, "NNODES"),
        "ranks" => (Field::Ranks, "RANKS"),
        "reason" => (Field::Reason, "REASON"),
        "nodelist" => (Field::Nodelist, "NODELIST"),
        _ => return None,
    };
    Some((field, heading.to_owned()))
}

impl Row {
    /// The nodes that are there, and those that are not. No nodes are one line.
    pub fn by_presence(self, offline: &IdSet) -> Vec<Row> {
        let away = self.ranks.intersection(offline);
        let present = self.ranks.difference(offline);
        let mut rows = Vec::new();
        if !present.is_empty() || away.is_empty() {
            rows.push(Row {
                ranks: present,
                is_up: self.state != "offline",
                ..self.clone()
            });
        }
        if !away.is_empty() {
            rows.push(Row {
                ranks: away,
                is_up: false,
                ..self
            });
        }
        rows
    }

    /// True if the fields that are not about nodes are equal.
    fn is_like(&self, other: &Row, fields: &[Field]) -> bool {
        fields.iter().all(|field| match field {
            Field::State => self.marked_state() == other.marked_state(),
            Field::BareState => self.state == other.state,
            Field::Up | Field::UpAscii | Field::Presence | Field::ColorUp => {
                self.is_up == other.is_up
            }
            Field::Timestamp => self.timestamp == other.timestamp,
            Field::Reason => self.reason == other.reason,
            Field::ColorOff | Field::Nnodes | Field::Ranks | Field::Nodelist => true,
        })
    }

    /// The state, with a star for nodes that are not there.
    fn marked_state(&self) -> String {
        match self.is_up || self.state == "offline" {
            true => self.state.clone(),
            false => format!("{}*", self.state),
        }
    }

    /// Value of a column; `r` has the names of the nodes.
    pub fn get<'v>(&'v self, field: Field, r: &Rset, is_coloured: bool) -> Value<'v> {
        let colour = |code: &'static str| Value::Escape(if is_coloured { code } else { "" });
        match field {
            Field::State => Value::Text(self.marked_state().into()),
            Field::BareState => Value::Text((&self.state).into()),
            Field::UpAscii => Value::Text(if self.is_up { "y" } else { "n" }.into()),
            Field::Presence => Value::Text(if self.is_up { "online" } else { "offline" }.into()),
            Field::Timestamp => Value::Float(self.timestamp),
            Field::Up => Value::Text(if self.is_up { "✔" } else { "✗" }.into()),
            Field::ColorUp => colour(if self.is_up { "\x1b[32m" } else { "\x1b[31m" }),
            Field::ColorOff => colour("\x1b[0m"),
            Field::Nnodes => Value::Int(i64::try_from(self.ranks.count()).unwrap_or(i64::MAX)),
            Field::Ranks => Value::Text(self.ranks.to_string().into()),
            Field::Reason => Value::Text((&self.reason).into()),
            Field::Nodelist => {
                let mut nodes = r.clone();
                nodes.keep_ranks(&self.ranks);
                Value::Text(nodes.nodelist().to_string().into())
            }
        }
    }
}

/// The rows, with equal ones combined: those whose fields other than the nodes agree.
pub fn combined(rows: Vec<Row>, format: &Format<Field>) -> Vec<Row> {
    let fields = format.columns.iter().map(|column| column.field);
    let fields: Vec<Field> = fields.collect();
    let mut all: Vec<Row> = Vec::new();
    for row in rows {
        match all.iter_mut().find(|other| other.is_like(&row, &fields)) {
            Some(other) => other.ranks.add(&row.ranks),
            None => all.push(row),
        }
    }
    all
}

/// Ranks that are not free.
struct Busy {
    /// Of jobs, or after them.
    allocated: IdSet,
    /// Nodes where a command runs after a job.
    housekeeping: IdSet,
}

/// Ranks that run housekeeping after a job. Without a job manager nowhere, unless that
/// `is_asked`.
fn in_housekeeping(handle: &mut Handle, is_asked: bool) -> Result<IdSet, CliError> {
    match ask(handle, &job_manager::StatsGet) {
        Ok(stats) => {
            let jobs = stats.housekeeping.running.into_values();
            Ok(jobs.fold(IdSet::new(), |all, job| all.union(&job.pending)))
        }
        Err(_) if !is_asked => Ok(IdSet::new()),
        Err(error) => Err(error),
    }
}

/// The lines of one state; drained nodes have one for each reason.
fn rows(state: &str, status: &resource::StatusReply, busy: &Busy) -> Vec<Row> {
    let row = |reason: &str, timestamp: f64, ranks: IdSet| Row {
        state: state.to_owned(),
        reason: reason.to_owned(),
        timestamp,
        ranks,
        is_up: true,
    };
    let drained = drains(status);
    let all_drained = drained
        .iter()
        .fold(IdSet::default(), |all, (_, _, ranks)| all.union(ranks));
    let ranks = match state {
        "all" => status.r.ranks(),
        "online" => status.online.clone(),
        "avail" => status
            .r
            .ranks()
            .difference(&all_drained)
            .difference(&status.exclude),
        "offline" => status.offline.clone(),
        "exclude" => status.exclude.clone(),
        "torpid" => status.torpid.clone(),
        "allocated" => busy.allocated.clone(),
        "housekeeping" => busy.housekeeping.clone(),
        "drain" | "draining" | "drained" => {
            let of_state = |ranks: &IdSet| match state {
                "draining" => ranks.intersection(&busy.allocated),
                "drained" => ranks.difference(&busy.allocated),
                _ => ranks.clone(),
            };
            let rows = drained.iter();
            return rows
                .map(|(reason, time, ranks)| row(reason, *time, of_state(ranks)))
                .filter(|row| !row.ranks.is_empty())
                .collect();
        }
        _ => IdSet::default(),
    };
    vec![row("", 0.0, ranks)]
}

/// Reason, time and ranks of drained nodes, oldest first.
pub fn drains(status: &resource::StatusReply) -> Vec<(String, f64, IdSet)> {
    let drains = status.drain.iter();
    let mut drains: Vec<(String, f64, IdSet)> = drains
        .filter_map(|(ranks, info)| {
            Some((info.reason.clone(), info.timestamp, ranks.parse().ok()?))
        })
        .collect();
    drains.sort_by(|one, other| one.1.total_cmp(&other.1));
    drains
}

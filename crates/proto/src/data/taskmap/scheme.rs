//! Distribution of a job's tasks over its nodes: the shell option `taskmap` (protocol/23
//! section 10). The texts are those of the job's log.

use super::{TaskMap, TaskMapError};
use crate::data::hostlist::Hostlist;
use crate::data::idset::IdSet;

/// A way to distribute tasks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scheme {
    /// One node after the other.
    Block,
    /// In rounds, this many at a time.
    Cyclic(u32),
    /// By this map.
    Manual(TaskMap),
    /// One task for each host listed in this file, repeatedly.
    Hostfile(String),
}

/// Reasons for which tasks cannot be distributed as requested.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SchemeError {
    /// A scheme that takes no value has one.
    #[error("block taskmap does not accept a value (got {0})")]
    BlockValue(String),
    /// There is no such scheme.
    #[error("failed to map tasks with scheme={0}")]
    Unknown(String),
    /// Not a number of tasks.
    #[error("invalid cyclic stride: {0}")]
    Stride(String),
    /// Not a task map.
    #[error("taskmap={0}: {1}")]
    Undecodable(String, String),
    /// A map of another number of nodes.
    #[error("invalid taskmap: got {0} nodes, expected {1}")]
    Nodes(u64, u64),
    /// A map of another number of tasks.
    #[error("invalid taskmap: got {0} total tasks, expected {1}")]
    Tasks(u64, u64),
    /// The map is unknown.
    #[error("invalid taskmap: mapping is unknown")]
    MapUnknown,
    /// The file cannot be read.
    #[error("failed to open hostfile: {0}: {1}")]
    Hostfile(String, String),
    /// The file is empty, or lists no hosts.
    #[error("failed to map tasks with hostfile:{0}: {1}")]
    Hosts(String, String),
}

impl SchemeError {
    /// The part of the shell that reports the error of a scheme's own rule; `None` if the shell
    /// itself does.
    pub const fn component(&self) -> Option<&'static str> {
        match self {
            Self::Stride(_) => Some("taskmap.cyclic"),
            Self::Hostfile(..) | Self::Hosts(..) => Some("taskmap.hostfile"),
            _ => None,
        }
    }
}

impl Scheme {
    /// Reads the option's `scheme` and `value`.
    pub fn read(scheme: &str, value: &str) -> Result<Self, SchemeError> {
        match (scheme, value) {
            ("block", "") => Ok(Self::Block),
            ("block", value) => Err(SchemeError::BlockValue(value.to_owned())),
            ("cyclic", "") => Ok(Self::Cyclic(1)),
            ("cyclic", stride) => match stride.parse() {
                Ok(number) if number > 0 => Ok(Self::Cyclic(number)),
                _ => Err(SchemeError::Stride(stride.to_owned())),
            },
            ("manual", map) => map.parse().map(Self::Manual).map_err(|error| {
                let why = match error {
                    TaskMapError::Malformed(why) => why,
                    error => error.to_string(),
                };
                SchemeError::Undecodable(map.to_owned(), why)
            }),
            ("hostfile", path) => Ok(Self::Hostfile(path.to_owned())),
            (other, _) => Err(SchemeError::Unknown(other.to_owned())),
        }
    }

    /// Distributes tasks over nodes of which node `n` would have `counts[n]` tasks by default
    /// and is host `hosts[n]`. `file` has the contents of the file of [`Scheme::Hostfile`].
    pub fn map(&self, counts: &[u32], hosts: &[&str], file: &str) -> Result<TaskMap, SchemeError> {
        let default = |map: Result<TaskMap, TaskMapError>| {
            map.map_err(|error| SchemeError::Unknown(error.to_string()))
        };
        match self {
            Self::Block => default(TaskMap::block(counts)),
            Self::Cyclic(stride) => default(TaskMap::cyclic(counts, *stride)),
            Self::Manual(map) => fitting(map.clone(), counts),
            Self::Hostfile(path) => {
                let refuse = |why| SchemeError::Hosts(path.clone(), why);
                let listed = read_hosts(file).map_err(refuse)?;
                let map = deal(&listed, hosts, total(counts)).map_err(refuse)?;
                fitting(map, counts)
            }
        }
    }
}

/// A map that places the tasks of the job on its nodes, with the same numbers of both.
fn fitting(map: TaskMap, counts: &[u32]) -> Result<TaskMap, SchemeError> {
    let (nodes, tasks) = (counts.len() as u64, total(counts));
    if map.is_unknown() {
        Err(SchemeError::MapUnknown)
    } else if u64::from(map.nnodes()) != nodes {
        Err(SchemeError::Nodes(map.nnodes().into(), nodes))
    } else if map.ntasks() != tasks {
        Err(SchemeError::Tasks(map.ntasks(), tasks))
    } else {
        Ok(map)
    }
}

fn total(counts: &[u32]) -> u64 {
    counts.iter().copied().map(u64::from).sum()
}

/// The hosts of all lines, in order.
fn read_hosts(file: &str) -> Result<Hostlist, String> {
    let mut all = Hostlist::default();
    for line in file.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let hosts: Hostlist = line.parse().map_err(|error| format!("{line}: {error}"))?;
        all.extend(&hosts).map_err(|error| error.to_string())?;
    }
    match all.is_empty() {
        true => Err("no hosts are listed".to_owned()),
        false => Ok(all),
    }
}

/// Deals out tasks to the listed hosts in turn. Of nodes with the same name the one with the
/// fewest tasks is next.
fn deal(listed: &Hostlist, hosts: &[&str], ntasks: u64) -> Result<TaskMap, String> {
    let mut nodes = vec![IdSet::new(); hosts.len()];
    let turns = listed.iter().cycle();
    for (task, host) in (0..u32::try_from(ntasks).unwrap_or(u32::MAX)).zip(turns) {
        let same = (0..hosts.len()).filter(|node| hosts[*node] == host);
        let next = same.min_by_key(|node| nodes[*node].count());
        let next = next.ok_or_else(|| format!("host {host} not found in job nodelist"))?;
        nodes[next].insert(task);
    }
    TaskMap::from_nodes(&nodes).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The map of a job with these tasks per node on hosts `a`, `b`, `c` and `d`, or the error.
    /// The file of `hostfile` contains the value, with lines separated by blanks.
    fn check(counts: &[u32], scheme: &str, value: &str, expect: &str) {
        let hosts = &["a", "b", "c", "d"][..counts.len()];
        let file = value.replace(' ', "\n");
        let map = Scheme::read(scheme, value).and_then(|s| s.map(counts, hosts, &file));
        let outcome = map.map_or_else(|error| error.to_string(), |map| map.to_string());
        assert_eq!(outcome, expect, "{scheme}:{value}");
    }

    const FOURS: &[u32] = &[4, 4, 4, 4];

    #[test]
    fn schemes_spread_tasks() {
        check(FOURS, "block", "", "[[0,4,4,1]]");
        check(FOURS, "cyclic", "", "[[0,4,1,4]]");
        check(FOURS, "cyclic", "2", "[[0,4,2,2]]");
        check(FOURS, "cyclic", "3", "[[0,4,3,1],[0,4,1,1]]");
        check(&[2], "cyclic", "2", "[[0,1,2,1]]");
        check(&[3, 1], "cyclic", "", "[[0,2,1,1],[0,1,2,1]]");
        check(FOURS, "manual", "[[0,4,2,2]]", "[[0,4,2,2]]");
        let moved = "0-6;7-13;14;15";
        check(FOURS, "manual", moved, "[[0,2,7,1],[2,2,1,1]]");
        let wrapped = r#"{"version":1,"map":[[0,1,2,1]]}"#;
        check(&[2], "manual", wrapped, "[[0,1,2,1]]");
    }

    #[test]
    fn a_file_of_hosts_deals_out_tasks() {
        check(&[2, 2], "hostfile", "a b", "[[0,2,1,2]]");
        check(
            &[2, 2],
            "hostfile",
            "b,a",
            "[[1,1,1,1],[0,2,1,1],[0,1,1,1]]",
        );
        check(
            &[2, 2],
            "hostfile",
            "a,a b",
            "[[0,1,2,1],[1,1,1,1],[0,1,1,1]]",
        );
        let text = "failed to map tasks with hostfile:a foo: host foo not found in job nodelist";
        check(&[2, 2], "hostfile", "a foo", text);
        let text = "invalid taskmap: got 1 nodes, expected 2";
        check(&[2, 2], "hostfile", "a", text);
        let text = "failed to map tasks with hostfile:: no hosts are listed";
        check(&[2, 2], "hostfile", "", text);
    }

    #[test]
    fn nodes_of_one_name_take_turns() {
        let hosts: Hostlist = "vm".parse().unwrap();
        let map = deal(&hosts, &["vm", "vm"], 4).unwrap();
        assert_eq!(map.to_string(), "[[0,2,1,2]]");
    }

    #[test]
    fn what_is_no_scheme_or_no_map_is_named() {
        let text = "block taskmap does not accept a value (got oops)";
        check(&[1], "block", "oops", text);
        check(&[1], "foo", "", "failed to map tasks with scheme=foo");
        for stride in ["0", "x", "-1", "1.5"] {
            check(
                &[1],
                "cyclic",
                stride,
                &format!("invalid cyclic stride: {stride}"),
            );
        }
        check(
            &[1],
            "manual",
            "{}",
            "taskmap={}: Object item not found: version",
        );
        check(
            &[1],
            "manual",
            "[[0,4,1,1]]",
            "invalid taskmap: got 4 nodes, expected 1",
        );
        check(
            &[1],
            "manual",
            "[[0,1,3,1]]",
            "invalid taskmap: got 3 total tasks, expected 1",
        );
        check(&[1], "manual", "[]", "invalid taskmap: mapping is unknown");
        check(
            &[2],
            "manual",
            "[[7,1,2,1]]",
            "invalid taskmap: got 8 nodes, expected 1",
        );
        for map in ["rubbish", "[[0,1,5,1]]x", "[[0,1,1]]"] {
            let outcome = Scheme::read("manual", map).unwrap_err().to_string();
            assert!(
                outcome.starts_with(&format!("taskmap={map}: ")),
                "{outcome}"
            );
        }
    }
}

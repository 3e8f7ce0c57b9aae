//! Task maps (RFC 34): the node of each task of a job.
//!
//! Contains the blocks and their meaning; the text forms are in `text.rs`, the schemes of jobs in
//! `scheme.rs`. Maps are bounded before they are expanded. Node ids count from 0 within the job;
//! they are not broker ranks.

mod scheme;
mod text;

pub use scheme::{Scheme, SchemeError};

use super::idset::IdSet;
use super::limits::{TASKMAP_NODES_MAX, TASKMAP_TASKS_MAX};

/// `ppn` tasks on each of `nnodes` nodes from `nodeid` up, the whole `repeat` times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block {
    /// The first node.
    pub nodeid: u32,
    /// Number of consecutive nodes.
    pub nnodes: u32,
    /// Tasks on each node in each repetition.
    pub ppn: u32,
    /// Number of repetitions.
    pub repeat: u32,
}

/// A task map. Without blocks the map is unknown.
///
/// In JSON it is written as `{"version":1,"map":[…]}`; the bare array is read too. `FromStr`
/// reads every form. `Display` is the bare array.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TaskMap {
    blocks: Vec<Block>,
}

/// Errors of parsing a task map. Services answer EINVAL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TaskMapError {
    /// A block without nodes, tasks or repetitions.
    #[error("task map block has a zero count")]
    Zero,
    /// More tasks than `TASKMAP_TASKS_MAX`.
    #[error("task map has more than {TASKMAP_TASKS_MAX} tasks")]
    TooManyTasks,
    /// More nodes than `TASKMAP_NODES_MAX`.
    #[error("task map has more than {TASKMAP_NODES_MAX} nodes")]
    TooManyNodes,
    /// The tasks of the nodes are not 0 to n-1, each once.
    #[error("task map does not place every task once")]
    NotAPartition,
    /// The text has none of the forms.
    #[error("malformed task map: {0}")]
    Malformed(String),
}

impl TaskMap {
    /// A map of these blocks.
    pub fn from_blocks(blocks: Vec<Block>) -> Result<Self, TaskMapError> {
        let mut tasks: u64 = 0;
        for block in &blocks {
            let Block {
                nodeid,
                nnodes,
                ppn,
                repeat,
            } = *block;
            if nnodes == 0 || ppn == 0 || repeat == 0 {
                return Err(TaskMapError::Zero);
            }
            if u64::from(nodeid) + u64::from(nnodes) > TASKMAP_NODES_MAX {
                return Err(TaskMapError::TooManyNodes);
            }
            let passes = u64::from(nnodes) * u64::from(ppn);
            tasks = passes
                .checked_mul(u64::from(repeat))
                .and_then(|more| tasks.checked_add(more))
                .filter(|tasks| *tasks <= TASKMAP_TASKS_MAX)
                .ok_or(TaskMapError::TooManyTasks)?;
        }
        Ok(Self { blocks })
    }

    /// The map in which node `n` has the tasks `nodes[n]`.
    pub fn from_nodes(nodes: &[IdSet]) -> Result<Self, TaskMapError> {
        if nodes.len() as u64 > TASKMAP_NODES_MAX {
            return Err(TaskMapError::TooManyNodes);
        }
        let mut runs: Vec<(u32, u32, u32)> = Vec::new();
        for (node, tasks) in (0..).zip(nodes) {
            runs.extend(tasks.ranges().map(|(first, last)| (first, last, node)));
        }
        runs.sort_unstable();
        let mut next = 0;
        let mut blocks = Vec::new();
        for (first, last, node) in runs {
            if u64::from(first) != next {
                return Err(TaskMapError::NotAPartition);
            }
            next = u64::from(last) + 1;
            if next > TASKMAP_TASKS_MAX {
                return Err(TaskMapError::TooManyTasks);
            }
            append_run(&mut blocks, node, last - first + 1);
        }
        Self::from_blocks(fold_repeats(blocks))
    }

    /// Node `n` has the next `counts[n]` tasks: the default distribution.
    pub fn block(counts: &[u32]) -> Result<Self, TaskMapError> {
        let mut blocks = Vec::new();
        for (node, count) in (0..).zip(counts).filter(|(_, count)| **count > 0) {
            append_run(&mut blocks, node, *count);
        }
        Self::from_blocks(blocks)
    }

    /// Tasks are dealt out `stride` at a time, in rounds, until node `n` has `counts[n]`.
    pub fn cyclic(counts: &[u32], stride: u32) -> Result<Self, TaskMapError> {
        if stride == 0 {
            return Err(TaskMapError::Zero);
        }
        let total = counts
            .iter()
            .try_fold(0_u64, |sum, count| sum.checked_add(u64::from(*count)));
        if total.is_none_or(|total| total > TASKMAP_TASKS_MAX) {
            return Err(TaskMapError::TooManyTasks);
        }
        let mut nodes = vec![IdSet::new(); counts.len()];
        let mut left = counts.to_vec();
        let mut next = 0;
        while left.iter().any(|left| *left > 0) {
            for (tasks, left) in nodes.iter_mut().zip(&mut left) {
                let dealt = stride.min(*left);
                if dealt > 0 {
                    tasks.insert_range(next, next + dealt - 1);
                    next += dealt;
                    *left -= dealt;
                }
            }
        }
        Self::from_nodes(&nodes)
    }

    /// The blocks.
    pub fn blocks(&self) -> &[Block] {
        &self.blocks
    }

    /// True if the map is unknown.
    pub fn is_unknown(&self) -> bool {
        self.blocks.is_empty()
    }

    /// Number of tasks.
    pub fn ntasks(&self) -> u64 {
        let tasks = |block: &Block| {
            u64::from(block.nnodes) * u64::from(block.ppn) * u64::from(block.repeat)
        };
        self.blocks.iter().map(tasks).sum()
    }

    /// One more than the highest node.
    pub fn nnodes(&self) -> u32 {
        self.blocks
            .iter()
            .map(|block| block.nodeid + block.nnodes)
            .max()
            .unwrap_or(0)
    }

    /// The tasks of every node, by node.
    pub fn nodes(&self) -> Vec<IdSet> {
        let mut nodes = vec![IdSet::new(); self.nnodes() as usize];
        self.for_each_run(|node, first, count| {
            if let Some(tasks) = nodes.get_mut(node as usize) {
                tasks.insert_range(first, first + count - 1);
            }
        });
        nodes
    }

    /// The tasks of one node; empty for an unknown node.
    pub fn tasks_on(&self, nodeid: u32) -> IdSet {
        let mut tasks = IdSet::new();
        self.for_each_run(|node, first, count| {
            if node == nodeid {
                tasks.insert_range(first, first + count - 1);
            }
        });
        tasks
    }

    /// The node of one task.
    pub fn node_of(&self, task: u32) -> Option<u32> {
        let mut before = 0;
        for Block {
            nodeid,
            nnodes,
            ppn,
            repeat,
        } in &self.blocks
        {
            let pass = u64::from(*nnodes) * u64::from(*ppn);
            let inside = u64::from(task) - before;
            if inside < pass * u64::from(*repeat) {
                return Some(nodeid + (inside % pass / u64::from(*ppn)) as u32);
            }
            before += pass * u64::from(*repeat);
        }
        None
    }

    /// Calls `visit(node, first task, count)` for every run of tasks in order of tasks.
    fn for_each_run(&self, mut visit: impl FnMut(u32, u32, u32)) {
        let mut next = 0;
        for Block {
            nodeid,
            nnodes,
            ppn,
            repeat,
        } in &self.blocks
        {
            for _ in 0..*repeat {
                for node in *nodeid..nodeid + nnodes {
                    visit(node, next, *ppn);
                    next += ppn;
                }
            }
        }
    }
}

/// Extends the last block by a node if that continues it, else begins another.
fn append_run(blocks: &mut Vec<Block>, nodeid: u32, ppn: u32) {
    match blocks.last_mut() {
        Some(last) if last.ppn == ppn && last.nodeid + last.nnodes == nodeid => last.nnodes += 1,
        _ => blocks.push(Block {
            nodeid,
            nnodes: 1,
            ppn,
            repeat: 1,
        }),
    }
}

fn fold_repeats(blocks: Vec<Block>) -> Vec<Block> {
    let mut folded: Vec<Block> = Vec::new();
    for block in blocks {
        match folded.last_mut() {
            Some(last) if (Block { repeat: 1, ..*last }) == block => last.repeat += 1,
            _ => folded.push(block),
        }
    }
    folded
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(map: Result<TaskMap, TaskMapError>, expect: &str) {
        assert_eq!(
            map.map_or_else(|error| error.to_string(), |map| map.to_string()),
            expect
        );
    }

    #[test]
    fn distributions_make_the_maps_of_the_rfc() {
        check(TaskMap::block(&[4, 4, 4, 4]), "[[0,4,4,1]]");
        check(TaskMap::block(&[2, 2, 2, 2, 4, 4]), "[[0,4,2,1],[4,2,4,1]]");
        check(TaskMap::block(&[1, 0, 1]), "[[0,1,1,1],[2,1,1,1]]");
        check(TaskMap::block(&[]), "[]");
        check(TaskMap::cyclic(&[4, 4, 4, 4], 1), "[[0,4,1,4]]");
        check(TaskMap::cyclic(&[4, 4, 4, 4], 2), "[[0,4,2,2]]");
        check(
            TaskMap::cyclic(&[2, 2, 2, 2, 4, 4], 1),
            "[[0,6,1,2],[4,2,1,2]]",
        );
        check(
            TaskMap::cyclic(&[2, 2, 2, 2, 4, 4], 2),
            "[[0,6,2,1],[4,2,2,1]]",
        );
        check(TaskMap::cyclic(&[256; 4096], 1), "[[0,4096,1,256]]");
    }

    #[test]
    fn maps_are_bounded_before_they_are_expanded() {
        let block = |nodeid, nnodes, ppn, repeat| {
            TaskMap::from_blocks(vec![Block {
                nodeid,
                nnodes,
                ppn,
                repeat,
            }])
        };
        check(block(0, 1, 0, 1), "task map block has a zero count");
        check(
            block(u32::MAX, u32::MAX, 1, 1),
            "task map has more than 1048576 nodes",
        );
        check(
            block(0, 1, u32::MAX, u32::MAX),
            "task map has more than 4194304 tasks",
        );
        check(
            block(0, 1 << 20, u32::MAX, u32::MAX),
            "task map has more than 4194304 tasks",
        );
        check(
            TaskMap::cyclic(&[u32::MAX], 1),
            "task map has more than 4194304 tasks",
        );
        check(TaskMap::cyclic(&[1], 0), "task map block has a zero count");
        let huge = ["0-4000000000".parse().unwrap()];
        check(
            TaskMap::from_nodes(&huge),
            "task map has more than 4194304 tasks",
        );
    }

    #[test]
    fn every_task_must_be_placed_once() {
        for raw in [["0", "2"], ["1", "2"], ["0-1", "1"]] {
            let nodes = raw.map(|tasks| tasks.parse().unwrap());
            check(
                TaskMap::from_nodes(&nodes),
                "task map does not place every task once",
            );
        }
    }

    #[test]
    fn an_unknown_map_places_nothing() {
        let map = TaskMap::default();
        assert!(map.is_unknown());
        assert_eq!((map.ntasks(), map.nnodes(), map.node_of(0)), (0, 0, None));
    }

    proptest! {
        #[test]
        fn a_map_places_each_task_where_it_was(places in prop::collection::vec(0_u32..5, 1..40)) {
            let mut nodes = vec![IdSet::new(); 5];
            for (task, node) in (0..).zip(&places) {
                nodes[*node as usize].insert(task);
            }
            let map = TaskMap::from_nodes(&nodes).unwrap();
            prop_assert_eq!(map.ntasks(), places.len() as u64);
            for (task, node) in (0..).zip(&places) {
                prop_assert_eq!(map.node_of(task), Some(*node));
            }
            for (node, tasks) in (0..).zip(&nodes) {
                prop_assert_eq!(&map.tasks_on(node), tasks);
            }
            let used = map.nnodes() as usize;
            prop_assert_eq!(map.nodes(), &nodes[..used]);
            prop_assert_eq!(map.to_string().parse(), Ok(map.clone()));
            prop_assert_eq!(map.to_raw().parse(), Ok(map.clone()));
            let from_pmi: TaskMap = map.to_pmi().parse().unwrap();
            prop_assert_eq!(from_pmi.nodes(), map.nodes());
        }
    }
}

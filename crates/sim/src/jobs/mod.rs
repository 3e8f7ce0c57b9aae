//! Programs that submit, end, follow and list jobs, mock shells that run them, and the
//! checkers of the results.
//!
//! All of them know the promises to a client and no more. The work of a job follows from its name
//! (`task.rs`); requests and answers are in `ledger.rs`; the meaning of a log of events is in
//! `history.rs`, written down a second time on purpose. Read on in `submitter.rs`, `meddler.rs`,
//! `follower.rs`, `consumer.rs` and `reader.rs` (who is at work), `auditor.rs` (who looks at
//! everything in the end) and `shell.rs` with `stage.rs` (job shells without tasks).
//!
//! Where there are policies, `terms.rs` has the demands of jobs, `operator.rs` changes the
//! limits (`site.rs`, `eras.rs`), and `rules.rs` and `easy.rs` check the promises.

mod auditor;
mod consumer;
mod desk;
mod easy;
mod eras;
mod follower;
mod history;
mod ledger;
mod meddler;
mod operator;
mod reader;
mod rules;
mod shell;
mod site;
mod stage;
mod submitter;
mod task;
mod terms;

use std::cell::RefCell;
use std::rc::Rc;

use crate::program::Program;
use auditor::Auditor;
use consumer::Consumer;
use follower::Follower;
use ledger::Ledger;
use meddler::Meddler;
use operator::Operator;
use reader::Reader;
pub(crate) use stage::Shells;
use submitter::Submitter;

/// Submitters at work.
const SUBMITTERS: usize = 3;
/// Nodes of an instance that has many.
pub(crate) const NODES: u32 = 4;
/// Cores of each node.
pub(crate) const CORES: u32 = 4;

/// State shared by all programs and shells of a run.
pub(crate) type Shared = Rc<RefCell<Ledger>>;

/// Everyone who uses the job services.
pub(crate) fn programs(ledger: &Shared, nodes: u32) -> Vec<Box<dyn Program>> {
    let submitters = (0..SUBMITTERS).map(|number| Submitter::new(number, nodes, ledger.clone()));
    submitters
        .map(|submitter| Box::new(submitter) as Box<dyn Program>)
        .chain(others(ledger))
        .collect()
}

/// The same where jobs have terms and the limits change.
pub(crate) fn programs_with_policies(ledger: &Shared) -> Vec<Box<dyn Program>> {
    let submitters = (0..SUBMITTERS).map(|number| Submitter::new(number, 1, ledger.clone()));
    let operator: Box<dyn Program> = Box::new(Operator::new(ledger.clone()));
    submitters
        .map(|submitter| Box::new(submitter.with_terms()) as Box<dyn Program>)
        .chain([operator])
        .chain(others(ledger))
        .collect()
}

fn others(ledger: &Shared) -> Vec<Box<dyn Program>> {
    vec![
        Box::new(Meddler::new(ledger.clone())),
        Box::new(Follower::new(ledger.clone())),
        Box::new(Consumer::new(ledger.clone())),
        Box::new(Reader::new(ledger.clone())),
        Box::new(Auditor::new(ledger.clone())),
    ]
}

/// The configuration of an instance whose nodes have [`CORES`] each.
pub(crate) fn config(nodes: u32) -> proto::Object {
    let hosts: Vec<String> = (0..nodes)
        .map(|rank| crate::stage::host(rank, nodes))
        .collect();
    let config = serde_json::json!({
        "resource": {
            "noverify": true,
            "norestrict": true,
            "config": [{"hosts": hosts.join(","), "cores": format!("0-{}", CORES - 1)}],
        }
    });
    serde_json::from_value(config).expect("an object")
}

//! Every row there is, in the order of the table.

use super::row::Row;

mod array;
mod commands;
mod content;
mod events;
mod history;
mod job_costs;
mod jobs;
mod kvs;
mod kvs_large;
mod kvs_logs;
mod memory;
mod nodes;
mod policies;
mod round_trip;
mod sched;
mod start_true;
mod tree;
mod waiting;

/// Rows of `cargo xtask bench`.
pub const ROWS: &[Row] = &[
    start_true::ROW,
    commands::GETATTR,
    commands::JOBS,
    commands::SUBMIT,
    commands::RUN,
    round_trip::LATENCY,
    round_trip::RATE,
    events::ROW,
    kvs::COMMIT_10,
    kvs::COMMIT_1K,
    kvs::COMMIT_10K,
    kvs::COMMIT_50K,
    kvs::CLIENT_1,
    kvs::CLIENT_8,
    kvs::CLIENT_32,
    kvs::WINDOW,
    kvs::LOOKUPS,
    kvs_logs::APPEND_500,
    kvs_logs::APPEND_50K,
    kvs_logs::APPEND_CLIENTS,
    kvs_logs::WATCH_ONE,
    kvs_large::MEMORY,
    kvs_large::FIRST,
    kvs_large::REOPEN,
    content::STORE,
    content::STORES,
    content::LOADS,
    jobs::MOCK,
    jobs::REAL,
    array::RATE,
    array::CPU,
    array::SUBMIT,
    jobs::JOURNAL,
    jobs::LIST,
    jobs::RELOAD,
    jobs::RESTART,
    history::START_100K,
    history::LIST_100K,
    history::LIST_1M,
    history::CPU_1M,
    history::RELOAD_100K,
    history::MEMORY,
    job_costs::MOCK,
    job_costs::REAL,
    job_costs::REAL_FEW,
    job_costs::RATE,
    job_costs::FLAT,
    job_costs::SUBMIT,
    job_costs::STORE,
    job_costs::STORE_ENV,
    nodes::MOCK_1K,
    nodes::MOCK_16K,
    nodes::STATUS_16K,
    sched::BACKFILL,
    waiting::MEMORY,
    waiting::SUBMIT,
    waiting::END,
    waiting::QUEUE,
    policies::NONE,
    policies::ALL,
    policies::COST,
    memory::IDLE,
    memory::USED,
    memory::JOB,
    tree::start::START_1,
    tree::start::START_4,
    tree::start::START_16,
    tree::start::START_64,
    tree::start::START_256,
    tree::start::EXEC,
    tree::memory::SHARED,
    tree::memory::RESIDENT,
    tree::hops::LOCAL,
    tree::hops::ONE,
    tree::hops::TWO,
    tree::hops::THREE,
    tree::hops::LINK,
    tree::hops::LINK_SOCKET,
    tree::hops::LINK_TCP,
    tree::events::FLAT,
    tree::events::DEEP,
    tree::jobs::MOCK,
    tree::commits::RATE,
    tree::commits::ROOTS,
];

#[test]
fn row_names_are_unique() {
    let mut names: Vec<&str> = ROWS.iter().map(|row| row.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), ROWS.len());
}

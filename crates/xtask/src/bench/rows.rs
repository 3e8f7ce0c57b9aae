//! Every row there is, in the order of the table.

use super::row::Row;

mod commands;
mod content;
mod events;
mod jobs;
mod kvs;
mod kvs_large;
mod kvs_logs;
mod memory;
mod round_trip;
mod start_true;

/// What `cargo xtask bench` measures.
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
    jobs::JOURNAL,
    jobs::LIST,
    jobs::RELOAD,
    jobs::RESTART,
    memory::IDLE,
    memory::USED,
    memory::JOB,
];

#[test]
fn row_names_are_unique() {
    let mut names: Vec<&str> = ROWS.iter().map(|row| row.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), ROWS.len());
}

//! Every row there is, in the order of the table.

use super::row::Row;

mod commands;
mod events;
mod jobs;
mod kvs;
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
    kvs::APPEND,
    kvs::COMMIT,
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

//! The table: order, moves from list to list, and beginning again.

use proto::data::job::State;

use super::*;

fn put(table: &mut Table, id: u64, state: State, number: u32) {
    table.change(id, |job| {
        job.state = state;
        job.priority = number;
        job.times.run = number.into();
        job.times.inactive = number.into();
    });
    table.check_invariants();
}

fn ids(table: &Table, list: List) -> Vec<u64> {
    match list {
        List::Inactive => table
            .newest(|_| true, Ended::LAST)
            .map(|job| job.id)
            .collect(),
        list => table.list(list).map(|job| job.id).collect(),
    }
}

/// The same jobs before and after sorting, or after it.
fn check(sort_first: bool) {
    let mut table = Table::default();
    if sort_first {
        table.sort();
    }
    for (id, priority) in [(1, 16), (2, 16), (3, 31), (4, 0)] {
        put(&mut table, id, State::Sched, priority);
    }
    for (id, time) in [(5, 10), (6, 30), (7, 20), (8, 0)] {
        put(&mut table, id, State::Run, time);
    }
    for (id, time) in [(9, 10), (10, 30), (11, 10)] {
        put(&mut table, id, State::Inactive, time);
    }
    put(&mut table, 12, State::New, 0);
    if !sort_first {
        table.sort();
    }
    table.check_invariants();
    assert_eq!(ids(&table, List::Pending), [3, 1, 2, 4]);
    assert_eq!(ids(&table, List::Running), [6, 7, 5, 8]);
    assert_eq!(ids(&table, List::Inactive), [10, 11, 9]);
    assert_eq!(ids(&table, List::Processing), [0; 0]);
}

#[test]
fn history_and_events_give_the_same_order() {
    check(true);
    check(false);
}

#[test]
fn jobs_move_from_list_to_list_and_go() {
    let mut table = Table::default();
    table.sort();
    put(&mut table, 1, State::Sched, 16);
    put(&mut table, 2, State::Sched, 16);
    put(&mut table, 2, State::Sched, 20);
    assert_eq!(ids(&table, List::Pending), [2, 1]);
    put(&mut table, 2, State::Run, 20);
    put(&mut table, 2, State::Inactive, 20);
    assert_eq!(ids(&table, List::Inactive), [2]);
    assert!(table.remove(2).is_some());
    assert!(table.remove(2).is_none());
    table.check_invariants();
    put(&mut table, 3, State::Sched, 16);
    assert_eq!(ids(&table, List::Pending), [1, 3]);
    assert_eq!(table.slots.len(), 2);
}

#[test]
fn rows_of_a_history_come_to_where_events_bring_a_job() {
    let ended = |id: u64, time: f64| {
        let mut job = Job::new(id);
        job.state = State::Inactive;
        job.times.inactive = time;
        job
    };
    let mut table = Table::default();
    for (id, time) in [(1, 10.0), (2, 30.0), (3, 20.0), (2, 40.0)] {
        table.add_ended(ended(id, time));
    }
    assert_eq!(table.get(3).map(|job| job.times.inactive), Some(20.0));
    put(&mut table, 4, State::Run, 5);
    table.sort();
    table.check_invariants();
    assert_eq!(ids(&table, List::Inactive), [2, 3, 1]);
    assert_eq!(table.keep_ended_by(Some(20.0)), 2);
    table.add_ended(ended(5, 50.0));
    table.sort();
    table.check_invariants();
    assert_eq!(ids(&table, List::Inactive), [5, 3, 1]);
    assert_eq!(ids(&table, List::Running), [0; 0]);
    assert_eq!(table.keep_ended_by(Some(0.0)), 0);
    assert_eq!(table.keep_ended_by(None), 0);
}

//! Workers at a table of tasks, one after the other.

use super::*;

const LEASE: Duration = Duration::from_secs(10);
const START: Duration = Duration::ZERO;

fn table(names: &[&str]) -> Table {
    let mut table = Table::new(LEASE);
    let tasks = names
        .iter()
        .map(|name| ((*name).to_owned(), format!("do {name}")));
    let tasks = tasks.collect();
    table.add(Add { tasks }, START).unwrap();
    table
}

/// The task and number that a worker gets.
fn take(table: &mut Table, worker: &str, ticket: u64) -> Result<(String, u64), WorkerError> {
    let worker = worker.to_owned();
    let task = table.take(&Take { worker, ticket }, START)?;
    Ok(task.map_or_else(Default::default, |task| (task.name, task.fence)))
}

fn complete(table: &mut Table, name: &str, fence: u64) -> Result<(), WorkerError> {
    let (name, result) = (name.to_owned(), Value::from(fence));
    table.complete(
        Complete {
            name,
            fence,
            result,
        },
        START,
    )
}

/// The same table, from its stored records; in both ways.
fn again(table: &mut Table, stored: &mut String) -> [Table; 2] {
    *stored += &table.take_lines();
    [stored.clone(), table.whole()].map(|text| {
        let mut again = Table::new(LEASE);
        again.recall(&text, START);
        again
    })
}

#[test]
fn a_task_goes_to_one_worker_and_is_done_once() {
    let mut table = table(&["a", "b"]);
    assert_eq!(take(&mut table, "x", 1), Ok(("a".to_owned(), 1)));
    assert_eq!(
        take(&mut table, "x", 1),
        Ok(("a".to_owned(), 1)),
        "asked again"
    );
    assert_eq!(take(&mut table, "y", 1), Ok(("b".to_owned(), 2)));
    assert_eq!(take(&mut table, "z", 1), Ok(Default::default()));
    assert_eq!(complete(&mut table, "a", 1), Ok(()));
    assert_eq!(complete(&mut table, "a", 1), Ok(()), "said again");
    assert_eq!(complete(&mut table, "c", 1), Err(WorkerError::Unknown));
    let listed = table.list();
    assert_eq!((listed.waiting, listed.leased), (0, 1));
    assert_eq!(listed.done["a"], 1);
}

#[test]
fn what_a_worker_says_that_was_replaced_is_refused() {
    let mut table = table(&["a"]);
    take(&mut table, "x", 1).unwrap();
    table.lapse(LEASE);
    assert_eq!(take(&mut table, "y", 1), Ok(("a".to_owned(), 2)));
    let renew = |fence| Renew {
        name: "a".to_owned(),
        fence,
    };
    assert_eq!(table.renew(&renew(1), START), Err(WorkerError::TakenOver));
    assert_eq!(table.renew(&renew(2), START), Ok(()));
    assert_eq!(complete(&mut table, "a", 1), Err(WorkerError::TakenOver));
    assert_eq!(complete(&mut table, "a", 2), Ok(()));
    assert_eq!(complete(&mut table, "a", 1), Err(WorkerError::TakenOver));
    assert_eq!(
        (table.list().refused, &table.list().done["a"]),
        (2, &Value::from(2))
    );
}

#[test]
fn one_that_renews_keeps_its_lease_and_one_that_asks_for_another_gives_it_back() {
    let mut table = table(&["a", "b"]);
    take(&mut table, "x", 1).unwrap();
    let renew = Renew {
        name: "a".to_owned(),
        fence: 1,
    };
    table.renew(&renew, LEASE / 2).unwrap();
    table.lapse(LEASE);
    assert!(table.has_leases());
    assert_eq!(take(&mut table, "x", 2), Ok(("b".to_owned(), 2)));
    assert_eq!(table.list().waiting, 1);
    assert_eq!(
        take(&mut table, "x", 1),
        Err(WorkerError::Replaced),
        "an older process"
    );
}

#[test]
fn what_is_stored_gives_the_same_table() {
    let (mut table, mut stored) = (table(&["a", "b", "c"]), String::new());
    take(&mut table, "x", 1).unwrap();
    take(&mut table, "y", 5).unwrap();
    complete(&mut table, "a", 1).unwrap();
    table.lapse(LEASE);
    take(&mut table, "y", 6).unwrap();
    for mut again in again(&mut table, &mut stored) {
        assert_eq!(again.list(), table.list());
        assert_eq!(complete(&mut again, "b", 2), Err(WorkerError::TakenOver));
        let before = take(&mut table, "y", 6).unwrap();
        assert_eq!(take(&mut again, "y", 6), Ok(before));
        assert_eq!(take(&mut again, "z", 1).map(|(_, fence)| fence), Ok(4));
    }
}

#[test]
fn a_table_has_limits() {
    let mut table = Table::new(LEASE);
    let long = "x".repeat(DESK_TEXT_BYTES_MAX + 1);
    let tasks = BTreeMap::from([("a".to_owned(), long)]);
    assert_eq!(table.add(Add { tasks }, START), Err(WorkerError::TooLong));
    let tasks = (0..=DESK_TASKS_MAX).map(|n| (n.to_string(), String::new()));
    let tasks = tasks.collect();
    assert_eq!(table.add(Add { tasks }, START), Err(WorkerError::Full));
}

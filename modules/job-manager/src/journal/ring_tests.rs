use super::*;

/// A ring with events of jobs 1, 2, 3 and so on with these numbers, all stored.
fn ring(numbers: &[f64]) -> Ring {
    let mut ring = Ring::default();
    push(&mut ring, numbers);
    ring.settle(1, &Jobs::default());
    ring
}

fn push(ring: &mut Ring, numbers: &[f64]) {
    for (n, number) in numbers.iter().enumerate() {
        ring.push(Event {
            number: *number,
            id: JobId(n as u64 + 1),
            commit: 1,
            lines: Some("x".repeat(100).into()),
        });
    }
}

/// Number of events after `since`; `None` for a snapshot.
fn after(ring: &Ring, since: f64) -> Option<u64> {
    ring.place_after(since).map(|place| ring.end() - place)
}

#[test]
fn a_consumer_goes_on_where_it_was_or_begins_anew() {
    let check = |ring: &Ring, since: f64, expect: Option<u64>| {
        assert_eq!(after(ring, since), expect, "{since} {ring:?}");
    };
    let ring = ring(&[1.0, 2.0, 3.0]);
    for (since, expect) in [(0.0, 3), (0.5, 3), (1.0, 2), (2.5, 1), (3.0, 0)] {
        check(&ring, since, Some(expect));
    }
    // A number that no event had yet was another journal's.
    check(&ring, 3.5, None);
    check(&ring, -1.0, None);
    check(&ring, f64::NAN, None);
}

#[test]
fn what_is_not_stored_is_not_there_yet() {
    let mut ring = ring(&[1.0]);
    push(&mut ring, &[2.0]);
    ring.settle(0, &Jobs::default());
    assert_eq!((after(&ring, 1.0), after(&ring, 2.0)), (Some(0), None));
    ring.settle(1, &Jobs::default());
    assert_eq!((after(&ring, 1.0), after(&ring, 2.0)), (Some(1), Some(0)));
}

#[test]
fn a_purge_ends_what_is_known() {
    let mut ring = ring(&[1.0, 2.0, 3.0]);
    let place = ring.place_after(1.0).unwrap();
    assert!(ring.is_known(place));
    ring.purge(2.0);
    assert_eq!((after(&ring, 1.0), after(&ring, 2.0)), (None, Some(1)));
    assert!(!ring.is_known(place));
    assert!(ring.is_known(ring.end()), "nothing was missed");
}

#[test]
fn the_same_time_twice_is_no_place_to_go_on() {
    let ring = ring(&[1.0, 2.0, 2.0, 3.0]);
    assert_eq!(after(&ring, 2.0), None);
    assert_eq!(after(&ring, 1.0), Some(3));
}

#[test]
fn only_the_newest_are_kept_and_of_few_the_text() {
    let numbers: Vec<f64> = (1..=JOURNAL_EVENTS_MAX + 6).map(|n| n as f64).collect();
    let ring = ring(&numbers);
    assert_eq!((ring.floor(), ring.room()), (6.0, 0));
    assert_eq!(after(&ring, 5.0), None);
    assert_eq!(after(&ring, 6.0), Some(JOURNAL_EVENTS_MAX as u64));
    let texts = ring.events.iter().filter(|event| event.lines.is_some());
    assert_eq!(texts.count(), JOURNAL_TEXT_BYTES_MAX / 100);
    assert!(
        ring.at(ring.end() - 1)
            .is_some_and(|event| event.lines.is_some())
    );
}

#[test]
fn what_was_before_a_restart_is_added_in_front() {
    let mut ring = Ring::default();
    ring.begin(5.0, 0.0);
    push(&mut ring, &[6.0, 7.0]);
    ring.settle(1, &Jobs::default());
    assert_eq!((after(&ring, 4.0), after(&ring, 5.0)), (None, Some(2)));
    let place = ring.place_after(6.0).unwrap();
    ring.extend_back(vec![(3.0, JobId(8)), (5.0, JobId(9))], 2.0);
    assert_eq!((after(&ring, 2.0), after(&ring, 4.0)), (Some(4), Some(3)));
    assert_eq!(ring.place_after(6.0), Some(place), "places stay");
}

//! The checker of the scheduler's order against decisions that keep and break it.

use super::*;

const NOW: f64 = 100.0;

fn has(cores: u64, end: f64) -> Has {
    Has { cores, end }
}

/// Jobs that wait, each with priority, cores and duration; the running jobs; the job that
/// starts, and whether it may, and passes the first one.
fn check(
    waits: &[(u64, u32, u64, f64)],
    runs: &[(u64, u64, f64)],
    starts: u64,
    expect: Result<bool, &str>,
) {
    let mut easy = Easy::default();
    easy.add(NOW, Change::Begin);
    for (id, cores, end) in runs {
        easy.add(NOW, Change::Has(JobId(*id), has(*cores, *end)));
    }
    for (id, priority, cores, duration) in waits {
        let want = Want {
            cores: *cores,
            duration: *duration,
        };
        easy.add(NOW, Change::Asked(JobId(*id), *priority, want));
    }
    let n = easy.told.len();
    let said = easy.state(n).allows(JobId(starts), NOW);
    let said = said.map_err(|why| why.split(':').next().unwrap_or_default().to_owned());
    assert_eq!(said, expect.map_err(str::to_owned), "{waits:?} {runs:?}");
}

#[test]
fn the_first_job_starts_first_and_others_if_they_do_not_delay_it() {
    let runs = [(1, 3, 110.0)];
    check(&[(2, 16, 1, 0.0)], &runs, 2, Ok(false));
    check(&[(2, 16, 1, 0.0), (3, 31, 1, 0.0)], &runs, 3, Ok(false));
    let head = (2, 16, 4, 5.0);
    check(&[head, (3, 16, 1, 10.0)], &runs, 3, Ok(true));
    check(
        &[head, (3, 16, 1, 10.5)],
        &runs,
        3,
        Err("ƒ3 comes first, at Some(110.0)"),
    );
    check(
        &[head, (3, 16, 1, 0.0)],
        &runs,
        3,
        Err("ƒ3 comes first, at Some(110.0)"),
    );
    // It could start now.
    check(
        &[(2, 16, 1, 5.0), (3, 16, 1, 1.0)],
        &runs,
        3,
        Err("ƒ3 comes first, at Some(100.0)"),
    );
    // Nobody knows when the first one starts.
    let for_ever = [(1, 3, f64::INFINITY)];
    check(&[head, (3, 16, 1, 10.0)], &for_ever, 3, Ok(true));
    check(
        &[head, (3, 16, 1, 0.0)],
        &for_ever,
        3,
        Err("ƒ3 comes first, at None"),
    );
    check(&[head], &runs, 9, Err("it does not wait"));
}

/// Messages after a decision do not count, those at its time may.
#[test]
#[should_panic(expected = "comes first")]
fn a_decision_is_held_against_what_was_known_at_its_time() {
    let mut easy = Easy::default();
    let want = |cores, duration| Want { cores, duration };
    easy.add(90.0, Change::Begin);
    easy.add(90.0, Change::Has(JobId(1), has(3, 110.0)));
    easy.add(91.0, Change::Asked(JobId(2), 16, want(4, 5.0)));
    easy.add(NOW, Change::Asked(JobId(3), 16, want(1, 5.0)));
    easy.add(NOW, Change::Asked(JobId(4), 16, want(1, 50.0)));
    easy.add(101.0, Change::Gone(JobId(2)));
    easy.gives(JobId(3), NOW, has(1, 105.0));
    assert_eq!(easy.n_passed, 1);
    easy.gives(JobId(4), NOW, has(1, 150.0));
}

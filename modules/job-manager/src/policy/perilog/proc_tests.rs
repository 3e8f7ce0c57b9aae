//! Tables of how prologs and epilogs end.

use proto::Refusal;

use super::*;

/// Plays words on a prolog of ranks 0-2, or of rank 0 alone: `RANK=STATUS` ends it there,
/// `RANK!` loses the rank, `RANK?` finds no such program, `x` cancels its job, `+SECONDS` lets
/// time pass. Its requests come first, its result last.
fn check(per_rank: bool, story: &str, expect: &str) {
    let settings = Settings {
        command: vec!["p".to_owned()],
        timeout: 100.0,
        kill_timeout: 10.0,
        per_rank,
        cancel_on_exception: true,
    };
    let ranks = if per_rank { "0-2" } else { "0" };
    let mut now = 1000.0;
    let mut proc = Proc::new(Kind::Prolog, settings, &ranks.parse().unwrap(), now);
    let mut said = Vec::new();
    for word in story.split(' ') {
        let asks = if word == "x" {
            proc.cancel(now)
        } else if let Some(seconds) = word.strip_prefix('+') {
            now += seconds.parse::<f64>().unwrap();
            proc.tick(now)
        } else if let Some(rank) = word.strip_suffix('!') {
            let lost = Refusal::bare(Errno::EHOSTUNREACH);
            proc.ended(rank.parse().unwrap(), &Outcome::Failed(lost));
            false
        } else if let Some(rank) = word.strip_suffix('?') {
            let missing = Refusal::bare(Errno::ENOENT);
            proc.ended(rank.parse().unwrap(), &Outcome::Failed(missing));
            false
        } else {
            let (rank, status) = word.split_once('=').unwrap();
            let status = WaitStatus(status.parse().unwrap());
            proc.ended(rank.parse().unwrap(), &Outcome::Ended(status));
            false
        };
        if asks {
            said.push(format!("term by {}", proc.wakes_at()));
        }
    }
    if proc.is_over() {
        said.push(format!("status {}", proc.status().0));
        if let Some(Failure { text, verb, drain }) = proc.failure() {
            said.push(format!("{text}; {verb}; drain {drain}"));
        }
    } else {
        said.push(format!("runs on {}", proc.active()));
    }
    assert_eq!(said.join(", "), expect, "{story}");
}

#[test]
fn a_plain_one_ends_with_its_status() {
    let check = |story, expect| check(false, story, expect);
    check("0=0", "status 0");
    check("0=768", "status 768, exited with code=3; failed; drain ");
    check("0=15", "status 15, killed by signal 15; failed; drain ");
    check(
        "0=36608",
        "status 36608, killed by signal 15; failed; drain ",
    );
    check("0?", "status 32512, exited with code=127; failed; drain ");
    check("0!", "status 0");
}

#[test]
fn of_many_ranks_those_that_failed_are_drained() {
    let check = |story, expect| check(true, story, expect);
    check("0=0 1=0", "runs on 2");
    check("0=0 1=0 2=0", "status 0");
    check(
        "0=256 1=0 2=768",
        "status 768, exited with code=3; failed; drain 0,2",
    );
    check(
        "0=0 1! 2=256",
        "status 256, exited with code=1; failed; drain 2",
    );
    check("0=0 1! 2=0", "status 0");
}

#[test]
fn one_whose_time_is_up_is_asked_to_end_and_then_given_up() {
    let all = |story, expect| check(true, story, expect);
    all("+99", "runs on 0-2");
    all("0=0 +100", "term by 1110, runs on 1-2");
    all(
        "0=0 +100 1=15 2=15",
        "term by 1110, status 15, timed out; timed out; drain 1-2",
    );
    all(
        "0=0 +100 1=15 +10",
        "term by 1110, status 15, timed out; timed out; drain 1-2",
    );
    let plain = |story, expect| check(false, story, expect);
    plain(
        "+100 0=15",
        "term by 1110, status 15, timed out; timed out; drain ",
    );
    plain(
        "+100 +10",
        "term by 1110, status 9, timed out; timed out; drain 0",
    );
}

#[test]
fn a_cancelled_one_drains_only_what_does_not_end() {
    let all = |story, expect| check(true, story, expect);
    all("x 0=15 1=15 2=15", "term by 1010, status 15");
    all("0=256 x x 1=15 2=0", "term by 1010, status 256");
    all(
        "x 0=15 +10",
        "term by 1010, status 15, canceled then timed out; canceled then timed out; drain 1-2",
    );
    all(
        "x +5 1=0 +200 0=0",
        "term by 1010, status 9, canceled then timed out; canceled then timed out; drain 2",
    );
}

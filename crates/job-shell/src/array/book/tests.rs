//! Handing out, step by step: events, a word each, and the answers of the book.

use proto::data::job::WaitStatus;

use super::*;

/// Reads a script: `SHELL<FREE[/WANT]` asks for elements, `INDEX=CODE@SHELL` ends one, `lost
/// SHELL`, `cancel SET`, `retry SET` and `stop`. Gives one word or more a step.
fn check(spec: &ArraySpec, shells: u64, script: &[(&str, &str)]) -> Book {
    let mut book = Book::new(spec);
    for (step, expect) in script {
        assert_eq!(take(&mut book, shells, step), *expect, "{step}");
        book.check();
    }
    book
}

fn take(book: &mut Book, shells: u64, step: &str) -> String {
    if let Some((shell, ask)) = step.split_once('<') {
        let (free, want) = ask.split_once('/').unwrap_or((ask, ask));
        let number = |text: &str| text.parse::<u64>().unwrap();
        let shell = u32::try_from(number(shell)).unwrap();
        let items = book.hand_out(shell, number(free), number(want), shells);
        let shown = items.iter().map(|item| match item.tries {
            0 => item.index.to_string(),
            n => format!("{}({n})", item.index),
        });
        return shown.collect::<Vec<_>>().join(" ");
    }
    if let Some((index, rest)) = step.split_once('=') {
        let (how, shell) = rest.split_once('@').unwrap();
        let how = match how {
            "timeout" => How::TimedOut(WaitStatus(15)),
            "canceled" => How::Canceled(WaitStatus(15)),
            "never" => How::NeverRan,
            code => How::Exited(WaitStatus(code.parse::<i32>().unwrap() << 8)),
        };
        return shown(book.ended(Ended {
            index: index.parse().unwrap(),
            shell: shell.parse().unwrap(),
            tries: 0,
            start: 0.0,
            runtime: 0.0,
            how,
        }));
    }
    let (verb, rest) = step.split_once(' ').unwrap_or((step, ""));
    match verb {
        "lost" => {
            let verdicts = book.lost(rest.parse().unwrap(), 0.0);
            let shown: Vec<String> = verdicts.into_iter().map(shown).collect();
            shown.join(" ")
        }
        "cancel" => {
            let canceled = book.cancel(&rest.parse().unwrap());
            let out = canceled.out.iter();
            let out: Vec<String> = out.map(|(shell, set)| format!("{set}@{shell}")).collect();
            format!("{} / {}", canceled.waiting, out.join(" "))
        }
        "retry" => book.retry(&rest.parse().unwrap()).to_string(),
        "stop" => {
            book.stop();
            String::new()
        }
        "is" => {
            let Counts {
                all,
                good,
                failed,
                out,
            } = book.counts();
            let done = if book.is_done() { " done" } else { "" };
            format!("{good}+{failed}/{all} out={out} code={}{done}", book.code())
        }
        other => panic!("{other}"),
    }
}

fn shown(verdict: Verdict) -> String {
    match verdict {
        Verdict::Unknown => "unknown".to_owned(),
        Verdict::Again => "again".to_owned(),
        Verdict::Final(end) => format!("{}:{}x{}", end.index, end.how.word(), end.tries),
    }
}

fn spec(indices: &str) -> ArraySpec {
    ArraySpec {
        indices: indices.parse().unwrap(),
        ..ArraySpec::default()
    }
}

#[test]
fn elements_go_out_once_in_order() {
    check(
        &spec("1-3,7"),
        1,
        &[
            ("0<2", "1 2"),
            ("1=0@0", "1:donex1"),
            ("1=0@0", "unknown"),
            ("0<1", "3"),
            ("0<5", "7"),
            ("0<5", ""),
            ("2=3@0", "2:failedx1"),
            ("3=0@0", "3:donex1"),
            ("is", "2+1/4 out=1 code=3"),
            ("7=0@0", "7:donex1"),
            ("is", "3+1/4 out=0 code=3 done"),
        ],
    );
}

#[test]
fn a_shell_gets_a_supply_that_is_its_share_at_most() {
    check(
        &spec("1-100"),
        2,
        &[
            ("0<1/2", "1 2"),
            (
                "1<2/99",
                "3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26",
            ),
            ("2=0@1", "unknown"),
        ],
    );
    check(&spec("1-3"), 2, &[("1<2/50", "1 2"), ("0<2/50", "3")]);
}

#[test]
fn a_limit_holds_over_all_shells() {
    let limited = ArraySpec {
        limit: Some(3),
        ..spec("1-9")
    };
    check(
        &limited,
        2,
        &[
            ("0<2/8", "1 2"),
            ("1<4/8", "3"),
            ("1<4/8", ""),
            ("3=0@1", "3:donex1"),
            ("0<1", "4"),
        ],
    );
}

#[test]
fn what_failed_is_tried_again_as_often_as_the_job_says() {
    let retried = ArraySpec {
        retry: 1,
        ..spec("1-3")
    };
    check(
        &retried,
        1,
        &[
            ("0<3", "1 2 3"),
            ("1=1@0", "again"),
            ("2=timeout@0", "again"),
            ("3=canceled@0", "3:canceledx1"),
            ("0<2", "1(1) 2(1)"),
            ("1=0@0", "1:donex2"),
            ("2=timeout@0", "2:timeoutx2"),
            ("is", "1+2/3 out=0 code=143 done"),
        ],
    );
}

#[test]
fn a_lost_shell_gives_back_what_it_had_and_is_not_heard_any_more() {
    let script = |first: &'static str| {
        [
            ("0<1", "1"),
            ("1<2", "2 3"),
            ("3=0@1", "3:donex1"),
            ("lost 1", first),
            ("2=0@1", "unknown"),
        ]
    };
    check(&spec("1-3"), 1, &script("2:lostx1"));
    let retried = ArraySpec {
        retry: 2,
        ..spec("1-3")
    };
    let mut book = check(&retried, 1, &script("again"));
    assert_eq!(take(&mut book, 1, "0<9"), "2(1)");
    assert_eq!(take(&mut book, 1, "2=0@0"), "2:donex2");
}

#[test]
fn cancelled_elements_end_and_are_not_tried_again() {
    let retried = ArraySpec {
        retry: 5,
        ..spec("1-6")
    };
    check(
        &retried,
        1,
        &[
            ("0<2", "1 2"),
            ("1<1", "3"),
            ("1=1@0", "again"),
            ("cancel 2-5", "4-5 / 2@0 3@1"),
            ("2=1@0", "2:failedx1"),
            ("3=never@1", "3:canceledx0"),
            ("is", "0+4/6 out=0 code=1"),
            ("0<9", "1(1) 6"),
        ],
    );
}

#[test]
fn what_has_failed_is_run_again_on_request_and_what_is_good_is_not() {
    check(
        &spec("1-4"),
        1,
        &[
            ("0<4", "1 2 3 4"),
            ("1=0@0", "1:donex1"),
            ("2=9@0", "2:failedx1"),
            ("3=4@0", "3:failedx1"),
            ("retry 1-2,4", "2"),
            ("is", "1+1/4 out=1 code=4"),
            ("0<1", "2(1)"),
            ("2=0@0", "2:donex2"),
            ("4=0@0", "4:donex1"),
            ("is", "3+1/4 out=0 code=4 done"),
        ],
    );
}

#[test]
fn after_a_stop_nothing_is_handed_out_and_nothing_tried_again() {
    let retried = ArraySpec {
        retry: 5,
        ..spec("1-4")
    };
    check(
        &retried,
        1,
        &[
            ("0<1", "1"),
            ("stop", ""),
            ("0<1", ""),
            ("is", "0+0/4 out=1 code=0"),
            ("1=7@0", "1:failedx1"),
            ("retry 1", ""),
            ("is", "0+1/4 out=0 code=7 done"),
        ],
    );
}

#[test]
fn what_the_log_says_has_ended_is_not_run_again() {
    let mut book = Book::new(&spec("1-6"));
    let element = |index, code: i32| Ended {
        index,
        shell: 0,
        tries: 1,
        start: 0.0,
        runtime: 0.0,
        how: How::Exited(WaitStatus(code << 8)),
    };
    let mut history = History::default();
    for (index, code) in [(1, 0), (2, 5), (99, 0)] {
        history.ended.insert(index, element(index, code));
    }
    history.before = "4,50".parse().unwrap();
    book.recall(&history);
    book.check();
    assert_eq!(take(&mut book, 1, "0<9"), "3 5 6");
    assert_eq!(book.code(), 5);
}

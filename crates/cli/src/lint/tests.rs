//! Each rule on messages that are written down: the breaches that it finds, and those
//! that it does not.
//!
//! A line is a message: the time, who sends (`>`) or receives (`<`) it, its type and number (`q1` a
//! request, `r1` a response, `e` an event), the topic, and the payload; `!2` is an error, `?` is no JSON.

use proto::common::HandlerTimes;
use proto::data::times::Times;
use serde_json::Value;

use super::*;

fn record(line: &str) -> Record {
    let words: Vec<&str> = line.splitn(6, ' ').collect();
    let [at, who, direction, kind, topic] = words[..5] else {
        panic!("not a message: {line}");
    };
    let kind_is = match &kind[..1] {
        "q" => Kind::Request,
        "r" => Kind::Response,
        _ => Kind::Event,
    };
    let payload = words.get(5).copied().unwrap_or("null");
    let errnum = payload.strip_prefix('!').map_or(0, |n| n.parse().unwrap());
    Record {
        at: at.parse().unwrap(),
        who: who.to_owned(),
        is_sent: direction == ">",
        kind: kind_is,
        topic: topic.to_owned(),
        matchtag: kind[1..].parse().unwrap_or(0),
        payload: serde_json::from_str(payload).unwrap_or(Value::Null),
        is_opaque: payload == "?",
        errnum,
    }
}

/// `RULE WHO TOPIC KEY xCOUNT` of each finding.
fn found(findings: Findings) -> Vec<String> {
    let words = |finding: Finding| {
        let Finding { place, count, .. } = finding;
        let key = place.key.map_or(String::new(), |key| format!(" {key}"));
        format!("{} {} {}{key} x{count}", place.rule, place.who, place.topic)
    };
    findings.all().map(words).collect()
}

fn check(messages: &str, expect: &[&str]) {
    let mut lint = Lint::default();
    for line in messages.trim().lines() {
        lint.see(&record(line.trim()));
    }
    assert_eq!(found(lint.finish()), expect, "{messages}");
}

/// A watch (4) of a key, numbered, by `a`.
fn watch(at: f64, tag: u32, key: &str, flags: u32) -> String {
    format!(
        "{at} a > q{tag} kvs-watch.lookup {{\"namespace\":\"primary\",\"key\":\"{key}\",\"flags\":{flags}}}\n"
    )
}

fn told(at: f64, tag: u32) -> String {
    format!("{at} a < r{tag} kvs-watch.lookup {{\"val\":{{}}}}\n")
}

const CHAINED: &[&str] = &["chained-watch a kvs-watch.lookup y x1"];

#[test]
fn a_watch_begun_out_of_another_is_found() {
    let begun = watch(1.0, 1, "x", 4) + &told(1.1, 1);
    let next = watch(2.1, 2, "y", 4);
    check(&(begun.clone() + &told(2.0, 1) + &next), CHAINED);
    // The first answer tells how things are: a program that begins two watches.
    check(&(begun.clone() + &watch(1.2, 2, "y", 4)), &[]);
    // The same key again, after an error.
    check(
        &(begun.clone() + "2 a < r1 kvs-watch.lookup !113\n" + &next),
        &[],
    );
    check(
        &(begun.clone() + &told(2.0, 1) + &watch(2.1, 2, "x", 4)),
        &[],
    );
    // A look is no watch, and who waits has another reason.
    check(
        &(begun.clone() + &told(2.0, 1) + &watch(2.1, 2, "y", 0)),
        &[],
    );
    check(
        &(begun.clone() + &told(2.0, 1) + &watch(4.0, 2, "y", 4)),
        &[],
    );
    // Another answer has come with it, which may be the reason.
    let other = "1.999 a < r9 b.get {}\n";
    check(&(begun.clone() + other + &told(2.0, 1) + &next), &[]);
    // Somebody has asked for it.
    let asked = "1.9 a < q7 a.watch {}\n";
    check(&(begun.clone() + asked + &told(2.0, 1) + &next), &[]);
    check(
        &(begun + &told(2.0, 1) + "2.05 a < e some.event {}\n" + &next),
        &[],
    );
}

#[test]
fn the_first_answer_of_a_watch_that_has_waited_is_a_change() {
    let waits = watch(1.0, 1, "x", 8);
    let created = "1.5 kvs-watch < e kvs.namespace-primary-setroot {\"keys\":{\"x\":null}}\n";
    let next = told(1.6, 1) + &watch(1.7, 2, "y", 8);
    check(&(waits.clone() + created + &next), CHAINED);
    check(&(waits + &next), &[]);
}

#[test]
fn a_watch_with_a_mark_tells_of_changes_after_it() {
    let begun = watch(1.0, 1, "x", 4 + 256 + 1024) + &told(1.1, 1);
    let next = watch(1.4, 2, "y", 4);
    check(&(begun.clone() + &told(1.2, 1) + &next), &[]);
    let mark = "1.2 a < r1 kvs-watch.lookup null\n";
    check(&(begun + mark + &told(1.3, 1) + &next), CHAINED);
}

/// Puts a value (base64), or appends it.
fn put(who: &str, key: &str, flags: u32, data: &str) -> String {
    use base64::Engine as _;
    let data = base64::engine::general_purpose::STANDARD.encode(data);
    let dirent = format!("{{\"type\":\"val\",\"ver\":1,\"data\":\"{data}\"}}");
    let op = format!("{{\"key\":\"{key}\",\"flags\":{flags},\"dirent\":{dirent}}}");
    format!("1 {who} > q1 kvs.commit {{\"namespace\":\"primary\",\"flags\":0,\"ops\":[{op}]}}\n")
}

#[test]
fn a_log_that_is_written_over_is_found() {
    let over = put("w", "log", 0, "a\n") + &put("w", "log", 0, "b\n");
    let follow = watch(1.0, 1, "log", 4 + 256);
    let replaced = &["replaced-stream w kvs.commit log x1"];
    check(&(follow.clone() + &over), replaced);
    check(&(over.clone() + &follow), replaced);
    check(&over, &[]);
    // The first value may be put, and what follows is appended; so may one that was removed.
    let first = put("w", "log", 0, "a\n");
    check(
        &(follow.clone() + &first + &put("w", "log", 32, "b\n")),
        &[],
    );
    let gone = "1 w > q1 kvs.commit {\"ops\":[{\"key\":\"log\",\"flags\":0,\"dirent\":null}]}\n";
    check(&(follow.clone() + &first + gone + &first), &[]);
    // A value watched for its newest version may be replaced.
    check(&(watch(1.0, 1, "log", 4) + &over), &[]);
}

#[test]
fn a_value_that_carries_its_history_is_found() {
    let all = |values: &[&str]| {
        values
            .iter()
            .map(|v| put("w", "k", 0, v))
            .collect::<String>()
    };
    let replaced = &["replaced-stream w kvs.commit k x1"];
    check(&all(&["a\n", "a\nb\n", "a\nb\nc\n"]), replaced);
    check(&all(&["[1]", "[1,2]", "[1,2,3]"]), replaced);
    check(&all(&["a", "ab"]), &[]);
    check(&all(&["a\n", "a\nb\n", "c\n", "c\nd\n"]), &[]);
    // Monotone counters, and names.
    check(&all(&["1", "12", "123"]), &[]);
    check(&all(&["\"a\"", "\"ab\"", "\"abc\""]), &[]);
    check(&all(&["[1]", "[2]", "[3]"]), &[]);
}

#[test]
fn a_look_that_does_not_wait_for_the_version_is_found() {
    let event = "1 a < e job.done {\"rootseq\":7}\n";
    let unwaited = &["unwaited-version a kvs.lookup k x1"];
    let look = |more: &str| format!("1.1 a > q1 kvs.lookup {{\"key\":\"k\",\"flags\":0{more}}}\n");
    check(&(event.to_owned() + &look("")), unwaited);
    check(
        &("1 a < q9 a.told {\"kvs-version\":7}\n".to_owned() + &look("")),
        unwaited,
    );
    check(
        &("1 a < r9 b.do {\"rootseq\":7}\n".to_owned() + &look("")),
        unwaited,
    );
    check(&(event.to_owned() + &look(",\"rootseq\":7")), &[]);
    check(&(event.to_owned() + &look(",\"rootdir\":{}")), &[]);
    check(&(event.to_owned() + &look(",\"rootseq\":6")), unwaited);
    let wait = "1.05 a > q2 kvs.wait-version {\"namespace\":\"primary\",\"rootseq\":7}\n";
    check(&(event.to_owned() + wait + &look("")), &[]);
    // A client that waits for one version may be told of the next before it looks.
    let next = event.replace('7', "8");
    check(&(event.to_owned() + wait + &next + &look("")), &[]);
    // Its own commit, something else that has come, and what comes much later.
    check(
        &("1 a < r9 kvs.commit {\"rootseq\":7}\n".to_owned() + &look("")),
        &[],
    );
    check(&(event.to_owned() + "1 a < q3 a.get {}\n" + &look("")), &[]);
    check(&(event.replace('1', "-9") + &look("")), &[]);
    check(
        &(event.replace(" a ", " kvs ") + &look("").replace(" a ", " kvs ")),
        &[],
    );
}

#[test]
fn an_event_for_one_is_found() {
    let unicast = &["unicast-event s s.answer x3"];
    let times = |n: usize, lines: &str| lines.repeat(n);
    let asked = "1 a > q1 s.do {}\n1 s < q1 s.do {}\n1 s > e s.answer {}\n1 a < e s.answer {}\n";
    check(&times(3, asked), unicast);
    check(&times(2, asked), &[]);
    check(&(times(3, asked) + "1 b < e s.answer {}\n"), &[]);
    let addressed = "1 s > e s.answer {\"to\":\"a\"}\n1 a < e s.answer {\"to\":\"a\"}\n";
    check(&times(3, addressed), unicast);
    // One listens to what concerns all, and asks now and then.
    let notice = "1 s > e s.answer {}\n1 a < e s.answer {}\n";
    check(&(times(3, notice) + asked), &[]);
}

fn asks(times: &[f64], answer: impl Fn(usize) -> String) -> String {
    let pair = |(n, at): (usize, &f64)| {
        let answer = answer(n);
        format!("{at} a > q{n} s.get {{\"k\":1}}\n{at} a < r{n} s.get {answer}\n")
    };
    times.iter().enumerate().map(pair).collect()
}

#[test]
fn a_question_that_is_asked_over_and_over_is_found() {
    let same = |_| "{\"v\":1}".to_owned();
    let every_second = [1.0, 2.0, 3.0, 4.1, 5.0, 6.0];
    check(&asks(&every_second, same), &["polling a s.get x2"]);
    check(
        &asks(&every_second, |_| "!2".to_owned()),
        &["polling a s.get x2"],
    );
    check(&asks(&every_second[..4], same), &[]);
    check(&asks(&every_second, |n| format!("{{\"v\":{n}}}")), &[]);
    // A loop that does not wait, and questions as they come.
    check(&asks(&[1.0, 1.001, 1.002, 1.003, 1.004, 1.005], same), &[]);
    check(&asks(&[1.0, 2.0, 9.0, 9.1, 15.0, 30.0], same), &[]);
    // Each time after a request for it; and modules that began again.
    let occasion = |at| format!("{at} a < q1 a.do {{}}\n") + &asks(&[at], same);
    check(&every_second.map(occasion).concat(), &[]);
    let restart = |at| asks(&[at], same) + &format!("{at} a > q0 module.status {{}}\n");
    check(&every_second.map(restart).concat(), &[]);
    // A stream has many answers, and what is not known is not the same.
    let stream = "1 a > q1 s.get {}\n".to_owned() + &"1 a < r1 s.get {}\n".repeat(9);
    check(&(stream + "3 a > q1 s.get {}\n"), &[]);
    check(&asks(&every_second, |_| "?".to_owned()), &[]);
    check(&asks(&every_second, same).replace("{\"k\":1}", "?"), &[]);
    let pings = asks(&every_second, same).replace("s.get", "s.ping");
    check(&pings, &[]);
}

fn check_slow(before: &[(f64, u64)], after: &[(f64, u64)], expect: &[&str]) {
    let times = |buckets: &[(f64, u64)]| {
        let each = [("request s.do".to_owned(), Times::new(buckets.to_vec(), 1.0))];
        HandlerTimes {
            each: each.into(),
            ..HandlerTimes::default()
        }
    };
    let limit = Limit {
        seconds: 0.005,
        times: 3,
    };
    let mut findings = Findings::default();
    slow(
        "s",
        Some(&times(before)),
        &times(after),
        limit,
        &mut findings,
    );
    assert_eq!(found(findings), expect);
}

#[test]
fn a_handler_that_holds_its_loop_is_found() {
    let slow = &["slow-handler s request s.do x3"];
    check_slow(&[], &[(0.001, 100), (0.016, 3)], slow);
    check_slow(&[(0.016, 4)], &[(0.001, 100), (0.016, 7)], slow);
    check_slow(&[(0.016, 4)], &[(0.001, 100), (0.016, 6)], &[]);
    check_slow(&[], &[(0.001, 3000), (0.016, 3)], &[]);
    check_slow(&[], &[(0.004, 100)], &[]);
}

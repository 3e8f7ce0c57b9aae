//! Job managers that exit and come, and the requests to the next one.

use job_fold::{Folder, row_of};
use proto::Method as _;
use proto::data::job::RowsWriter;
use proto::job_manager::EventsJournal;
use wire::{Flags, Message};

use super::*;

/// All events of a job of the owner that ended at this time.
fn story(clean: f64) -> Vec<String> {
    let mut story: Vec<String> = RAN.iter().map(|&event| event.to_owned()).collect();
    story[9] = format!("{clean:?} clean");
    story
}

fn record(id: u64, clean: f64) -> String {
    let story = story(clean);
    let story: Vec<&str> = story.iter().map(String::as_str).collect();
    format!(
        r#"{{"id":{id},"events":[{}]{}}}"#,
        events(&story),
        with_data()
    )
}

/// Rows of jobs that ended at these times, in one response.
fn rows(probe: &mut List_, tag: u32, jobs: &[(u64, f64)]) {
    let mut writer = RowsWriter::default();
    for (id, clean) in jobs {
        let row = row_of(&mut Folder::default(), record(*id, *clean).as_bytes());
        writer.push(&row.unwrap());
    }
    let mut request = Message::request(EventsJournal::TOPIC, tag);
    request.set_flag(Flags::STREAMING, true);
    let mut response = request.into_response(0, writer.finish());
    (response.userid, response.rolemask) = (100, Role::OWNER);
    probe.message(response);
}

fn mark(probe: &mut List_, tag: u32, left_out: u64) {
    let json = format!(r#"{{"id":-1,"events":[],"left_out":{left_out}}}"#);
    probe.answer_stream(EventsJournal::TOPIC, tag, Ok(&json));
}

fn end(probe: &mut List_, tag: u32) {
    probe.answer_stream(EventsJournal::TOPIC, tag, Err(Refusal::END));
}

fn lose(probe: &mut List_, tag: u32) {
    let lost = Refusal::new(Errno::EHOSTUNREACH, "module disconnect");
    probe.answer_stream(EventsJournal::TOPIC, tag, Err(lost));
}

/// Jobs 1, 2 and 3 ended long ago, job 4 just now; job 5 runs.
fn whole() -> List_ {
    let mut probe = start("{}");
    rows(&mut probe, 1, &[(1, 1010.0), (2, 1030.0), (3, 1020.0)]);
    rows(&mut probe, 1, &[(4, 2000.0)]);
    journal(&mut probe, 5, &RAN[..5], &with_data());
    mark(&mut probe, 1, 0);
    assert_eq!(ids(&mut probe), ["5", "4", "2", "3", "1"]);
    probe
}

fn ids(probe: &mut List_) -> Vec<String> {
    let said = list(probe, "", "null").join("");
    let numbers = said.split(|c: char| !c.is_ascii_digit());
    numbers
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect()
}

const AGAIN: &str = r#"{"full":true,"since":1990.0,"packed":true}"#;

#[test]
fn a_row_is_listed_as_the_record_that_it_was_made_of() {
    let mut packed = start("{}");
    rows(&mut packed, 1, &[(7, 1010.5)]);
    mark(&mut packed, 1, 0);
    let mut plain = start("{}");
    let json = record(7, 1010.5);
    plain.answer_stream(EventsJournal::TOPIC, 1, Ok(&json));
    sentinel(&mut plain);
    assert_eq!(
        list(&mut packed, r#""all""#, "null"),
        list(&mut plain, r#""all""#, "null")
    );
}

#[test]
fn the_next_job_manager_is_not_asked_for_what_ended_long_ago() {
    let mut probe = whole();
    lose(&mut probe, 1);
    assert_eq!(
        probe.said(),
        [format!("request job-manager.events-journal #2 {AGAIN}")]
    );
    // The last ends were not stored.
    journal_on(&mut probe, 2, 4, &RAN[..5]);
    journal_on(&mut probe, 2, 5, &RAN[..6]);
    mark(&mut probe, 2, 3);
    assert_eq!(probe.said(), [""; 0]);
    assert_eq!(ids(&mut probe), ["5", "4", "2", "3", "1"]);
    let running = list(&mut probe, "", r#"{"states":["run"]}"#);
    assert_eq!(running, [r#"{"jobs":[{"id":5},{"id":4}]}"#]);
}

fn journal_on(probe: &mut List_, tag: u32, id: u64, list: &[&str]) {
    let json = format!(r#"{{"id":{id},"events":[{}]}}"#, events(list));
    probe.answer_stream(EventsJournal::TOPIC, tag, Ok(&json));
}

#[test]
fn everything_is_read_again_when_jobs_were_purged_meanwhile() {
    let mut probe = whole();
    lose(&mut probe, 1);
    probe.said();
    rows(&mut probe, 2, &[(4, 2000.0)]);
    mark(&mut probe, 2, 2);
    assert_eq!(
        probe.said(),
        [
            r#"notify job-manager.events-journal-cancel {"matchtag":2}"#,
            r#"request job-manager.events-journal #3 {"full":true,"packed":true}"#
        ]
    );
    rows(&mut probe, 3, &[(1, 1010.0), (3, 1020.0), (4, 2000.0)]);
    mark(&mut probe, 3, 0);
    assert_eq!(ids(&mut probe), ["4", "3", "1"]);
}

#[test]
fn the_end_of_the_journal_is_not_the_end() {
    let mut probe = whole();
    end(&mut probe, 1);
    assert_eq!(probe.said(), [""; 0]);
    assert_eq!(ids(&mut probe), ["5", "4", "2", "3", "1"]);
    probe.pass(limits::RETRY);
    assert_eq!(
        probe.said(),
        [format!("request job-manager.events-journal #2 {AGAIN}")]
    );
    let nobody = Refusal::new(Errno::ENOSYS, "No service matching job-manager");
    probe.answer_stream(EventsJournal::TOPIC, 2, Err(nobody));
    assert_eq!(ids(&mut probe), ["5", "4", "2", "3", "1"]);
    probe.pass(limits::RETRY);
    assert_eq!(probe.said(), [""; 0], "it takes longer each time");
    probe.pass(limits::RETRY);
    assert_eq!(probe.said().len(), 1);
    mark(&mut probe, 3, 3);
    assert_eq!(ids(&mut probe), ["2", "3", "1"]);
}

#[test]
fn requests_wait_while_the_next_job_manager_tells_its_history() {
    let mut probe = whole();
    end(&mut probe, 1);
    probe.pass(limits::RETRY);
    probe.said();
    journal_on(&mut probe, 2, 5, &RAN[..6]);
    assert_eq!(ids(&mut probe), [""; 0]);
    rows(&mut probe, 2, &[(4, 2000.0)]);
    mark(&mut probe, 2, 3);
    assert_eq!(payloads(&mut probe).len(), 1);
}

#[test]
fn an_operator_may_have_it_end_with_the_journal() {
    let mut probe = start(r#"{"job-list":{"journal-end":"exit"}}"#);
    mark(&mut probe, 1, 0);
    end(&mut probe, 1);
    probe.pass(Duration::from_secs(3600));
    assert_eq!(probe.said(), [""; 0], "nobody is asked");
}

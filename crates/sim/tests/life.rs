//! Cost of one job in messages: `doc/life-of-a-job.md` is printed from the trace of one, so
//! that a change which adds a message or a commit is seen (`UPDATE=1 cargo test -p sim --test
//! life`).

use std::collections::BTreeMap;
use std::fmt::Write as _;

use proto::data::jobspec::Shape;
use proto::data::{Jobspec, sign};
use proto::job_ingest::Submit;
use proto::{Method as _, Payload as _, Role};
use serde_json::json;
use sim::{OWNER, Play, Sent, World};
use wire::Message;

const HEAD: &str = "\
# The life of a job

Printed from the trace of one job on one broker by `crates/sim/tests/life.rs`
(`UPDATE=1 cargo test -p sim --test life`). Nothing else happens meanwhile; where jobs come by
the thousand, what has gathered goes in one message or one commit.

A job is submitted (job-ingest), stored and queued (job-manager), given resources (the
scheduler), given a shell (job-exec, which forks one that is kept ready), and stored as over
(job-manager). A message is counted where it is sent: the broker passes it on. Answers are
counted like requests. The shell is the simulator's; a real one looks up the environment in
`job.D.J` and registers its service, two requests more. Processes: the shell and its task.
";

/// A world in which a job was submitted that a shell runs, and all that it was before.
fn submitted() -> (World, usize) {
    let mut world = World::by_hand(Play::Instance);
    let client = world.client();
    let command = ["work", "1", "0"].map(str::to_owned);
    let mut jobspec = Jobspec::from_command(&command, Shape::default()).expect("a jobspec");
    jobspec.set_system("cwd", json!("/")).expect("a path");
    jobspec.set_system("duration", json!(0.0)).expect("a path");
    let submit = Submit {
        j: sign::wrap_none(OWNER, jobspec.encode().as_bytes()),
        urgency: 16,
        flags: 0,
    };
    let before = world.sent().len();
    let mut request = Message::request(Submit::TOPIC, 1);
    request.set_payload(submit.encode());
    (request.userid, request.rolemask) = (OWNER, Role::OWNER);
    world.send(client, request);
    world.rest();
    (world, before)
}

/// A table of the messages, and one line with the totals.
fn table(sent: &[Sent]) -> String {
    let mut rows: Vec<(&Sent, usize)> = Vec::new();
    for one in sent {
        match rows.iter_mut().find(|(row, _)| *row == one) {
            Some((_, n)) => *n += 1,
            None => rows.push((one, 1)),
        }
    }
    let mut text = "\n| from | kind | topic | times |\n|---|---|---|---|\n".to_owned();
    for (Sent { from, kind, topic }, n) in rows {
        writeln!(text, "| {from} | {kind} | `{topic}` | {n} |").expect("a text takes all");
    }
    let mut by_kind: BTreeMap<&str, usize> = BTreeMap::new();
    for one in sent {
        *by_kind.entry(&one.kind).or_default() += 1;
    }
    let of = |topic: &str| {
        let is_it = |one: &&Sent| one.topic == topic && one.kind == "request";
        sent.iter().filter(is_it).count()
    };
    let kinds = by_kind.iter().map(|(kind, n)| match *kind {
        "notify" => format!("{n} that want no answer"),
        kind => format!("{n} {kind}s"),
    });
    let kinds: Vec<String> = kinds.collect();
    let (commits, stores) = (of("kvs.commit"), of("content.commit"));
    let all = sent.len();
    let kinds = kinds.join(", ");
    writeln!(
        text,
        "\n**{all} messages** ({kinds}), {commits} commits to the key-value store, {stores} \
         transactions of the content store."
    )
    .expect("a text takes all");
    text
}

#[test]
fn what_a_job_costs_is_what_the_page_says() {
    let (mut world, before) = submitted();
    world.play(500, 100);
    let soon = table(&world.sent()[before..]);
    let (mut world, before) = submitted();
    world.play(100, 1);
    world.play(500, 100);
    let later = table(&world.sent()[before..]);
    let text = format!(
        "{HEAD}\n## One that is over within 20 ms\n{soon}\n## One that goes on\n\nIt gets a \
         namespace of its own, in which its shell stores what there is as it comes.\n{later}"
    );
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../doc/life-of-a-job.md");
    node::written::check(path, &text);
}

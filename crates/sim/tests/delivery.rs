//! Outcome of a request in each situation, under each policy: `doc/delivery.md` is printed from
//! these outcomes (`UPDATE=1 cargo test -p sim --test delivery`).

use std::fmt::Write as _;

use proto::orphans::{Batch, List};
use proto::{Delivery, Method as _, Payload as _, Refusal, Role};
use sim::{OWNER, Play, World};
use wire::{Flags, Kind, Message};

const HEAD: &str = "\
# What becomes of a request

Printed by `crates/sim/tests/delivery.rs` from what happened there (`UPDATE=1 cargo test -p sim
--test delivery`); `t/t0066-broker-delivery.t` reaches the same over processes.

A caller says what is to become of its request when the service is not there (`Delivery`): it
waits until a deadline, if there is one (*wait*), has an error at once (*now*), or no answer at
all (*best effort*). A method has a default, which is *wait* for all but `log.append`. Programs
that know nothing of this wait without a deadline.

What has become of it the caller has as a type (`Refusal::outcome`):

| outcome | what it says |
|---|---|
| delivered | the service had it and answered, be it that it does not do it; what is best effort was handed on |
| no-service | there is none, or it did not come back in time: nothing was done |
| peer-gone | who is asked, or a broker on the way, is gone: nothing was done, or doing it again does no harm |
| expired | the deadline has passed; it may be done yet, if the service has it |
| dropped | there was no room, with the number of those that were dropped there so far: nothing was done |
| unknown | who had it is gone, and its method is not declared idempotent: it may have been done |

Where a broker answers in place of the service, it says so behind the text of the error and its
NUL, as `OUTCOME@RANK`, where programs in C do not look. The rank is that at which the request
stopped. Without such a note the service itself has answered.

The deadline travels with the request, before its routes, as `@` and the milliseconds that are
left; each step keeps an eighth of it, 100 ms at most, so that the last one answers first and its
rank is known. Traces show it: `flux module trace`, `flux overlay trace`.

A message that goes nowhere leaves a record with its cause in the broker where it ended, within
bounds; so does an answer whose way back is closed ([its states](states/way-back.md)). `flux
orphans` shows them. Below, best effort has for an outcome what the record says, and so has a
request whose client is gone; `delivered` is for best effort that it was handed on. A method that
is `recognised` counts as idempotent: done again it is not.

A log is best effort: `log.append` never blocks who logs, a broker writes to standard error, a
file or a named pipe only what they take at once, and says with the next line how many were
dropped. What was logged before the orderly end of a module or program is sent before it ends,
for 5 seconds at most.
";

const POLICIES: [(&str, Option<Delivery>); 3] = [
    ("wait", None),
    ("now", Some(Delivery::Now)),
    ("best effort", Some(Delivery::BestEffort)),
];

/// A user who is not the owner.
const GUEST: u32 = 200;

/// Deadline of *wait* here.
const DEADLINE_MS: u64 = 2000;

/// A situation: its cause, with the request of a client, and the result.
struct Situation {
    name: &'static str,
    play: Play,
    /// Service and rank of the request.
    to: (&'static str, Option<u32>),
    run: Run,
}

/// Events in a world, in which the second argument sends the request.
type Run = fn(&mut World, &mut dyn FnMut(&mut World));

/// On the rank of the client, which asks `echo`.
const fn here(name: &'static str, run: Run) -> Situation {
    let to = ("echo", None);
    Situation {
        name,
        play: Play::Echo,
        to,
        run,
    }
}

/// On another rank, whose broker is asked.
const fn there(name: &'static str, run: Run) -> Situation {
    let to = ("broker", Some(3));
    Situation {
        name,
        play: Play::EchoTree,
        to,
        run,
    }
}

const SITUATIONS: &[Situation] = &[
    here("server up", |world, ask| {
        ask(world);
        world.rest();
    }),
    Situation {
        name: "server down (not loaded)",
        play: Play::Echo,
        to: ("none", None),
        run: |world, ask| {
            ask(world);
            world.rest();
        },
    },
    here("server restarting, back in time", |world, ask| {
        world.stall("echo");
        world.kill_module("echo");
        world.rest();
        ask(world);
        world.rest();
        world.move_on();
        world.rest();
    }),
    here("server restarting, not back in time", |world, ask| {
        world.stall("echo");
        world.kill_module("echo");
        world.rest();
        ask(world);
        pass_deadline(world);
        world.move_on();
        world.rest();
    }),
    here("server dies with it", |world, ask| {
        world.stall("echo");
        ask(world);
        world.rest();
        world.kill_module("echo");
        world.move_on();
        world.rest();
    }),
    here("server slow", |world, ask| {
        world.stall("echo");
        ask(world);
        pass_deadline(world);
        world.move_on();
        world.rest();
    }),
    here("no room to be held (a guest)", |world, ask| {
        world.stall("echo");
        world.kill_module("echo");
        world.rest();
        for _ in 0..broker::limits::HELD_OF_GUEST_MAX {
            ask_as_guest(world);
        }
        world.rest();
        ask(world);
        world.rest();
    }),
    here("no room to be told of its end", |world, ask| {
        fill(world);
        ask(world);
        world.rest();
    }),
    here("client gone", |world, ask| {
        world.stall("echo");
        ask(world);
        world.rest();
        leave(world);
        world.move_on();
        world.rest();
    }),
    there("other rank up", |world, ask| {
        ask(world);
        world.rest();
    }),
    there("other rank gone", |world, ask| {
        world.end_rank(3);
        world.rest();
        ask(world);
        world.rest();
    }),
    there("link cut: rank 3 is lost with it", |world, ask| {
        ask(world);
        // From the client to rank 0, and from there to rank 1.
        world.deliver();
        world.deliver();
        world.end_rank(3);
        world.rest();
    }),
    there("router dies: rank 1 is lost with it", |world, ask| {
        ask(world);
        world.deliver();
        world.deliver();
        world.end_rank(1);
        world.rest();
    }),
    there("router has restarted", |world, ask| {
        world.end_rank(1);
        world.start_ranks();
        ask(world);
        world.rest();
    }),
];

/// Requester: the first client of a world by hand.
const ASKER: usize = 0;

fn pass_deadline(world: &mut World) {
    world.rest();
    let end = world.now_ms() + DEADLINE_MS;
    while world.now_ms() < end {
        world.wait();
    }
}

/// One more request of a guest, which wants no answer.
fn ask_as_guest(world: &mut World) {
    let client = world.clients()[ASKER];
    let mut request = Message::request("echo.ping", 0);
    request.set_payload("{}\0".into());
    request.set_flag(Flags::NORESPONSE, true);
    (request.userid, request.rolemask) = (GUEST, Role::USER);
    world.send(client, request);
}

/// Takes the room of the client.
fn fill(world: &mut World) {
    let client = world.clients()[ASKER];
    for n in 0..broker::limits::DISCONNECT_NOTICES_MAX {
        world.send(client, Message::request(&format!("other{n}.x"), 7));
    }
    world.rest();
    world.heard(client);
}

fn leave(world: &mut World) {
    let client = world.clients()[ASKER];
    world.leave(client);
}

/// Outcome of a request.
fn cell(situation: &Situation, delivery: Option<Delivery>, is_idempotent: bool) -> String {
    let mut world = World::by_hand(situation.play);
    let client = world.client();
    let watcher = world.client();
    let (service, rank) = situation.to;
    // Both are methods of every module: the one is declared idempotent, the other not.
    let (method, payload) = match is_idempotent {
        true => ("ping", "{}\0"),
        false => ("debug", "{\"op\":\"setbit\",\"flags\":1}\0"),
    };
    let topic = format!("{service}.{method}");
    let mut request = Message::request(&topic, 1);
    request.kind = Kind::Request {
        nodeid: rank.unwrap_or(wire::NODEID_ANY),
        matchtag: u32::from(delivery != Some(Delivery::BestEffort)),
    };
    let is_of_guest = situation.name.contains("guest");
    (request.userid, request.rolemask) = match is_of_guest {
        true => (GUEST, Role::USER),
        false => (OWNER, Role::OWNER),
    };
    request.set_payload(payload.into());
    match delivery {
        None => request.deadline_ms = DEADLINE_MS,
        Some(Delivery::BestEffort) => request.set_flag(Flags::NORESPONSE, true),
        Some(_) => request.set_flag(Flags::USER1, true),
    }
    (situation.run)(&mut world, &mut |world| world.send(client, request.clone()));
    let answers = world.heard(client);
    let answers: Vec<&Message> = answers.iter().filter(|a| a.matchtag() == 1).collect();
    match answers[..] {
        [answer] => told(answer),
        [] => recorded(&mut world, watcher, &topic),
        _ => panic!("{}: {answers:?}", situation.name),
    }
}

/// Answer to the caller.
fn told(answer: &Message) -> String {
    let Kind::Response { errnum, .. } = answer.kind else {
        panic!("{answer:?}");
    };
    if errnum == 0 {
        return "delivered".to_owned();
    }
    let refusal = Refusal::of_response(errnum, answer);
    let stopped = refusal
        .stopped
        .expect("a broker says what has become of it");
    // The number of those before it says nothing here.
    let outcome = stopped.outcome.to_string();
    let outcome = outcome.split(':').next().unwrap_or_default();
    format!("{outcome}@{}", stopped.rank.expect("at a rank"))
}

/// Records of the brokers about messages with this topic, for one without an answer.
fn recorded(world: &mut World, watcher: node::PeerId, topic: &str) -> String {
    let mut causes = Vec::new();
    for rank in 0..world.n_ranks() {
        let mut list = List { follow: false }.to_message(1);
        assert_eq!(list.topic(), List::TOPIC);
        list.kind = Kind::Request {
            nodeid: rank,
            matchtag: 1,
        };
        list.set_flag(Flags::STREAMING, true);
        world.send(watcher, list);
        world.rest();
        for answer in world.heard(watcher) {
            let Ok(batch) = Batch::decode(answer.payload()) else {
                continue;
            };
            let orphans = batch.orphans.iter().filter(|orphan| orphan.topic == topic);
            causes.extend(orphans.map(|orphan| format!("{}@{rank}", orphan.cause.as_str())));
        }
    }
    match causes.len() {
        0 => "delivered".to_owned(),
        _ => causes.join(", "),
    }
}

#[test]
fn each_cell_of_the_printed_matrix_is_what_happens() {
    let mut text = HEAD.to_owned();
    for (about, play) in [
        ("On one rank", Play::Echo),
        (
            "Across ranks: rank 0 asks rank 3, which is below rank 1",
            Play::EchoTree,
        ),
    ] {
        write!(text, "\n## {about}\n\n| situation |").expect("a text takes all");
        for (policy, _) in POLICIES {
            write!(text, " {policy}, idempotent | {policy}, not |").expect("a text takes all");
        }
        text.push_str("\n|---|---|---|---|---|---|---|\n");
        for situation in SITUATIONS.iter().filter(|it| it.play == play) {
            write!(text, "| {} |", situation.name).expect("a text takes all");
            for (_, delivery) in POLICIES {
                for is_idempotent in [true, false] {
                    let cell = cell(situation, delivery, is_idempotent);
                    write!(text, " {cell} |").expect("a text takes all");
                }
            }
            text.push('\n');
        }
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../doc/delivery.md");
    node::written::check(path, &text);
}

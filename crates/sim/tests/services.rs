//! The services of an instance with every module against the declarations in `proto`: each
//! declared method has a provider. The test in `roles.rs` shows that nothing else has a
//! route.

use proto::{Answer, Errno, Role};
use sim::{Play, World};
use wire::{Kind, Message};

/// Services that are not there, and why.
const ELSEWHERE: &[(&str, &str)] = &[
    ("shell", "is that of a job, whose shell has it"),
    ("start", "is that of the program that starts the brokers"),
    ("content-files", "is there when blobs are kept in files"),
    ("job-policy", "is that of a module of a site's own"),
    ("worker", "is that of a server of a site's own"),
    ("web", "is there when it is loaded: see its own tests"),
    (
        "sched-fifo",
        "is there when it is chosen in place of sched-simple",
    ),
    (
        "terminus",
        "is served by job shells and by servers of users: see their own tests",
    ),
    (
        "sched-backfill",
        "is there when it is chosen in place of sched-simple",
    ),
];

/// Everything that is declared, as an instance has it.
fn declared(world: &World) -> Vec<String> {
    let components: Vec<String> = world.tokens().into_iter().map(|(name, _)| name).collect();
    let mut topics = Vec::new();
    for service in proto::services() {
        let is_elsewhere = |topic: &str| {
            let of = topic.split('.').next();
            let mut elsewhere = ELSEWHERE.iter().map(|(name, _)| *name);
            elsewhere.any(|name| name == service.name || Some(name) == of)
        };
        let methods = service.methods.iter();
        for method in methods.filter(|method| !is_elsewhere(method.topic)) {
            match method.topic.strip_prefix("NAME.") {
                Some(_) if method.answer == Answer::Nothing => {}
                Some(name) => topics.extend(components.iter().map(|c| format!("{c}.{name}"))),
                None => topics.push(method.topic.to_owned()),
            }
            topics.extend(method.cancel.map(str::to_owned));
        }
    }
    topics
}

#[test]
fn every_declared_method_has_a_provider() {
    let mut world = World::by_hand(Play::Instance);
    let client = world.client();
    let topics = declared(&world);
    assert!(topics.len() > 150, "{topics:?}");
    for (tag, topic) in (1..).zip(topics) {
        let mut request = Message::request(&topic, tag);
        // One who may do next to nothing is refused before anything is done.
        (request.userid, request.rolemask) = (200, Role::LOCAL);
        world.send(client, request);
        world.rest();
        for answer in world.heard(client) {
            let Kind::Response { errnum, .. } = answer.kind else {
                panic!("{answer:?}");
            };
            assert_ne!(
                errnum,
                Errno::ENOSYS.0,
                "{topic}: {:?}",
                answer.error_text()
            );
        }
    }
}

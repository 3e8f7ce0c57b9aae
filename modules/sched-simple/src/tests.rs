//! The module through its front door: a job manager, a resource module and a KVS that
//! are played by the test.

use node::probe::Probe;
use proto::data::IdSet;
use proto::data::rset::Node;
use proto::data::{Rset, Tree};
use proto::{Errno, Payload as _, kvs};
use wire::{Identity, Message};

use super::*;

mod policy;
mod property;
mod service;

type Sched = Probe<SchedSimple>;

const END: Refusal = Refusal::END;

fn lost() -> Refusal {
    Refusal::new(Errno::EHOSTUNREACH, "module disconnect")
}

/// R of ranks with N cores each.
fn r(cores: &[u32]) -> String {
    let mut set = Rset::new();
    for (rank, cores) in (0..).zip(cores) {
        let node = Node::with_cores("fox", IdSet::first_n(*cores));
        set.add_rank(rank, node).unwrap();
    }
    set.encode()
}

/// A module that has its resources and asks for the allocations; hello is request 2.
fn acquired<P: Program>(args: &[&str], cores: &[u32]) -> Probe<Scheduler<P>> {
    let mut probe = Probe::start((), args, "{}").unwrap();
    assert_eq!(probe.said(), ["request resource.acquire #1"]);
    let up = IdSet::first_n(cores.len() as u32);
    let first = format!(r#"{{"resources":{},"up":"{up}"}}"#, r(cores));
    probe.answer_stream("resource.acquire", 1, Ok(&first));
    let hello = r#"request job-manager.sched-hello #2 {"partial-ok":true}"#;
    assert_eq!(probe.said(), [hello]);
    probe
}

/// A module at work, on nothing yet; ready was request 3.
fn ready(args: &[&str], cores: &[u32]) -> Sched {
    ready_as(args, cores)
}

/// The same of any program.
fn ready_as<P: Program>(args: &[&str], cores: &[u32]) -> Probe<Scheduler<P>> {
    let mut probe = acquired(args, cores);
    probe.answer_stream("job-manager.sched-hello", 2, Err(END));
    probe.said();
    probe.answer("job-manager.sched-ready", 3, Ok(r#"{"count":0}"#));
    probe
}

/// Asks for one slot of `cores` for job `id`, as the job manager does.
fn alloc<P: Program>(
    probe: &mut Probe<Scheduler<P>>,
    id: u64,
    priority: u32,
    cores: u32,
    duration: f64,
) {
    alloc_of(probe, id, priority, &slot(cores), duration);
}

/// One slot of `cores`.
fn slot(cores: u32) -> String {
    format!(
        r#"{{"type":"slot","count":1,"label":"task","with":[{{"type":"core","count":{cores}}}]}}"#
    )
}

fn alloc_of<P: Program>(
    probe: &mut Probe<Scheduler<P>>,
    id: u64,
    priority: u32,
    resources: &str,
    duration: f64,
) {
    let jobspec = format!(
        r#"{{"resources":[{resources}],"tasks":[{{"command":["true"],"slot":"task","count":{{"per_slot":1}}}}],"attributes":{{"system":{{"duration":{duration}}}}},"version":1}}"#
    );
    let json = format!(
        r#"{{"id":{id},"priority":{priority},"userid":100,"t_submit":1.0,"jobspec":{jobspec}}}"#
    );
    from_manager(probe, "sched.alloc", &json);
}

fn from_manager<P: Program>(probe: &mut Probe<Scheduler<P>>, topic: &str, json: &str) {
    let mut message = Message::request(topic, 0);
    message.set_payload(format!("{json}\0").into_bytes().into());
    (message.userid, message.rolemask) = (100, Role::OWNER);
    message.push_route(Identity::new("manager-uuid").unwrap());
    probe.message(message);
}

/// Lets the module decide; returns the messages to the job manager, as `id type
/// resources`.
fn settle<P: Program>(probe: &mut Probe<Scheduler<P>>) -> Vec<String> {
    probe.settle();
    let mut heard = Vec::new();
    loop {
        let messages = probe.messages();
        if messages.is_empty() {
            return heard;
        }
        for message in messages {
            match message.topic() {
                "sched.alloc" => heard.push(reply(&message)),
                other => heard.push(other.to_owned()),
            }
        }
    }
}

fn reply(message: &Message) -> String {
    let reply = sched::AllocReply::decode(message.payload()).unwrap();
    let set = reply.r.map(|r| r.parse::<Rset>().unwrap().to_string());
    let text = set.or(reply.note).unwrap_or_default();
    format!("{} {} {text}", reply.id.get(), reply.kind)
        .trim_end()
        .to_owned()
}

fn found(text: &str) -> String {
    let found = kvs::Found {
        val: Tree::Val(text.to_owned().into()),
    };
    serde_json::to_string(&found).unwrap()
}

#[test]
fn a_start_goes_in_the_order_of_rfc_27() {
    let mut probe: Sched = acquired(&["queue-depth=3"], &[4]);
    assert_eq!(probe.said(), [""; 0]);
    probe.answer_stream("job-manager.sched-hello", 2, Err(END));
    let ready = r#"request job-manager.sched-ready #3 {"mode":"limited","limit":3}"#;
    assert_eq!(probe.said(), [ready]);
    probe.answer("job-manager.sched-ready", 3, Ok(r#"{"count":0}"#));
    assert!(probe.actor.core.link.is_ready());
}

#[test]
fn a_job_is_told_its_r_and_what_is_shown_of_it() {
    let mut probe = ready(&[], &[4]);
    alloc(&mut probe, 1, 16, 2, 10.0);
    alloc(&mut probe, 2, 16, 1, 0.0);
    assert_eq!(probe.said(), [""; 0]);
    probe.settle();
    let r1 = r#"{"version":1,"execution":{"R_lite":[{"rank":"0","children":{"core":"0-1"}}],"nodelist":["fox"],"nslots":1,"starttime":1000.0,"expiration":1010.0}}"#;
    let note1 = r#"{"sched":{"resource_summary":"rank0/core[0-1]"}}"#;
    let said = probe.said();
    assert_eq!(
        said[0],
        format!(r#"response sched.alloc #0 {{"id":1,"type":0,"R":{r1},"annotations":{note1}}}"#)
    );
    assert!(said[1].contains(r#""expiration":0.0"#), "{}", said[1]);
}

#[test]
fn the_first_job_blocks_the_others_and_priority_decides_who_is_first() {
    let mut probe = ready(&[], &[4]);
    alloc(&mut probe, 5, 16, 3, 0.0);
    assert_eq!(settle(&mut probe), ["5 0 rank0/core[0-2]"]);
    alloc(&mut probe, 6, 16, 2, 0.0);
    alloc(&mut probe, 7, 16, 1, 0.0);
    assert_eq!(settle(&mut probe), [""; 0]);
    probe.request("sched.prioritize", r#"{"jobs":[[7,20]]}"#);
    assert_eq!(settle(&mut probe), ["sched.prioritize", "7 0 rank0/core3"]);
    let free = format!(r#"{{"id":5,"R":{},"final":true}}"#, r(&[3]));
    from_manager(&mut probe, "sched.free", &free);
    // It was sent without NORESPONSE by the test, hence the answer.
    assert_eq!(settle(&mut probe), ["sched.free", "6 0 rank0/core[0-1]"]);
}

#[test]
fn a_job_gives_back_one_node_and_then_the_other() {
    let mut probe = ready(&[], &[2, 2]);
    let nodes = format!(r#"{{"type":"node","count":2,"with":[{}]}}"#, slot(2));
    alloc_of(&mut probe, 1, 16, &nodes, 0.0);
    assert_eq!(settle(&mut probe), ["1 0 rank[0-1]/core[0-1]"]);
    alloc(&mut probe, 2, 16, 2, 0.0);
    alloc(&mut probe, 3, 16, 2, 0.0);
    assert_eq!(settle(&mut probe), [""; 0]);
    let mut free = |rank: u32, is_final: bool| {
        let r = format!(
            r#"{{"version":1,"execution":{{"R_lite":[{{"rank":"{rank}","children":{{"core":"0-1"}}}}]}}}}"#
        );
        let free = format!(r#"{{"id":1,"R":{r},"final":{is_final}}}"#);
        from_manager(&mut probe, "sched.free", &free);
        settle(&mut probe)
    };
    assert_eq!(free(1, false), ["sched.free", "2 0 rank1/core[0-1]"]);
    assert_eq!(free(0, true), ["sched.free", "3 0 rank0/core[0-1]"]);
}

#[test]
fn a_free_gives_back_no_more_than_the_job_has() {
    let mut probe = ready(&[], &[4]);
    alloc(&mut probe, 1, 16, 2, 0.0);
    alloc(&mut probe, 2, 16, 1, 0.0);
    settle(&mut probe);
    let free = format!(r#"{{"id":1,"R":{},"final":true}}"#, r(&[4]));
    from_manager(&mut probe, "sched.free", &free);
    from_manager(&mut probe, "sched.free", &free);
    settle(&mut probe);
    alloc(&mut probe, 3, 16, 3, 0.0);
    assert_eq!(settle(&mut probe), ["3 0 rank0/core[0-1,3]"]);
}

#[test]
fn a_job_that_can_never_run_is_denied_at_once() {
    let mut probe = ready(&[], &[4]);
    alloc(&mut probe, 1, 16, 5, 0.0);
    assert_eq!(
        settle(&mut probe),
        [
            "1 2 unsatisfiable request: need 1 slot(s) of 5 core(s), only 0 such slot(s) available (total cores: 4)"
        ]
    );
    let json = r#"{"id":2,"priority":16,"userid":100,"t_submit":1.0,"jobspec":7}"#;
    from_manager(&mut probe, "sched.alloc", json);
    let said = settle(&mut probe);
    assert!(
        said[0].starts_with("2 2 cannot parse jobspec: "),
        "{said:?}"
    );
}

#[test]
fn a_request_can_be_taken_back_while_it_waits() {
    let mut probe = ready(&[], &[1]);
    alloc(&mut probe, 1, 16, 1, 0.0);
    alloc(&mut probe, 2, 16, 1, 0.0);
    settle(&mut probe);
    from_manager(&mut probe, "sched.cancel", r#"{"id":2}"#);
    from_manager(&mut probe, "sched.cancel", r#"{"id":1}"#);
    assert_eq!(settle(&mut probe), ["2 3", "sched.cancel", "sched.cancel"]);
}

#[test]
fn feasibility_is_told_as_a_deny_is() {
    let mut probe = ready(&[], &[1]);
    probe.request("feasibility.check", r#"{"jobspec":{"resources":[]}}"#);
    let refusal = r#"EINVAL "jobspec has no resources""#;
    assert_eq!(
        probe.said(),
        [format!("response feasibility.check #1 {refusal}")]
    );
}

#[test]
fn a_malformed_request_is_answered_with_an_error() {
    let mut probe = ready(&[], &[1]);
    from_manager(&mut probe, "sched.alloc", r#"{"id":1}"#);
    assert_eq!(probe.said(), ["response sched.alloc #0 EPROTO"]);
}

#[test]
fn ranks_that_go_down_are_not_used_and_come_back() {
    let mut probe = ready(&[], &[2, 2]);
    probe.answer_stream("resource.acquire", 1, Ok(r#"{"down":"0"}"#));
    alloc(&mut probe, 1, 16, 2, 0.0);
    alloc(&mut probe, 2, 16, 2, 0.0);
    assert_eq!(settle(&mut probe), ["1 0 rank1/core[0-1]"]);
    probe.answer_stream("resource.acquire", 1, Ok(r#"{"up":"0"}"#));
    assert_eq!(settle(&mut probe), ["2 0 rank0/core[0-1]"]);
}

#[test]
fn a_job_that_waits_for_ranks_that_are_lost_is_denied() {
    let mut probe = ready(&[], &[2, 4]);
    alloc(&mut probe, 1, 16, 4, 0.0);
    assert_eq!(settle(&mut probe), ["1 0 rank1/core[0-3]"]);
    alloc(&mut probe, 2, 16, 3, 0.0);
    alloc(&mut probe, 3, 16, 2, 0.0);
    assert_eq!(settle(&mut probe), [""; 0]);
    probe.answer_stream("resource.acquire", 1, Ok(r#"{"shrink":"1"}"#));
    let denied = "2 2 unsatisfiable request: need 1 slot(s) of 3 core(s), only 0 such slot(s) available (total cores: 2)";
    assert_eq!(settle(&mut probe), [denied, "3 0 rank0/core[0-1]"]);
    // The job that had the lost rank gives it back, and nobody gets it.
    let free = r#"{"id":1,"R":{"version":1,"execution":{"R_lite":[{"rank":"1","children":{"core":"0-3"}}]}},"final":true}"#;
    from_manager(&mut probe, "sched.free", free);
    settle(&mut probe);
    assert_eq!(probe.actor.core.allocated().to_string(), "rank0/core[0-1]");
}

#[test]
fn a_rank_that_goes_stays_with_its_job() {
    let mut probe = ready(&[], &[2, 2]);
    alloc(&mut probe, 1, 16, 2, 0.0);
    assert_eq!(settle(&mut probe), ["1 0 rank0/core[0-1]"]);
    probe.answer_stream("resource.acquire", 1, Ok(r#"{"shrink":"0"}"#));
    alloc(&mut probe, 2, 16, 1, 0.0);
    assert_eq!(settle(&mut probe), ["2 0 rank1/core0"]);
    let lost = probe.actor.core.held.sets().next().map(ToString::to_string);
    assert_eq!(lost.as_deref(), Some("rank0/core[0-1]"));
}

#[test]
fn resources_that_grow_are_used_at_once() {
    let mut probe = ready(&[], &[2]);
    alloc(&mut probe, 1, 16, 2, 0.0);
    alloc(&mut probe, 2, 16, 1, 0.0);
    assert_eq!(settle(&mut probe), ["1 0 rank0/core[0-1]"]);
    let more = format!(r#"{{"resources":{},"up":"0-1"}}"#, r(&[2, 4]));
    probe.answer_stream("resource.acquire", 1, Ok(&more));
    assert_eq!(settle(&mut probe), ["2 0 rank1/core0"]);
    probe.answer_stream("resource.acquire", 1, Ok(r#"{"property-add":{"new":"1"}}"#));
    probe.answer_stream(
        "resource.acquire",
        1,
        Ok(r#"{"property-remove":{"old":"0"}}"#),
    );
    let set = probe.actor.core.pool.as_ref().unwrap().set().clone();
    assert!(set.has_property(1, "new"));
}

#[test]
fn jobs_that_run_are_taken_back_but_for_what_they_returned() {
    let mut probe: Sched = acquired(&[], &[2, 2]);
    let job = r#"{"id":9,"priority":16,"userid":100,"t_submit":1.0,"free":"1"}"#;
    probe.answer_stream("job-manager.sched-hello", 2, Ok(job));
    probe.answer_stream("job-manager.sched-hello", 2, Err(END));
    let said = probe.said();
    assert_eq!(said.len(), 1);
    assert!(said[0].contains("job.0000.0000.0000.0009.R"), "{said:?}");
    probe.answer("kvs.lookup", 3, Ok(&found(&r(&[2, 2]))));
    let said = probe.said();
    assert!(said[0].contains("0009.eventlog"), "{said:?}");
    let update =
        "{\"timestamp\":5.0,\"name\":\"resource-update\",\"context\":{\"expiration\":77.0}}\n";
    probe.answer("kvs.lookup", 4, Ok(&found(update)));
    let said = probe.said();
    assert!(said[0].starts_with("request job-manager.sched-ready"));
    let held = probe.actor.core.allocated();
    assert_eq!(held.to_string(), "rank0/core[0-1]");
    let held: Vec<_> = probe.actor.core.held.sets().collect();
    assert_eq!(held[0].expiration(), 77.0);
}

#[test]
fn what_is_given_back_while_r_is_read_is_free() {
    let mut probe: Sched = acquired(&[], &[2]);
    let job = r#"{"id":9,"priority":16,"userid":100,"t_submit":1.0}"#;
    probe.answer_stream("job-manager.sched-hello", 2, Ok(job));
    probe.answer_stream("job-manager.sched-hello", 2, Err(END));
    probe.said();
    let free = format!(r#"{{"id":9,"R":{},"final":true}}"#, r(&[2]));
    from_manager(&mut probe, "sched.free", &free);
    probe.said();
    probe.answer("kvs.lookup", 3, Ok(&found(&r(&[2]))));
    probe.said();
    probe.answer("kvs.lookup", 4, Ok(&found("")));
    assert!(probe.said()[0].starts_with("request job-manager.sched-ready #5"));
    probe.answer("job-manager.sched-ready", 5, Ok(r#"{"count":0}"#));
    alloc(&mut probe, 10, 16, 2, 0.0);
    assert_eq!(settle(&mut probe), ["10 0 rank0/core[0-1]"]);
}

#[test]
fn what_a_job_has_is_looked_up_until_there_is_a_kvs() {
    for away in [Errno::ENOSYS, Errno::EHOSTUNREACH] {
        let mut probe: Sched = acquired(&[], &[2]);
        let job = r#"{"id":9,"priority":16,"userid":100,"t_submit":1.0}"#;
        probe.answer_stream("job-manager.sched-hello", 2, Ok(job));
        probe.answer_stream("job-manager.sched-hello", 2, Err(END));
        probe.said();
        probe.answer("kvs.lookup", 3, Err(Refusal::bare(away)));
        assert_eq!(probe.said(), [""; 0]);
        probe.pass(crate::limits::LOOKUP_RETRY);
        assert!(probe.said()[0].contains("0009.R"));
        probe.answer("kvs.lookup", 4, Ok(&found(&r(&[2]))));
        probe.said();
        probe.answer("kvs.lookup", 5, Ok(&found("")));
        assert!(probe.said()[0].starts_with("request job-manager.sched-ready"));
        assert_eq!(probe.actor.core.allocated().to_string(), "rank0/core[0-1]");
    }
}

#[test]
fn a_job_whose_resources_are_gone_is_ended() {
    let mut probe: Sched = acquired(&[], &[2]);
    let job = r#"{"id":9,"priority":16,"userid":100,"t_submit":1.0}"#;
    probe.answer_stream("job-manager.sched-hello", 2, Ok(job));
    probe.said();
    probe.answer("kvs.lookup", 3, Ok(&found(&r(&[2, 2]))));
    probe.said();
    probe.answer("kvs.lookup", 4, Ok(&found("")));
    let raise = r#"{"id":9,"severity":0,"type":"scheduler-restart","note":"failed to reallocate R for running job"}"#;
    assert_eq!(
        probe.said(),
        [format!("request job-manager.raise #5 {raise}")]
    );
}

#[test]
fn a_new_job_manager_is_greeted_like_the_first() {
    let mut probe = ready(&[], &[2]);
    alloc(&mut probe, 1, 16, 1, 0.0);
    settle(&mut probe);
    alloc(&mut probe, 2, 16, 2, 0.0);
    from_manager(&mut probe, "sched.disconnect", "{}");
    let said = probe.said();
    let hello = r#"{"partial-ok":true}"#;
    assert!(
        said.contains(&format!("request job-manager.sched-hello #4 {hello}")),
        "{said:?}"
    );
    assert_eq!(probe.actor.core.queue.len(), 0);
    assert_eq!(probe.actor.core.held.sets().count(), 0);
    // The successor says that it is there; it has been greeted already.
    probe.event("job-manager.online", r#"{"uuid":"second-uuid"}"#);
    assert_eq!(probe.said(), [""; 0]);
    probe.answer_stream("job-manager.sched-hello", 4, Err(END));
    assert!(probe.said()[0].starts_with("request job-manager.sched-ready #5"));
    probe.answer("job-manager.sched-ready", 5, Ok(r#"{"count":1}"#));
    alloc(&mut probe, 2, 16, 2, 0.0);
    assert_eq!(settle(&mut probe), ["2 0 rank0/core[0-1]"]);
}

#[test]
fn a_job_manager_that_is_loaded_again_is_waited_for() {
    let mut probe = ready(&[], &[2]);
    alloc(&mut probe, 1, 16, 1, 0.0);
    settle(&mut probe);
    from_manager(&mut probe, "sched.disconnect", "{}");
    probe.said();
    let missing = Refusal::bare(Errno::ENOSYS);
    probe.answer_stream("job-manager.sched-hello", 4, Err(missing));
    assert_eq!(probe.said(), [""; 0]);
    assert!(!probe.actor.cx.is_ending());
    probe.event("job-manager.online", r#"{"uuid":"second-uuid"}"#);
    assert!(probe.said()[0].starts_with("request job-manager.sched-hello #5"));
}

#[test]
fn a_job_manager_that_had_asked_nothing_is_missed_too() {
    let mut probe = ready(&[], &[2]);
    probe.event("job-manager.online", r#"{"uuid":"second-uuid"}"#);
    assert!(probe.said()[0].starts_with("request job-manager.sched-hello #4"));
}

#[test]
fn resources_are_asked_for_again_when_their_keeper_dies() {
    let mut probe = ready(&[], &[2]);
    alloc(&mut probe, 1, 16, 1, 0.0);
    settle(&mut probe);
    probe.answer_stream("resource.acquire", 1, Err(lost()));
    assert_eq!(probe.said(), ["request resource.acquire #4"]);
    let first = format!(r#"{{"resources":{},"up":"0"}}"#, r(&[2]));
    probe.answer_stream("resource.acquire", 4, Ok(&first));
    alloc(&mut probe, 2, 16, 1, 0.0);
    assert_eq!(settle(&mut probe), ["2 0 rank0/core1"]);
}

#[test]
fn a_job_that_waits_is_told_when_it_may_start() {
    let mut probe = ready(&[], &[2]);
    alloc(&mut probe, 1, 16, 2, 30.0);
    alloc(&mut probe, 2, 16, 1, 5.0);
    alloc(&mut probe, 3, 16, 2, 0.0);
    settle(&mut probe);
    probe.pass(std::time::Duration::from_secs(1));
    let estimates: Vec<String> = probe
        .said()
        .iter()
        .map(|line| line.split_once("\"annotations\":").unwrap().1.to_owned())
        .collect();
    assert_eq!(
        estimates,
        [
            r#"{"sched":{"t_estimate":1030.0,"reason_pending":"insufficient resources","jobs_ahead":0}}}"#,
            r#"{"sched":{"t_estimate":1035.0,"reason_pending":"insufficient resources","jobs_ahead":1}}}"#,
        ]
    );
    let free = format!(r#"{{"id":1,"R":{},"final":true}}"#, r(&[2]));
    from_manager(&mut probe, "sched.free", &free);
    probe.settle();
    let said = probe.said();
    let cleared = r#""annotations":{"sched":{"resource_summary":"rank0/core0","t_estimate":null,"reason_pending":null,"jobs_ahead":null}}"#;
    assert!(said[1].contains(cleared), "{said:?}");
}

#[test]
fn expirations_of_running_jobs_can_change_unless_a_test_says_no() {
    let mut probe = ready(&[], &[2]);
    alloc(&mut probe, 1, 16, 2, 30.0);
    settle(&mut probe);
    for expiration in ["99.0", "-1.0"] {
        let request = format!(r#"{{"id":1,"expiration":{expiration}}}"#);
        probe.request("sched.expiration", &request);
    }
    // A job that is not known here may be known elsewhere.
    probe.request("sched.expiration", r#"{"id":2,"expiration":99.0}"#);
    probe.request("sched.debug", r#"{"op":"setbit","flags":4}"#);
    probe.request("sched.expiration", r#"{"id":1,"expiration":98.0}"#);
    let said = probe.said();
    assert_eq!(said[0], "response sched.expiration #1");
    assert_eq!(
        said[1],
        r#"response sched.expiration #2 EINVAL "invalid expiration -1""#
    );
    assert_eq!(said[2], "response sched.expiration #3");
    assert_eq!(
        said[4],
        r#"response sched.expiration #5 EINVAL "Rejecting expiration update for testing""#
    );
    let ends: Vec<f64> = probe.actor.core.held.by_end().map(|(end, _)| end).collect();
    assert_eq!(ends, [99.0]);
}

#[test]
fn a_start_without_a_job_manager_fails() {
    let mut probe: Sched = acquired(&[], &[1]);
    let missing = Refusal::bare(Errno::ENOSYS);
    probe.answer_stream("job-manager.sched-hello", 2, Err(missing));
    assert_eq!(probe.actor.core.link.manager, None);
    assert!(!probe.actor.core.link.is_ready());
    assert!(probe.actor.cx.is_ending());
}

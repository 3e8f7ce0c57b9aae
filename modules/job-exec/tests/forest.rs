//! Jobs on several ranks.

mod stage;

use node::ChildEvent;
use proto::Errno;
use serde_json::json;
use stage::forest::Forest;

#[test]
fn a_job_of_four_ranks_runs_and_is_released() {
    let mut forest = Forest::new(4, 2);
    let said = forest.ask("0-3", &json!({}));
    let spawned = [
        "0: spawn /libexec/flux-shell 1234 in job-1234",
        "1: spawn",
        "2: spawn",
        "3: spawn",
    ];
    assert_eq!(said, spawned);
    assert_eq!(forest.run_shells(&[0, 1, 2]), [""; 0]);
    assert_eq!(forest.run_shells(&[3]), ["0: start"]);
    for rank in 0..4 {
        assert_eq!(forest.hello(rank, false), [format!("{rank}: order job")]);
    }
    assert_eq!(forest.barrier(3, 0, json!({"a": "1"})), [""; 0]);
    assert_eq!(forest.barrier(0, 0, json!({"b": "2"})), [""; 0]);
    assert_eq!(forest.barrier(1, 0, json!({})), [""; 0]);
    let open: Vec<String> = (0..4)
        .map(|rank| format!(r#"{rank}: shell-barrier: {{"a":"1","b":"2"}}"#))
        .collect();
    assert_eq!(forest.barrier(2, 0, json!({})), open);
    for rank in [1, 2, 3] {
        assert_eq!(forest.exit(rank, 0), [""; 0]);
    }
    let end = [
        "0: finish 0",
        "0: shell-exit: ok",
        "0: shell-hello: ENODATA",
        "0: namespace removed",
        "0: release all true",
        "1: shell-exit: ok",
        "1: shell-hello: ENODATA",
        "2: shell-exit: ok",
        "2: shell-hello: ENODATA",
        "3: shell-exit: ok",
        "3: shell-hello: ENODATA",
    ];
    assert_eq!(forest.exit(0, 0), end);
}

#[test]
fn a_shell_that_dies_is_told_to_the_leading_one_and_the_job_goes_on() {
    let mut forest = Forest::new(4, 2);
    forest.running("0-3");
    assert_eq!(
        forest.shell_ends(3, 9),
        [
            "0: order lost 3 2: shell rank 3 (on host3): Killed",
            // Nobody waits, but nobody may wait for it.
        ]
    );
    forest.exit(1, 0);
    forest.exit(2, 0);
    assert_eq!(forest.exit(0, 0)[0], "0: finish 9");
}

#[test]
fn a_barrier_that_a_dead_shell_does_not_come_to_is_broken() {
    let mut forest = Forest::new(4, 2);
    forest.running("0-3");
    assert_eq!(forest.barrier(1, 1, json!({})), [""; 0]);
    let said = forest.shell_ends(3, 11);
    assert_eq!(
        said[0],
        "0: order lost 3 2: shell rank 3 (on host3): Segmentation fault"
    );
    assert_eq!(said[1..], ["1: shell-barrier: EIO"]);
    assert_eq!(forest.barrier(2, 1, json!({})), ["2: shell-barrier: EIO"]);
}

#[test]
fn a_shell_that_dies_before_all_have_met_ends_the_job() {
    let mut forest = Forest::new(4, 2);
    forest.ask("1,3", &json!({}));
    forest.run_shells(&[1, 3]);
    forest.hello(1, false);
    let note = "0: exception exec 0: host3 (rank 3) terminated before first barrier";
    let said = forest.shell_ends(3, 256);
    assert_eq!(said[0], note);
    assert!(said.contains(&"1: order signal 15".to_owned()), "{said:?}");
    let end = forest.exit(1, 143);
    assert_eq!(end[0], "0: finish 36608");
}

#[test]
fn a_lost_broker_ends_a_job_that_cannot_do_without() {
    let mut forest = Forest::new(4, 3);
    forest.running("0-3");
    let said = forest.falls(3);
    assert_eq!(
        said[0],
        "0: exception exec 0: node failure on host3 (rank 3)"
    );
    assert_eq!(said[1], "0: order lost 3 0: ");
    assert_eq!(
        said[2..],
        [
            "0: order signal 15",
            "1: order signal 15",
            "2: order signal 15"
        ]
    );
    forest.exit(1, 143);
    forest.exit(2, 143);
    let end = forest.exit(0, 143);
    assert_eq!(end[0], "0: finish 36608");
    assert!(end.contains(&"0: release all true".to_owned()));
}

#[test]
fn all_below_a_lost_broker_are_named_at_once() {
    let mut forest = Forest::new(7, 2);
    forest.running("0-6");
    let said = forest.falls(1);
    let note = "0: exception exec 0: node failure on host[1,3-4] (ranks 1,3-4)";
    assert_eq!(said[0], note);
}

#[test]
fn a_job_may_do_without_ranks_that_are_not_critical() {
    let mut forest = Forest::new(4, 3);
    forest.running("0-3");
    let critical = json!({"id": stage::JOB, "ranks": "0-1"});
    let said = forest.request(0, "job-exec.critical-ranks", &critical, 0);
    assert_eq!(said, ["0: critical-ranks: ok"]);
    let note = "0: exception node-failure 2: node failure on host3 (shell rank 3)";
    assert_eq!(forest.falls(3), [note, "0: order lost 3 2: "]);
    forest.exit(1, 0);
    forest.exit(2, 0);
    assert_eq!(forest.exit(0, 0)[0], "0: finish 9");
}

#[test]
fn what_a_job_may_do_without_is_known_after_a_restart() {
    let mut forest = Forest::new(4, 3);
    forest.running("0-3");
    for ranks in ["0", "0-2,7"] {
        let critical = json!({"id": stage::JOB, "ranks": ranks});
        let said = forest.request(0, "job-exec.critical-ranks", &critical, 0);
        assert_eq!(said, ["0: critical-ranks: ok"]);
    }
    let lease = forest.lease(0);
    forest.dies(0);
    forest.pass(0.1);
    forest.ask_again("0-3", &json!({}), true);
    let hello = json!({"id": stage::JOB, "rank": 0, "pid": stage::SHELL_PID, "lease": lease, "again": true});
    forest.request(0, "job-exec.shell-hello", &hello, wire::Flags::STREAMING);
    let note = "0: exception node-failure 2: node failure on host3 (shell rank 3)";
    assert_eq!(forest.falls(3)[0], note);
    let note = "0: exception exec 0: node failure on host2 (rank 2)";
    assert_eq!(forest.falls(2)[0], note);
}

#[test]
fn shells_meet_without_a_lease() {
    let mut forest = Forest::new(4, 2);
    forest.running("0,2-3");
    let come = |forest: &mut Forest, at: u32, rank: u32| {
        let words = json!({"id": stage::JOB, "rank": rank});
        forest.request(at, "job-exec.shell-barrier", &words, 0)
    };
    let refused = |at: u32, rank: u32| {
        [format!(
            "{at}: shell-barrier: EINVAL rank {rank} is not pending in barrier"
        )]
    };
    for rank in [0, 2] {
        assert_eq!(come(&mut forest, rank, rank), [""; 0]);
        assert_eq!(come(&mut forest, rank, rank), refused(rank, rank));
    }
    assert_eq!(come(&mut forest, 3, 2), refused(3, 2));
    assert_eq!(
        come(&mut forest, 1, 1),
        refused(1, 1),
        "it has no part in the job"
    );
    assert_eq!(come(&mut forest, 3, 3).len(), 3);
    let unknown = json!({"id": 7, "rank": 1});
    for rank in [0, 1] {
        let said = forest.request(rank, "job-exec.shell-barrier", &unknown, 0);
        assert_eq!(
            said,
            [format!("{rank}: shell-barrier: ENOENT job not found")]
        );
    }
}

#[test]
fn a_node_that_is_gone_before_the_start_is_named() {
    let mut forest = Forest::new(4, 3);
    forest.falls(2);
    let said = forest.ask("1-2", &json!({}));
    let note = "0: exception exec 0: node failure on host2 (rank 2)";
    assert_eq!(said[..2], ["1: spawn", note]);
    forest.run_shells(&[1]);
    let end = forest.shell_ends(1, 15);
    assert!(end.contains(&"0: release all true".to_owned()), "{end:?}");
    let unknown = Forest::new(2, 2).ask("7", &json!({}));
    assert_eq!(
        unknown[0],
        "0: exception exec 0: node failure on host7 (rank 7)"
    );
}

#[test]
fn a_rank_without_a_job_exec_is_named() {
    let mut forest = Forest::new(4, 3);
    forest.dies(2);
    forest.pass(11.0);
    let said = forest.ask("1-2", &json!({}));
    let note = "0: exception exec 0: job-exec service is not loaded on host2 (rank 2)";
    assert_eq!(said[..2], ["1: spawn", note]);
}

#[test]
fn a_rank_whose_job_exec_has_ended_before_its_broker_is_said_to_end() {
    let mut forest = Forest::new(4, 3);
    forest.ending.insert(2);
    forest.dies(2);
    forest.pass(11.0);
    let said = forest.ask("1-2", &json!({}));
    let note = "0: exception exec 0: broker is shutting down on host2 (rank 2)";
    assert_eq!(said[..2], ["1: spawn", note]);
}

#[test]
fn a_shell_that_cannot_be_started_somewhere_ends_the_others() {
    let mut forest = Forest::new(4, 2);
    forest.ask("0-3", &json!({}));
    forest.run_shells(&[0, 1, 2]);
    let errno = Errno::ENOENT;
    let said = forest.child(3, ChildEvent::Failed { errno });
    let why = "job shell exec error on broker host3 (rank 3): No such file or directory";
    assert_eq!(said[0], format!("0: exception exec 0: {why}"));
    for rank in 0..3 {
        assert!(said.contains(&format!("{rank}: kill 9")), "{said:?}");
    }
    assert!(said.contains(&"0: release all true".to_owned()), "{said:?}");
}

#[test]
fn a_shell_that_never_comes_to_the_barrier_has_its_node_drained() {
    let mut forest = Forest::new(4, 2);
    let limit = json!({"bulkexec": {"barrier-timeout": 10}});
    forest.ask("0-3", &limit);
    forest.run_shells(&[0, 1, 2, 3]);
    for rank in [0, 1, 2] {
        forest.hello(rank, false);
        forest.barrier(rank, 0, json!({}));
    }
    assert_eq!(forest.pass(10.0), [""; 0]);
    let said = forest.pass(1.0);
    let note = "start barrier timeout waiting for 1/4 nodes (rank 3)";
    assert_eq!(said[0], format!("0: exception exec 0: {note}"));
    assert_eq!(
        said[1],
        "0: drain 3 \"job ƒNH start timeout: possible node hang\""
    );
}

#[test]
fn only_nodes_that_cannot_be_cleaned_are_drained() {
    let mut forest = Forest::new(4, 2);
    forest.running("0-3");
    forest.cancel();
    for rank in [0, 1, 2] {
        forest.exit(rank, 143);
    }
    let mut seen = Vec::new();
    for _ in 0..640 {
        seen.extend(forest.pass(1.0));
    }
    let drained = seen.iter().find(|line| line.contains("drain")).unwrap();
    assert_eq!(
        drained,
        "0: drain 3 \"unkillable user processes for job ƒNH\""
    );
    assert!(seen.contains(&"0: release all true".to_owned()), "{seen:?}");
}

#[test]
fn words_reach_the_leading_shell_across_the_tree() {
    let mut forest = Forest::new(7, 2);
    // The leading shell is on rank 3, and the other on the far side of the tree.
    forest.running("3,6");
    assert_eq!(forest.hear(3), [""; 0]);
    assert_eq!(forest.tell(6, 1, "a"), ["3: shell-hear: 1.1 \"a\""]);
    assert_eq!(forest.hear(3), ["6: shell-tell: ok"]);
    assert_eq!(forest.tell(6, 2, "b"), ["3: shell-hear: 1.2 \"b\""]);
    // A hand on the way is started again: what was not taken is told again.
    forest.dies(2);
    forest.starts(2);
    assert_eq!(forest.hear(3), [""; 0]);
    let mut said = forest.pass(1.0);
    said.extend(forest.pass(0.1));
    assert_eq!(said, ["3: shell-hear: 1.2 \"b\""]);
    assert_eq!(forest.hear(3), ["6: shell-tell: ok"]);
    assert_eq!(
        forest.exit(3, 0)[0],
        "3: shell-hear: EPIPE the leading shell has ended"
    );
    assert_eq!(
        forest.tell(6, 3, "c"),
        ["6: shell-tell: EPIPE the leading shell has ended"]
    );
}

#[test]
fn words_for_a_leading_shell_whose_node_is_lost_come_back() {
    let mut forest = Forest::new(7, 2);
    forest.running("3,6");
    let said = forest.falls(1);
    let lost = "0: exception exec 0: node failure on host3 (rank 3)";
    assert_eq!(said[0], lost);
    let gone = "6: shell-tell: EPIPE the leading shell has ended";
    assert_eq!(forest.tell(6, 1, "a"), [gone]);
    // Those that take its place know nothing of it.
    assert_eq!(forest.rises(1), [""; 0]);
    assert_eq!(forest.tell(6, 2, "b"), [gone]);
}

#[test]
fn a_job_outlives_the_hands_on_every_rank() {
    for rank in [1, 2, 3] {
        let mut forest = Forest::new(4, 2);
        forest.running("0-3");
        assert_eq!(forest.dies(rank), [""; 0], "rank {rank}");
        forest.starts(rank);
        assert_eq!(forest.run(), [""; 0], "rank {rank}");
        // A request that it makes before it has greeted is to be repeated.
        let early = forest.tell(rank, 1, "a");
        assert!(early[0].contains("shell-tell: EAGAIN"), "{early:?}");
        let early = forest.barrier(rank, 1, json!({}));
        assert!(
            early[0].contains("shell-barrier: EHOSTUNREACH"),
            "{early:?}"
        );
        assert_eq!(forest.hello(rank, true), [format!("{rank}: order")]);
        assert_eq!(forest.pass(0.1), [""; 0], "rank {rank}");
        assert_eq!(forest.pass(20.0), [""; 0], "rank {rank}");
        assert_eq!(forest.barrier(rank, 1, json!({})), [""; 0]);
        for other in (0..4).filter(|other| *other != rank) {
            forest.barrier(other, 1, json!({}));
        }
        for rank in [1, 2, 3] {
            assert_eq!(forest.exit(rank, 0), [""; 0]);
        }
        assert_eq!(forest.exit(0, 0)[0], "0: finish 0");
    }
}

#[test]
fn who_had_joined_past_a_hand_joins_it_when_it_is_there_again() {
    let mut forest = Forest::new(7, 2);
    forest.running("3-6");
    assert_eq!(forest.hear(3), [""; 0]);
    for rank in [1, 5, 2] {
        forest.dies(rank);
        // Those below it join the one above it meanwhile.
        assert_eq!(forest.pass(0.1), [""; 0], "rank {rank}");
        forest.starts(rank);
        assert_eq!(forest.run(), [""; 0], "rank {rank}");
    }
    assert_eq!(forest.hello(5, true), [""; 0]);
    assert_eq!(forest.pass(0.1), ["5: order"]);
    for rank in [4, 5, 6] {
        let said = forest.tell(rank, 1, "a");
        assert_eq!(said, [format!("3: shell-hear: {}.1 \"a\"", rank - 3)]);
        assert_eq!(forest.hear(3), [format!("{rank}: shell-tell: ok")]);
    }
    assert_eq!(forest.pass(20.0), [""; 0]);
    for rank in [4, 5, 6] {
        assert_eq!(forest.exit(rank, 0), [""; 0]);
    }
    let said = forest.exit(3, 0);
    assert!(said.contains(&"0: finish 0".to_owned()), "{said:?}");
}

#[test]
fn a_shell_whose_job_exec_is_not_there_is_not_taken_for_another() {
    let mut forest = Forest::new(7, 2);
    forest.running("0-6");
    let lease = forest.lease(5);
    forest.dies(5);
    // Its request is received by the next one above.
    let tell = json!({"id": stage::JOB, "rank": 5, "lease": lease, "seq": 1, "words": ["a"]});
    let said = forest.request(2, "job-exec.shell-tell", &tell, 0);
    assert!(said[0].contains("shell-tell: EAGAIN"), "{said:?}");
    let hear = json!({"id": stage::JOB, "rank": 0, "lease": lease, "after": 0});
    let said = forest.request(2, "job-exec.shell-hear", &hear, 0);
    assert!(said[0].contains("shell-hear: EAGAIN"), "{said:?}");
    let exit = json!({"id": stage::JOB, "rank": 5, "lease": lease, "code": 0});
    let said = forest.request(2, "job-exec.shell-exit", &exit, 0);
    assert!(said[0].contains("shell-exit: EAGAIN"), "{said:?}");
}

#[test]
fn a_shell_that_does_not_know_its_place_is_not_taken_for_another() {
    for job in ["2,5", "0,5"] {
        let mut forest = Forest::new(7, 2);
        forest.ask(job, &json!({}));
        let lease = forest.lease(5);
        forest.dies(5);
        let hello = json!({"id": stage::JOB, "rank": 0, "pid": 9, "lease": lease, "again": false});
        let said = forest.climbs(5, "job-exec.shell-hello", &hello, wire::Flags::STREAMING);
        assert!(said[0].contains("shell-hello: EAGAIN"), "{said:?}");
        let exit = json!({"id": stage::JOB, "rank": 0, "lease": lease, "code": 1});
        let said = forest.climbs(5, "job-exec.shell-exit", &exit, 0);
        assert!(said[0].contains("shell-exit: EAGAIN"), "{said:?}");
    }
}

#[test]
fn what_a_shell_has_said_counts_more_than_that_another_was_killed() {
    let mut forest = Forest::new(4, 2);
    forest.running("0-3");
    forest.shell_ends(3, 9);
    forest.exit(1, 0);
    forest.exit(2, 0);
    assert_eq!(forest.exit(0, 1)[0], "0: finish 256");
}

#[test]
fn a_job_outlives_the_head() {
    let mut forest = Forest::new(4, 2);
    forest.running("0-3");
    let lease = forest.lease(0);
    forest.dies(0);
    assert_eq!(forest.pass(0.1), [""; 0]);
    assert_eq!(forest.ask_again("0-3", &json!({}), true), [""; 0]);
    let hello = json!({"id": stage::JOB, "rank": 0, "pid": stage::SHELL_PID, "lease": lease, "again": true});
    let said = forest.request(0, "job-exec.shell-hello", &hello, wire::Flags::STREAMING);
    assert_eq!(said, ["0: order", "0: reattached"]);
    // Those below know which barrier was the last.
    let come = json!({"id": stage::JOB, "rank": 0, "lease": lease, "seq": 1, "data": {"a": "b"}});
    assert_eq!(
        forest.request(0, "job-exec.shell-barrier", &come, 0),
        [""; 0]
    );
    forest.barrier(1, 1, json!({}));
    forest.barrier(2, 1, json!({}));
    let open = forest.barrier(3, 1, json!({}));
    assert_eq!(open.len(), 4, "{open:?}");
    forest.exit(3, 0);
    assert_eq!(
        forest.cancel()[..2],
        ["0: order signal 15", "1: order signal 15"]
    );
    forest.exit(1, 143);
    forest.exit(2, 0);
    let exit = json!({"id": stage::JOB, "rank": 0, "lease": lease, "code": 0});
    assert_eq!(
        forest.request(0, "job-exec.shell-exit", &exit, 0)[0],
        "0: finish 36608"
    );
}

#[test]
fn a_last_word_that_is_said_again_to_the_next_head_is_stored_once() {
    let mut forest = Forest::new(2, 2);
    forest.running("0-1");
    let lease = forest.lease(0);
    let exit = json!({"id": stage::JOB, "rank": 0, "lease": lease, "code": 3,
        "lines": {"output": "a\n"}});
    assert_eq!(forest.request(0, "job-exec.shell-exit", &exit, 0), [""; 0]);
    forest.dies(0);
    forest.pass(0.1);
    assert_eq!(forest.ask_again("0-1", &json!({}), true), [""; 0]);
    forest.request(0, "job-exec.shell-exit", &exit, 0);
    let log = forest.head.log("job-1234:exec.eventlog");
    assert_eq!(log.matches("shell-exit").count(), 1, "{log}");
    let output = forest.head.values.get("job-1234:output");
    assert_eq!(output.map(Vec::as_slice), Some(&b"a\n"[..]));
    let said = forest.exit(1, 0);
    assert!(said.contains(&"0: finish 768".to_owned()), "{said:?}");
}

#[test]
fn a_job_whose_nodes_do_not_come_back_is_not_recoverable() {
    let mut forest = Forest::new(4, 2);
    forest.running("1-3");
    forest.dies(0);
    forest.falls(1);
    forest.pass(0.1);
    assert_eq!(forest.ask_again("1-3", &json!({}), true), [""; 0]);
    let said = forest.pass(5.0);
    let note = "job is not recoverable: no job shell on host[1,3] (ranks 1,3)";
    assert_eq!(
        said[..2],
        [
            format!("0: exception exec 0: {note}"),
            "0: finish 256".to_owned()
        ]
    );
}

#[test]
fn a_shell_that_died_with_its_hand_is_missed() {
    let mut forest = Forest::new(4, 2);
    forest.running("0-3");
    forest.dies(3);
    forest.starts(3);
    assert_eq!(forest.run(), [""; 0]);
    assert_eq!(forest.pass(4.9), [""; 0]);
    let said = forest.pass(0.2);
    let note = "lost contact with job shell on host3 (rank 3)";
    assert_eq!(said[0], format!("0: exception exec 0: {note}"));
}

#[test]
fn a_broker_that_is_replaced_at_once_has_lost_its_shells() {
    for k in [2, 3] {
        let mut forest = Forest::new(4, k);
        forest.running("0-3");
        let said = forest.replaced(3);
        let note = "node failure on host3 (rank 3)";
        assert_eq!(said[0], format!("0: exception exec 0: {note}"));
    }
}

#[test]
fn nobody_joins_but_from_below() {
    let mut forest = Forest::new(4, 2);
    let join = |rank: u32| json!({"rank": rank, "fresh": false, "parts": []});
    let refused = "join: EPERM only a job-exec below this broker may join";
    for (at, rank) in [(0, 1), (1, 3), (3, 3)] {
        let said = forest.request(at, "job-exec.join", &join(rank), wire::Flags::STREAMING);
        assert_eq!(said, [format!("{at}: {refused}")]);
    }
    let report = json!({"rank": 1, "parts": []});
    let said = forest.request(0, "job-exec.report", &report, 0);
    assert_eq!(said, ["0: report: ESRCH join first"]);
}

#[test]
fn a_job_costs_each_link_the_same_number_of_messages_regardless_of_its_size() {
    let mut worst = Vec::new();
    for size in [4, 16, 64] {
        let mut forest = Forest::new(size, 4);
        let all: Vec<u32> = (0..size).collect();
        forest.ask(&format!("0-{}", size - 1), &json!({}));
        forest.run_shells(&all);
        for rank in &all {
            forest.hello(*rank, false);
        }
        for seq in 0..2 {
            for rank in all.iter().rev() {
                forest.barrier(*rank, seq, json!({}));
            }
        }
        for rank in all.iter().rev() {
            forest.exit(*rank, 0);
        }
        let sum: usize = forest.links.values().sum();
        let most = forest.links.values().max().copied().unwrap();
        println!("{size} nodes: {sum} messages, at most {most} on one link");
        worst.push(most);
        assert!(sum <= 20 * size as usize, "{sum} messages for {size} nodes");
    }
    assert!(worst.iter().all(|most| *most <= 20), "{worst:?}");
}

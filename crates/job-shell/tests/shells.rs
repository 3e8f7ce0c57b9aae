//! Shells of one job on several nodes: the messages between the leading one and the others.

mod stage;

use node::{ChildEvent, StdioFd};
use proto::data::Tree;
use proto::{Errno, Refusal};
use serde_json::{Value, json};
use stage::{Play, Stage};

/// A job of two nodes with a task each, seen from this one.
fn play(rank: u64) -> Play {
    Play {
        nodes: 2,
        rank,
        ..Play::default()
    }
}

fn with(rank: u64, options: Value) -> Play {
    Play {
        options,
        ..play(rank)
    }
}

/// The shell of this rank, its tasks started, and those of the other one too.
fn running(play: Play) -> Stage {
    let mut stage = Stage::start(play);
    stage.notify_job();
    stage.opens();
    stage.child(0, ChildEvent::Started { pid: 7 });
    stage.opens();
    stage
}

/// Longer than events wait for others.
const GATHER_S: f64 = 0.1;

fn gone() -> Refusal {
    Refusal::bare(Errno::EHOSTUNREACH)
}

#[test]
fn tasks_start_when_all_shells_are_ready() {
    let mut leader = Stage::start(play(0));
    assert_eq!(leader.notify_job(), ["hear 0", "barrier 0"]);
    assert_eq!(leader.opens(), ["spawn prog", "barrier 1"]);
    leader.pass(GATHER_S);
    let init = r#"shell.init {"service":"100-shell-fNH","leader-rank":0,"size":2}"#;
    assert_eq!(leader.log("exec.eventlog"), [init]);
    leader.child(0, ChildEvent::Started { pid: 7 });
    assert_eq!(leader.opens(), [""; 0]);
    leader.pass(GATHER_S);
    let start = r#"shell.start {"taskmap":{"version":1,"map":[[0,2,1,1]]}}"#;
    assert_eq!(leader.log("exec.eventlog")[1..], [start]);
    let mut other = Stage::start(play(1));
    assert_eq!(other.notify_job(), ["barrier 0"]);
    assert_eq!(
        other.opens(),
        ["watch \"input\"", "spawn prog", "barrier 1"]
    );
    for (name, value) in [
        ("FLUX_TASK_RANK", "1"),
        ("FLUX_TASK_LOCAL_ID", "0"),
        ("FLUX_JOB_NNODES", "2"),
        ("FLUX_JOB_SIZE", "2"),
        ("PMI_RANK", "1"),
        ("PMI_SIZE", "2"),
    ] {
        assert_eq!(other.env(0, name).as_deref(), Some(value), "{name}");
    }
    let tmpdir = other.env(0, "FLUX_JOB_TMPDIR").unwrap();
    assert!(tmpdir.ends_with("/jobtmp-1-fNH"), "{tmpdir}");
    assert!(other.values.is_empty(), "the leading shell writes the logs");
}

#[test]
fn a_shell_tells_what_its_tasks_do_and_goes_when_it_was_heard() {
    let mut other = running(play(1));
    let line = r#"{"data":{"stream":"stdout","rank":"1","data":"a\n"}}"#;
    assert_eq!(
        other.writes(0, StdioFd::Stdout, "a\nb"),
        [format!("tell 1 {line}")]
    );
    // Later output joins the next.
    assert_eq!(other.writes(0, StdioFd::Stderr, "x"), [""; 0]);
    assert_eq!(other.ends(0, 256), [""; 0]);
    let words = [
        r#"{"data":{"stream":"stderr","rank":"1","data":"x"}}"#,
        r#"{"data":{"stream":"stdout","rank":"1","data":"b","eof":true}}"#,
        r#"{"data":{"stream":"stderr","rank":"1","eof":true}}"#,
        r#"{"exit":{"localid":0,"rank":1,"pid":7,"status":256}}"#,
        r#""complete""#,
    ];
    let second = format!("tell 2 {}", words.join(" "));
    let answer = |other: &mut Stage, result| other.answers("job-exec.shell-tell", result);
    assert_eq!(answer(&mut other, Ok("")), std::slice::from_ref(&second));
    // job-exec was restarted: told again under the same number.
    assert_eq!(answer(&mut other, Err(gone())), [""; 0]);
    assert_eq!(other.pass(0.05), [second]);
    assert_eq!(answer(&mut other, Ok("")), ["exit 1"]);
    assert_eq!(other.acknowledge(Ok("")), [""; 0]);
    assert!(other.values.values().all(Vec::is_empty));
}

#[test]
fn what_nobody_hears_goes_with_the_last_word() {
    let mut other = running(play(1));
    other.writes(0, StdioFd::Stdout, "a\n");
    let ended = Refusal::new(Errno::EPIPE, "the leading shell has ended");
    assert_eq!(other.answers("job-exec.shell-tell", Err(ended)), [""; 0]);
    assert_eq!(other.ends(0, 0), ["exit 0"]);
    let expect = [
        r#"data {"stream":"stdout","rank":"1","data":"a\n"}"#,
        r#"data {"stream":"stdout","rank":"1","eof":true}"#,
        r#"data {"stream":"stderr","rank":"1","eof":true}"#,
    ];
    assert_eq!(other.log("output"), expect);
}

#[test]
fn a_task_waits_while_nobody_takes_what_it_writes() {
    let mut other = running(play(1));
    let line = format!("{}\n", "x".repeat(1 << 20));
    other.writes(0, StdioFd::Stdout, &line);
    let seen = other.writes(0, StdioFd::Stdout, &line);
    assert_eq!(seen, ["flow 0 paused=true"]);
    let seen = other.answers("job-exec.shell-tell", Ok(""));
    assert!(seen.contains(&"flow 0 paused=false".to_owned()));
    assert!(
        seen[0].ends_with(r#" "more""#),
        "the leading shell hears that it waits"
    );
}

#[test]
fn the_leading_shell_writes_for_all_and_waits_for_all() {
    let mut leader = running(play(0));
    let out = |text: &str| json!({"data": {"stream": "stdout", "rank": "1", "data": text}});
    assert_eq!(leader.hears(1, 1, &json!([out("a\n")])), ["hear 1"]);
    // A batch that is told twice is heard once.
    assert_eq!(leader.hears(1, 1, &json!([out("a\n")])), ["hear 1"]);
    let log = json!({"log": {"level": 4, "message": "text", "rank": 1}});
    assert_eq!(leader.hears(1, 2, &json!([log])), ["hear 2"]);
    assert_eq!(leader.ends(0, 0), [""; 0]);
    let exit = json!({"exit": {"localid": 0, "rank": 1, "pid": 9, "status": 9}});
    let seen = leader.hears(1, 3, &json!([exit, "complete"]));
    assert_eq!(seen, ["hear 3", "exit 0"]);
    let output = leader.output();
    assert_eq!(
        output[..2],
        [
            r#"data {"stream":"stdout","rank":"1","data":"a\n"}"#,
            r#"log {"level":4,"message":"text","rank":1}"#
        ]
    );
    // Only the first exit of the job is told: that of the task here.
    let first = r#"shell.task-exit {"localid":0,"rank":0,"state":"Exited","pid":7,"wait_status":0,"signaled":0,"exitcode":0}"#;
    assert_eq!(leader.log("exec.eventlog")[2..], [first]);
}

#[test]
fn tasks_of_the_leading_shell_write_no_faster_than_others_are_heard() {
    let mut leader = running(play(0));
    let out = json!({"data": {"stream": "stdout", "rank": "1", "data": "a\n"}});
    let much = format!("{}\n", "x".repeat(256 << 10));
    assert_eq!(
        leader.writes(0, StdioFd::Stdout, &much),
        [""; 0],
        "nobody waits"
    );
    assert_eq!(leader.hears(1, 1, &json!([out, "more"])), ["hear 1"]);
    let waits = ["flow 0 paused=true"];
    assert_eq!(leader.writes(0, StdioFd::Stdout, &much), waits);
    let goes_on = ["hear 2", "flow 0 paused=false"];
    assert_eq!(leader.hears(1, 2, &json!([out, "more"])), goes_on);
    assert_eq!(leader.writes(0, StdioFd::Stdout, &much), waits);
    // A lost shell is not waited for.
    let lost = json!({"lost": {"ranks": "1", "severity": 2, "message": ""}});
    assert_eq!(leader.order(&lost), ["flow 0 paused=false"]);
}

#[test]
fn the_leading_shell_keeps_room_for_others() {
    let mut leader = running(play(0));
    leader.is_kvs_silent = true;
    leader.writes(0, StdioFd::Stdout, "first\n");
    let half = format!("{}\n", "x".repeat(2 << 20));
    let seen = leader.writes(0, StdioFd::Stdout, &half);
    assert_eq!(seen, ["flow 0 paused=true"]);
    let out = |text: &str| json!({"data": {"stream": "stdout", "rank": "1", "data": text}});
    assert_eq!(leader.hears(1, 1, &json!([out("a\n")])), ["hear 1"]);
    assert_eq!(
        leader.hears(1, 2, &json!([out(&half)])),
        [""; 0],
        "it is full"
    );
    leader.is_kvs_silent = false;
    let tag = leader.unanswered.remove(0);
    leader.commit_done(tag);
    assert_eq!(leader.run(), ["hear 2", "flow 0 paused=false"]);
}

#[test]
fn the_first_task_to_exit_counts_wherever_it_was() {
    let exit = |status| json!({"exit": {"localid": 0, "rank": 1, "pid": 9, "status": status}});
    let mut leader = running(with(0, json!({"exit-on-error": 1})));
    let note = "prog: task rank 1 on host host1 failed (Exit 7) and exit-on-error is set";
    let seen = leader.hears(1, 1, &json!([exit(7 << 8)]));
    assert_eq!(seen, [&format!("raise {note} 1792"), "hear 1"]);
    let mut leader = running(with(0, json!({"exit-on-error": 1})));
    leader.hears(1, 1, &json!([exit(0)]));
    assert_eq!(leader.ends(0, 256), [""; 0], "it was not the first");
    let mut leader = running(with(0, json!({"exit-timeout": 5})));
    leader.hears(1, 1, &json!([exit(256), "complete"]));
    let note = "prog: task rank 1 on host host1 exited (Exit 1) and exit-timeout=5s has expired";
    assert_eq!(leader.pass(5.0), [format!("raise {note}")]);
}

#[test]
fn one_shell_says_for_all_where_output_goes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out");
    for (rank, n_said) in [(0, 2), (1, 0)] {
        let mut shell = running(with(rank, json!({"output": {"stdout": {"path": path}}})));
        let told = shell.ends(0, 0);
        assert!(
            !told.iter().any(|line| line.contains("redirect")),
            "{told:?}"
        );
        if rank == 0 {
            shell.hears(1, 1, &json!(["complete"]));
        } else {
            while shell.exits.is_empty() {
                shell.answers("job-exec.shell-tell", Ok(""));
            }
        }
        let said = shell.log("output");
        let said = said.iter().filter(|line| line.starts_with("redirect "));
        assert_eq!(said.count(), n_said, "rank {rank}");
    }
}

#[test]
fn a_first_exit_is_logged_behind_the_start() {
    let mut leader = Stage::start(play(0));
    leader.notify_job();
    leader.opens();
    let exit = json!({"exit": {"localid": 0, "rank": 1, "pid": 9, "status": 0}});
    leader.hears(1, 1, &json!([exit, "complete"]));
    leader.pass(GATHER_S);
    assert_eq!(leader.log("exec.eventlog").len(), 1);
    leader.opens();
    leader.pass(GATHER_S);
    let log = leader.log("exec.eventlog");
    let names = log
        .iter()
        .map(|line| line.split(' ').next().unwrap_or_default());
    let names: Vec<&str> = names.collect();
    assert_eq!(names, ["shell.init", "shell.start", "shell.task-exit"]);
}

#[test]
fn a_shell_that_is_lost_is_told_and_not_waited_for() {
    let lost = json!({"lost": {"ranks": "1", "severity": 3,
        "message": "shell rank 1 (on host1): Killed"}});
    let mut leader = running(play(0));
    assert_eq!(leader.order(&lost), [""; 0]);
    let note = "prog: shell rank 1 on host host1 exited and exit-timeout=30s has expired";
    assert_eq!(leader.pass(30.0), [format!("raise {note}")]);
    leader.order(&json!({"signal": 15}));
    assert_eq!(leader.ends(0, 15), ["exit 143"]);
    let log = r#"log {"level":4,"message":"shell rank 1 (on host1): Killed","rank":0,"component":"exception"}"#;
    assert_eq!(leader.output()[0], log);
    let mut leader = running(with(0, json!({"exit-on-error": 1})));
    let note = "prog: shell rank 1 on host host1 failed and exit-on-error is set";
    assert_eq!(leader.order(&lost), [format!("raise {note}")]);
    assert_eq!(leader.ends(0, 15), ["exit 1"]);
    // One whose tasks had ended is no loss.
    let mut leader = running(with(0, json!({"exit-on-error": 1})));
    leader.hears(1, 1, &json!(["complete"]));
    assert_eq!(leader.order(&lost), [""; 0]);
}

#[test]
fn a_job_that_is_ended_while_shells_meet_starts_nothing() {
    let mut leader = Stage::start(play(0));
    leader.notify_job();
    assert_eq!(leader.order(&json!({"signal": 15})), [""; 0]);
    let canceled = Refusal::bare(Errno::ECANCELED);
    assert_eq!(
        leader.answers("job-exec.shell-barrier", Err(canceled)),
        [""; 0]
    );
    let seen = leader.hears(1, 1, &json!(["complete"]));
    assert_eq!(seen, ["hear 1", "exit 143"]);
    let mut other = Stage::start(play(1));
    other.notify_job();
    let broken = Refusal::bare(Errno::EIO);
    assert_eq!(
        other.answers("job-exec.shell-barrier", Err(broken)),
        ["tell 1 \"complete\""]
    );
    assert_eq!(other.answers("job-exec.shell-tell", Ok("")), ["exit 1"]);
}

/// A job of several nodes may lose one before its leading shell knows them all.
#[test]
fn a_shell_that_is_lost_before_the_job_is_known_is_not_waited_for() {
    let play = Play {
        is_found_late: true,
        ..play(0)
    };
    let mut leader = Stage::start(play);
    assert_eq!(leader.notify_job(), [""; 0]);
    let lost = json!({"lost": {"ranks": "1", "severity": 0, "message": ""}, "signal": 15});
    assert_eq!(leader.order(&lost), [""; 0]);
    assert_eq!(leader.finds_request(), ["hear 0", "barrier 0"]);
    let canceled = Refusal::bare(Errno::ECANCELED);
    assert_eq!(
        leader.answers("job-exec.shell-barrier", Err(canceled)),
        ["exit 1"]
    );
}

#[test]
fn a_barrier_is_asked_again_when_job_exec_was_restarted() {
    let mut other = Stage::start(play(1));
    other.notify_job();
    assert_eq!(
        other.answers("job-exec.shell-barrier", Err(gone())),
        [""; 0]
    );
    assert_eq!(other.pass(0.05), ["barrier 0"]);
}

#[test]
fn a_job_exec_that_does_not_know_the_job_yet_is_asked_again() {
    let unknown = || Refusal::new(Errno::ESRCH, "no such job");
    let mut leader = running(play(0));
    let seen = leader.answers("job-exec.shell-hear", Err(unknown()));
    assert_eq!(seen, [""; 0]);
    assert_eq!(leader.pass(0.05), ["hear 0"]);
    let mut other = running(play(1));
    other.writes(0, StdioFd::Stdout, "a\n");
    let seen = other.answers("job-exec.shell-tell", Err(unknown()));
    assert_eq!(seen, [""; 0]);
    let line = r#"{"data":{"stream":"stdout","rank":"1","data":"a\n"}}"#;
    assert_eq!(other.pass(0.05), [format!("tell 1 {line}")]);
}

#[test]
fn what_is_wrong_with_a_job_is_said_once() {
    let wrong = json!({"cpu-affinity": 1, "verbose": "x"});
    let fatal = "failed to parse attributes.system.shell.verbose";
    let mut leader = Stage::start(with(0, wrong.clone()));
    assert_eq!(leader.notify_job(), ["hear 0", &format!("raise {fatal}")]);
    let seen = leader.hears(1, 1, &json!(["complete"]));
    assert_eq!(seen, ["hear 1", "exit 1"]);
    let mut other = Stage::start(with(1, wrong));
    assert_eq!(other.notify_job(), ["tell 1 \"complete\""]);
}

fn say(stage: &mut Stage, line: &str) -> Vec<String> {
    let (name, data) = ("PMI_FD".to_owned(), format!("{line}\n").into());
    let eof = false;
    stage.child(0, ChildEvent::Channel { name, data, eof })
}

#[test]
fn tasks_of_all_shells_meet_and_exchange_keys() {
    let mut leader = running(play(0));
    say(&mut leader, "cmd=put kvsname=x key=k value=v 0");
    assert_eq!(
        say(&mut leader, "cmd=barrier_in"),
        [r#"barrier 2 {"k":"v 0"}"#]
    );
    let all = json!({"data": {"k": "v 0", "other": "v 1"}}).to_string();
    assert_eq!(
        leader.answers("job-exec.shell-barrier", Ok(&all)),
        [r#"pmi 0 "cmd=barrier_out rc=0\n""#]
    );
    assert_eq!(
        say(&mut leader, "cmd=get kvsname=x key=other"),
        [r#"pmi 0 "cmd=get_result rc=0 value=v 1\n""#]
    );
    let mapping = r#"pmi 0 "cmd=get_result rc=0 value=(vector,(0,2,1))\n""#;
    assert_eq!(
        say(&mut leader, "cmd=get kvsname=x key=PMI_process_mapping"),
        [mapping]
    );
    assert_eq!(say(&mut leader, "cmd=barrier_in"), ["barrier 3"]);
    let broken = Refusal::bare(Errno::EIO);
    assert_eq!(
        leader.answers("job-exec.shell-barrier", Err(broken)),
        [r#"pmi 0 "cmd=barrier_out rc=-1\n""#]
    );
}

#[test]
fn input_for_tasks_elsewhere_goes_into_the_log() {
    let mut leader = running(play(0));
    let send = |leader: &mut Stage, rank: &str, data: Option<&str>| {
        let data = json!({"stream": "stdin", "rank": rank, "data": data, "eof": data.is_none()});
        leader.request("stdin", &data)
    };
    assert_eq!(send(&mut leader, "1", Some("to 1")), ["stdin: ok"]);
    assert_eq!(
        send(&mut leader, "all", Some("x")),
        ["input 0 \"x\"", "stdin: ok"]
    );
    assert_eq!(send(&mut leader, "1", None), ["stdin: ok"]);
    assert_eq!(send(&mut leader, "1", Some("late")), ["stdin: EPIPE"]);
    assert_eq!(
        send(&mut leader, "all", Some("y")),
        ["input 0 \"y\"", "stdin: ok"]
    );
    assert_eq!(leader.log("input").len(), 5);
    let mut other = running(play(1));
    let refused = send(&mut other, "all", Some("x"));
    let text = "stdin: ENOSYS only the leading shell takes input";
    assert_eq!(refused, [text]);
}

#[test]
fn a_shell_that_does_not_lead_reads_the_log_of_input() {
    let mut other = running(play(1));
    let lines = |lines: &[Value]| {
        let lines = lines
            .iter()
            .map(|data| json!({"timestamp": 1.0, "name": "data", "context": data}).to_string());
        let text: String = lines.map(|line| line + "\n").collect();
        (
            json!({ "val": Tree::Val(text.clone().into()) }).to_string(),
            text,
        )
    };
    let data = |rank: &str, text: &str| json!({"stream": "stdin", "rank": rank, "data": text});
    let end = json!({"stream": "stdin", "rank": "all", "eof": true});
    let (first, text) = lines(&[data("all", "a"), data("0", "b"), data("[0-1]", "c")]);
    assert_eq!(
        other.answers("kvs-watch.lookup", Ok(&first)),
        ["input 0 \"a\"", "input 0 \"c\""]
    );
    // Watched again, all comes again; it is read once.
    other.answers("kvs-watch.lookup", Err(gone()));
    other.asked.retain(|(topic, _)| topic != "kvs-watch.lookup");
    assert_eq!(other.pass(0.05), ["watch \"input\""]);
    let (_, more) = lines(&[end]);
    let again = json!({ "val": Tree::Val((text + &more).into()) }).to_string();
    assert_eq!(
        other.answers("kvs-watch.lookup", Ok(&again)),
        ["input 0 \"\" eof"]
    );
}

#[test]
fn files_that_differ_between_shells_are_their_own() {
    let dir = tempfile::tempdir().unwrap();
    let check = |template: &str, rank: u64, file: Option<&str>| {
        let path = format!("{}/{template}", dir.path().display());
        let options = json!({"output": {"stdout": {"path": path}, "stderr": {"type": "kvs"}}});
        let mut stage = running(with(rank, options));
        let told = stage.writes(0, StdioFd::Stdout, "x\n");
        assert_eq!(told.is_empty(), file.is_some(), "{template} {told:?}");
        if let Some(file) = file {
            let found = std::fs::read_to_string(dir.path().join(file)).unwrap();
            assert_eq!(found, "x\n", "{template}");
        }
    };
    check("all", 0, Some("all"));
    check("all", 1, None);
    check("t{{taskid}}", 1, Some("t1"));
    check("n{{node.id}}", 1, Some("n1"));
    check("h{{node.name}}", 1, Some("hhost1"));
    check("c{{node.cores}}", 1, None);
}

#[test]
fn a_file_that_all_share_is_written_by_the_leading_shell() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("out");
    let options = json!({"output": {"stdout": {"path": path, "label": true}}});
    let mut leader = running(with(0, options));
    let out = json!({"data": {"stream": "stdout", "rank": "1", "data": "a\n"}});
    let log = json!({"log": {"level": 4, "message": "text", "rank": 1}});
    leader.hears(1, 1, &json!([out, log]));
    leader.writes(0, StdioFd::Stdout, "b\n");
    let found = std::fs::read_to_string(&path).unwrap();
    assert_eq!(found, "1: a\nflux-shell[1]:  WARN: text\n0: b\n");
}

#[test]
fn the_leading_shell_signals_before_the_time_is_up() {
    let options = json!({"signal": {"signum": 12, "timeleft": 5}});
    let play = |rank| Play {
        expiration: 1020.0,
        ..with(rank, options.clone())
    };
    assert_eq!(running(play(0)).pass(15.0), ["signal to all 12"]);
    assert_eq!(running(play(1)).pass(15.0), [""; 0]);
}

#[test]
fn cores_of_a_slot_without_a_task_are_given_up() {
    let play = |rank| Play {
        ntasks: 2,
        count: json!({"total": 3}),
        options: json!({"taskmap": {"scheme": "cyclic"}}),
        ..play(rank)
    };
    let mut leader = Stage::start(play(0));
    leader.notify_job();
    assert_eq!(leader.opens(), ["spawn prog", "spawn prog", "barrier 1"]);
    assert_eq!(leader.env(1, "FLUX_TASK_RANK").as_deref(), Some("2"));
    let mut other = Stage::start(play(1));
    let log = r#"{"log":{"level":4,"message":"host1: adjusted cores from 0-1 to 0","rank":1}}"#;
    assert_eq!(
        other.notify_job(),
        ["barrier 0".to_owned(), format!("tell 1 {log}")]
    );
}

//! Tests of standard input: its readers, its limits, and its handling when nobody reads.

mod stage;

use node::ChildEvent;
use serde_json::json;
use stage::{Play, Stage};

const WINDOW: usize = 64 * 1024;
const MIB: usize = 1024 * 1024;

fn running(ntasks: u64) -> Stage {
    Stage::running(Play {
        ntasks,
        ..Play::default()
    })
}

#[test]
fn input_reaches_tasks_and_the_log() {
    let mut stage = Stage::running(Play {
        ntasks: 2,
        ..Play::default()
    });
    let all = json!({"stream": "stdin", "rank": "all", "data": "hi\n"});
    assert_eq!(
        stage.request("stdin", &all),
        [r#"input 0 "hi\n""#, r#"input 1 "hi\n""#, "stdin: ok"]
    );
    let one = json!({"stream": "stdin", "rank": "1", "eof": true});
    assert_eq!(
        stage.request("stdin", &one),
        [r#"input 1 "" eof"#, "stdin: ok"]
    );
    let more = json!({"stream": "stdin", "rank": "1", "data": "late"});
    assert_eq!(stage.request("stdin", &more), ["stdin: EPIPE"]);
    assert_eq!(
        stage.request(
            "stdin",
            &json!({"stream": "stdin", "rank": "2", "data": "x"})
        ),
        ["stdin: EPIPE"]
    );
    assert_eq!(
        stage.log("input")[1..],
        [
            r#"data {"stream":"stdin","rank":"all","data":"hi\n"}"#,
            r#"data {"stream":"stdin","rank":"1","eof":true}"#
        ]
    );
    assert_eq!(stage.request_by_stranger("stdin", &all), ["stdin: EPERM"]);
    let odd = json!({"stream": "stdout", "rank": "all", "data": "x"});
    assert_eq!(stage.request("stdin", &odd), ["stdin: EPROTO"]);
}

#[test]
fn input_may_come_from_a_file() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().to_string_lossy().into_owned();
    let options = json!({"input": {"stdin": {"type": "file", "path": path}}});
    let mut stage = Stage::running(Play {
        options,
        ..Play::default()
    });
    assert_eq!(
        stage.spawned[0].1.stdin_path.as_deref(),
        Some(path.as_str())
    );
    let redirect = json!({"stream": "stdin", "rank": "all", "path": path});
    assert_eq!(stage.log("input")[1..], [format!("redirect {redirect}")]);
    let data = json!({"stream": "stdin", "rank": "all", "data": "x"});
    let none = "stdin: ENOSYS Unknown service method";
    assert_eq!(stage.request("stdin", &data), [none]);
    let options = json!({"input": {"stdin": {"type": "file", "path": "/nonexistent"}}});
    let mut stage = Stage::start(Play {
        options,
        ..Play::default()
    });
    let why = "error opening input file '/nonexistent': No such file or directory";
    assert_eq!(stage.notify_job()[0], format!("raise {why}"));
}

#[test]
fn input_for_tasks_that_have_ended_is_taken_while_the_shell_lives() {
    let data = |rank: &str| json!({"stream": "stdin", "rank": rank, "data": "x"});
    let end = json!({"stream": "stdin", "rank": "all", "eof": true});
    let mut stage = running(2);
    stage.ends(0, 0);
    // Nobody has sent anything before: it is not kept for the task that has ended.
    assert_eq!(stage.request("stdin", &data("0")), ["stdin: ok"]);
    assert_eq!(
        stage.request("stdin", &data("all")),
        [r#"input 1 "x""#, "stdin: ok"]
    );
    stage.reads(1, 1, true);
    assert_eq!(stage.request("stdin", &data("1")), ["stdin: ok"]);
    for _ in 0..2 {
        assert_eq!(stage.request("stdin", &end), ["stdin: ok"]);
    }
    stage.is_kvs_silent = true;
    assert_eq!(stage.ends(1, 0), ["exit 0"]);
    assert_eq!(stage.request("stdin", &data("all")), ["stdin: ok"]);
    assert_eq!(stage.request("stdin", &end), ["stdin: ok"]);
}

#[test]
fn an_answer_waits_until_the_task_has_read() {
    let mut stage = running(1);
    let window = format!("input 0 {WINDOW} bytes");
    assert_eq!(stage.send_input("all", MIB), [&window, "stdin: ok"]);
    assert_eq!(stage.send_input("all", MIB), [""; 0]);
    let mut read = 0;
    let seen = loop {
        read += WINDOW;
        let seen = stage.reads(0, WINDOW, false);
        if seen != [&window[..]] {
            break seen;
        }
    };
    assert_eq!(seen, [&window, "stdin: ok"]);
    assert_eq!(read, MIB - WINDOW);
}

#[test]
fn what_waits_may_be_taken_back_and_is_forgotten_when_its_client_leaves() {
    let last_words: [(&str, serde_json::Value, &[&str]); 2] = [
        (
            "cancel",
            json!({"matchtag": 2}),
            &["stdin: ENODATA", "cancel: ok"],
        ),
        ("disconnect", json!({}), &[]),
    ];
    for (method, payload, heard) in last_words {
        let mut stage = running(1);
        stage.send_input("all", MIB);
        assert_eq!(stage.send_input("all", MIB), [""; 0]);
        assert_eq!(stage.request(method, &payload), heard);
        for _ in 0..2 * MIB / WINDOW {
            let seen = stage.reads(0, WINDOW, false);
            assert!(!seen.contains(&"stdin: ok".to_owned()), "{seen:?}");
        }
    }
}

#[test]
fn much_input_arrives_whole_with_its_end() {
    const ALL: usize = 40 * MIB;
    let mut stage = running(1);
    let end = json!({"stream": "stdin", "rank": "0", "eof": true});
    let (mut sent, mut read, mut is_answered) = (0, 0, true);
    let mut inputs = Vec::new();
    while read < ALL {
        let seen = match is_answered {
            true if sent == ALL => stage.request("stdin", &end),
            true => stage.send_input("0", MIB),
            false => stage.reads(0, WINDOW, false),
        };
        match is_answered {
            true => sent += MIB,
            false => read += WINDOW,
        }
        is_answered = sent <= ALL && seen.contains(&"stdin: ok".to_owned());
        inputs.extend(seen.into_iter().filter(|line| line.starts_with("input")));
    }
    assert_eq!(inputs.len(), ALL / WINDOW);
    assert_eq!(inputs.pop().unwrap(), format!("input 0 {WINDOW} bytes eof"));
    assert_eq!(stage.output(), [""; 0]);
}

#[test]
fn the_log_keeps_the_beginning_and_the_end() {
    let mut stage = running(1);
    for _ in 0..11 {
        stage.send_input("all", MIB);
        for _ in 0..MIB / WINDOW {
            stage.reads(0, WINDOW, false);
        }
    }
    let end = json!({"stream": "stdin", "rank": "all", "data": "y", "eof": true});
    stage.request("stdin", &end);
    let log = stage.log("input");
    assert_eq!(log.len(), 1 + 9 + 1);
    let end = r#"data {"stream":"stdin","rank":"all","eof":true}"#;
    assert_eq!(log.last().map(String::as_str), Some(end));
}

#[test]
fn one_task_that_does_not_read_holds_up_no_other() {
    let mut stage = running(2);
    for _ in 0..32 {
        assert_eq!(stage.send_input("all", MIB).last().unwrap(), "stdin: ok");
        for _ in 0..MIB / WINDOW {
            stage.reads(0, WINDOW, false);
        }
    }
    // One MiB is in hand for task 1 at most, and so its share is full now.
    stage.send_input("all", MIB);
    let log = r#"log {"level":4,"message":"task 1: buffer full, closing stdin","rank":0,"component":"input.kvs"}"#;
    assert_eq!(stage.output(), [log]);
    for _ in 0..MIB / WINDOW {
        stage.reads(0, WINDOW, false);
    }
    assert_eq!(stage.send_input("0", 1), ["input 0 \"x\"", "stdin: ok"]);
    assert_eq!(stage.send_input("1", 1), ["stdin: EPIPE"]);
}

#[test]
fn a_client_that_does_not_wait_fills_one_share_and_no_more() {
    let mut stage = running(1);
    let mut seen: Vec<String> = (0..32).flat_map(|_| stage.send_input("0", MIB)).collect();
    assert_eq!(seen, [&format!("input 0 {WINDOW} bytes"), "stdin: ok"]);
    // The rest is acknowledged as it is read.
    for _ in 0..32 * MIB / WINDOW {
        seen.extend(stage.reads(0, WINDOW, false));
    }
    assert_eq!(seen.iter().filter(|line| *line == "stdin: ok").count(), 32);
}

#[test]
fn a_task_that_closes_its_input_ends_the_wait_of_clients() {
    let mut stage = running(1);
    stage.send_input("0", MIB);
    assert_eq!(stage.send_input("0", MIB), [""; 0]);
    assert_eq!(stage.reads(0, WINDOW, true), ["stdin: ok"]);
    assert_eq!(stage.send_input("0", 1), ["stdin: ok"]);
}

#[test]
fn a_task_that_ends_ends_the_wait_of_clients() {
    let mut stage = running(2);
    stage.send_input("0", MIB);
    assert_eq!(stage.send_input("0", MIB), [""; 0]);
    assert_eq!(stage.ends(0, 0), ["stdin: ok"]);
    stage.send_input("1", MIB);
    assert_eq!(stage.send_input("1", MIB), [""; 0]);
    assert_eq!(
        stage.child(1, ChildEvent::Exited { status: 9 }),
        ["stdin: ok"]
    );
}

#[test]
fn a_limit_that_the_job_set_itself_ends_it() {
    let options = json!({"input": {"limit": "1k"}});
    let mut stage = Stage::running(Play {
        options,
        ..Play::default()
    });
    assert_eq!(stage.send_input("all", 1024).last().unwrap(), "stdin: ok");
    let note = "raise input.util: stdin exceeds 1k limit. Try file input (flux submit \
                --input=FILE) or redirect input to your command to avoid the KVS for large \
                amounts of input";
    assert_eq!(
        stage.send_input("all", 1),
        ["stdin: EOVERFLOW stdin limit exceeded", note, "kill 0 9"]
    );
    let options = json!({"input": {"limit": "64M"}});
    let mut stage = Stage::start(Play {
        options,
        ..Play::default()
    });
    let why = "raise shell_init: Invalid KVS input.limit=64M";
    assert_eq!(stage.notify_job(), [why, "exit 1"]);
}

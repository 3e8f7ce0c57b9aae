//! `flux exec` on several ranks, and `flux sproc`.

use client::Refusal;
use client::fake::{Act, answer, object_of, refuse};
use proto::Errno;
use serde_json::{Value, json};
use wire::{Kind, Message};

use super::{answering, check, check_input};

/// An instance of four brokers whose commands act as `ran` says of each rank.
fn instance(
    mut ran: impl FnMut(u32, &Message) -> Vec<Act> + Send + 'static,
) -> impl FnMut(&Message) -> Vec<Act> + Send + 'static {
    move |request| match (request.topic(), request.kind) {
        ("attr.get", _) => vec![answer(request, &json!({"value": "4", "flags": 1}))],
        (_, Kind::Request { nodeid, .. }) => ran(nodeid, request),
        _ => Vec::new(),
    }
}

/// All output about a command which prints `out` and ends with `status`.
fn ran(request: &Message, out: &str, status: i32) -> Vec<Act> {
    let output = |stream: &str, data: Value, eof| {
        let io = json!({"stream": stream, "rank": "0", "data": data, "eof": eof});
        json!({"type": "output", "pid": 7, "io": io})
    };
    let told = [
        json!({"type": "started", "pid": 7}),
        output("stdout", json!(out), false),
        output("stderr", Value::Null, true),
        json!({"type": "finished", "status": status}),
        output("stdout", Value::Null, true),
    ];
    let mut acts: Vec<Act> = told.iter().map(|told| answer(request, told)).collect();
    acts.push(refuse(request, &Refusal::END));
    acts
}

#[test]
fn output_of_all_ranks_is_printed_by_line() {
    let hello = || {
        instance(|rank, request| match request.topic() {
            "rexec.exec" => ran(request, &format!("hello\nfrom {rank}\n"), 0),
            _ => Vec::new(),
        })
    };
    check("exec -n -r 2 true", hello(), "hello\nfrom 2\n");
    let labelled = "1: hello\n1: from 1\n3: hello\n3: from 3\n";
    check("exec -n -l -r 1,3 true", hello(), labelled);
    check("exec -n -l -x 0,2 true", hello(), labelled);
}

#[test]
fn failures_are_grouped_and_the_highest_code_counts() {
    let failing = || {
        instance(|rank, request| match (request.topic(), rank) {
            ("rexec.exec", 2) => ran(request, "", 9),
            ("rexec.exec", _) => ran(request, "", 256),
            _ => Vec::new(),
        })
    };
    check(
        "exec -n false",
        failing(),
        "-- stderr\n[0-1,3]: Exit 1\n2: Killed\n-- code 137\n",
    );
    check("exec -nq -r 0 false", failing(), "-- code 1\n");
}

#[test]
fn ranks_that_run_nothing_are_named() {
    let refusing = |errno, text: Option<&'static str>| {
        instance(move |_, request| match (request.topic(), text) {
            ("rexec.exec", Some(text)) => vec![refuse(request, &Refusal::new(errno, text))],
            ("rexec.exec", None) => vec![refuse(request, &Refusal::bare(errno))],
            _ => Vec::new(),
        })
    };
    check(
        "exec -n -r 0 /nosuch",
        refusing(
            Errno::ENOENT,
            Some("error launching process: No such file or directory"),
        ),
        "-- stderr\nflux-exec: Error: rank 0: /nosuch: error launching process: No such file \
         or directory\n-- code 127\n",
    );
    check(
        "exec -n -r 3 true",
        refusing(Errno::EHOSTUNREACH, None),
        "-- stderr\nflux-exec: Error: rank 3: true: No route to host\n-- code 68\n",
    );
    check(
        "exec -r 3,7-8 true",
        instance(|_, _| Vec::new()),
        "-- stderr\nflux-exec: One or more invalid --ranks specified: 7-8\n-- code 1\n",
    );
    check(
        "exec -x 0-3 true",
        instance(|_, _| Vec::new()),
        "-- stderr\nflux-exec: No targets specified\n-- code 1\n",
    );
}

#[test]
fn input_goes_to_all_as_there_is_room_for_it() {
    let mut open: Vec<(u32, Message)> = Vec::new();
    let mut got = [String::new(), String::new()];
    let cat = instance(move |rank, request| match request.topic() {
        "rexec.exec" => {
            open.push((rank, request.clone()));
            let credit = json!({"type": "add-credit", "channels": {"stdin": 2 + rank}});
            vec![
                answer(request, &json!({"type": "started", "pid": 7})),
                answer(request, &credit),
            ]
        }
        "rexec.write" => {
            let object = object_of(request);
            let io = &object["io"];
            let data = io["data"].as_str().unwrap_or_default();
            got[rank as usize].push_str(data);
            let (_, exec) = open.iter().find(|(of, _)| *of == rank).unwrap();
            assert_eq!(object["matchtag"], json!(exec.matchtag()));
            if io["eof"] == json!(true) {
                return ran(exec, &got[rank as usize], 0);
            }
            assert!(data.len() <= 2 + rank as usize, "{data}");
            let credit = json!({"type": "add-credit", "channels": {"stdin": data.len()}});
            vec![answer(exec, &credit)]
        }
        _ => Vec::new(),
    });
    check_input("exec -l -r 0-1 cat", "abcde\n", cat, "0: abcde\n1: abcde\n");
}

#[test]
fn background_processes_are_told_by_number() {
    let started = instance(|rank, request| {
        let object = object_of(request);
        assert_eq!(object["flags"], json!(16));
        assert_eq!(object["cmd"]["label"], json!("x"));
        match rank {
            1 => vec![refuse(request, &Refusal::new(Errno::EEXIST, "not unique"))],
            rank => vec![answer(
                request,
                &json!({"type": "started", "pid": 100 + rank}),
            )],
        }
    });
    check(
        "exec --bg --waitable --label=x -r 0-2 true",
        started,
        "0: 100\n2: 102\n-- stderr\nflux-exec: Error: rank 1: true: not unique\n-- code 1\n",
    );
}

#[test]
fn an_attached_process_is_followed_to_its_end() {
    let attached = instance(|_, request| {
        let object = object_of(request);
        assert_eq!(
            (&object["pid"], &object["label"]),
            (&json!(-1), &json!("x"))
        );
        ran(request, "late\n", 512)
    });
    check(
        "exec -r 1 --attach x",
        attached,
        "late\n-- stderr\n1: Exit 2\n-- code 2\n",
    );
    check(
        "exec --attach x",
        instance(|_, _| Vec::new()),
        "-- stderr\nflux-exec: --attach requires a single target rank\n-- code 1\n",
    );
}

#[test]
fn what_is_not_to_be_had_is_said() {
    check(
        "exec --with-imp true",
        instance(|_, _| Vec::new()),
        "-- stderr\nflux-exec: --with-imp: no IMP is configured\n-- code 1\n",
    );
}

/// An instance with a job on ranks 2 and 5, whose shells run commands as their brokers would;
/// `log` is its event log.
fn with_job(log: &'static str) -> impl FnMut(&Message) -> Vec<Act> + Send + 'static {
    let r = r#"{"version":1,"execution":{"R_lite":[{"rank":"2,5","children":{"core":"0"}}],"nodelist":["h[2,5]"],"starttime":0,"expiration":0}}"#;
    let init = r#"{"timestamp":1.0,"name":"shell.init","context":{"service":"0-shell-f1","leader-rank":2,"size":2}}"#;
    instance(move |rank, request| match request.topic() {
        "job-info.lookup" => {
            let found = json!({"id": 0, "eventlog": log, "R": r});
            vec![answer(request, &found)]
        }
        "job-info.eventlog-watch" => {
            let event = json!({"event": format!("{init}\n")});
            vec![answer(request, &event)]
        }
        "0-shell-f1.rexec.exec" => ran(request, &format!("on {rank}\n"), 0),
        _ => Vec::new(),
    })
}

#[test]
fn ranks_of_a_job_count_from_its_first() {
    let running = || with_job("");
    check("exec -n -l -j f1 true", running(), "2: on 2\n5: on 5\n");
    check("exec -n -l -j f1 -r 1 true", running(), "5: on 5\n");
    check("exec -n -l -j f1 -x 1 true", running(), "2: on 2\n");
    check(
        "exec -n -j f1 -r 1-2 true",
        running(),
        "-- stderr\nflux-exec: One or more invalid --ranks specified: 2\n-- code 1\n",
    );
    check(
        "exec -n -j f1 true",
        with_job("{\"timestamp\":1.0,\"name\":\"finish\",\"context\":{\"status\":0}}\n"),
        "-- stderr\nflux-exec: ƒ1: job is not running\n-- code 1\n",
    );
    check(
        "exec -n -j no true",
        running(),
        "-- stderr\nflux-exec: error parsing jobid: \"no\"\n-- code 1\n",
    );
}

#[test]
fn processes_are_listed_signalled_and_waited_for() {
    let server = || {
        answering(|topic, object| match topic {
            "rexec.list" => Ok(json!({"rank": 0, "procs": [
                {"pid": 42, "cmd": "sleep", "label": "nap", "state": "R"},
                {"pid": 43, "cmd": "flux run", "label": "", "state": "Z"},
            ]})),
            "rexec.kill" if object["label"] == json!("gone") => Err(Refusal::new(
                Errno::ESRCH,
                "label gone does not belong to any subprocess",
            )),
            "rexec.kill" => Ok(Value::Null),
            _ => Ok(json!({"status": 256, "output": [
                {"stream": "stdout", "rank": "0", "data": "kept\n"},
            ]})),
        })
    };
    check(
        "sproc ps",
        server(),
        "      PID ST LABEL        COMMAND\n       42 R  nap          sleep\n       43 Z  -            flux run\n",
    );
    check("sproc ps -no {pid}", server(), "42\n43\n");
    check("sproc kill 15 nap", server(), "");
    check(
        "sproc kill 15 gone",
        server(),
        "-- stderr\nflux-sproc: ERROR: kill: [Errno 3] label gone does not belong to any subprocess\n-- code 1\n",
    );
    check(
        "sproc kill --wait 15 gone",
        server(),
        "-- stderr\nflux-sproc: ERROR: kill: [Errno 3] label gone does not belong to any subprocess\n-- code 1\n",
    );
    check("sproc wait -o 43", server(), "kept\n-- code 1\n");
}

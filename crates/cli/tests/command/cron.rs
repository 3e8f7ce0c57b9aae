//! `flux cron`.

use client::Refusal;
use client::fake::Act;
use proto::Errno;
use serde_json::{Value, json};
use wire::Message;

use super::{answering, check, check_input, refusing};

fn entry(id: u64, name: &str, tasks: Value) -> Value {
    let runs = tasks.as_array().map_or(0, Vec::len);
    json!({"id": id, "rank": 0, "name": name, "command": name, "repeat": 2, "stopped": id == 2,
        "type": "interval",
        "stats": {"ctime": 1.0, "starttime": 1.0, "lastrun": if runs > 0 { 5.0 } else { 0.0 },
            "count": runs, "failcount": 0, "total": runs, "success": 0, "failure": 0, "deferred": 0},
        "typedata": {"interval": 1.0, "after": 1.0, "next_wakeup": 2.5}, "tasks": tasks})
}

fn task(state: &str, code: i32) -> Value {
    json!({"rank": 0, "pid": 7, "status": code << 8, "state": state, "code": code,
        "create-time": 5.0, "start-time": 5.0, "running-time": 5.0, "end-time": 5.25})
}

/// Refuses each request with its own text, so that a test sees it.
fn echoing() -> impl FnMut(&Message) -> Vec<Act> + Send + 'static {
    answering(|topic, request| Err(Refusal::new(Errno::EINVAL, format!("{topic} {request}"))))
}

fn refused(verb: &str, text: &str) -> String {
    format!("-- stderr\nflux-cron {verb}: {text}\n-- code 1\n")
}

#[test]
fn entries_are_asked_for() {
    for (line, expect) in [
        (
            "interval 1m echo a b",
            r#"{"type":"interval","name":"echo","command":"echo a b","args":{"interval":60.0}}"#,
        ),
        (
            "interval -N x -c 2 -a 5 -o rank=3,timeout=1.5 -d /tmp 1h /bin/true",
            r#"{"type":"interval","name":"x","command":"/bin/true","args":{"interval":3600.0,"after":5.0},"cwd":"/tmp","repeat":2,"rank":3,"timeout":1.5}"#,
        ),
        (
            "event -n 2 -a 3 -i 1s a.b /bin/true",
            r#"{"type":"event","name":"true","command":"/bin/true","args":{"topic":"a.b","nth":2,"after":3,"min_interval":1.0}}"#,
        ),
        (
            "event -o task-history-count=5,stop-on-failure=2 a.b true",
            r#"{"type":"event","name":"true","command":"true","args":{"topic":"a.b","nth":0,"after":0,"min_interval":0.0},"task-history-count":5,"stop-on-failure":2}"#,
        ),
    ] {
        let verb = line.split(' ').next().unwrap();
        let expect = refused(verb, &format!("cron.create {expect}"));
        check(&format!("cron {line}"), echoing(), &expect);
    }
}

#[test]
fn mistakes_are_named() {
    for (line, verb, expect) in [
        ("interval", "interval", "INTERVAL and COMMAND required"),
        ("interval 5", "interval", "INTERVAL and COMMAND required"),
        ("interval zz true", "interval", "Invalid duration 'zz'"),
        ("interval -o zz=1 5 true", "interval", "Unknown option 'zz'"),
        (
            "interval -o rank=x 5 true",
            "interval",
            "Invalid value 'x' of option 'rank'",
        ),
        ("event a", "event", "TOPIC and COMMAND required"),
        ("at now", "at", "TIME and COMMAND required"),
        ("at nonsense true", "at", "Invalid time 'nonsense'"),
        ("delete", "delete", "ID required"),
        ("stop x", "stop", "Invalid ID 'x'"),
        ("dump 9", "dump", "cron.list {}"),
    ] {
        check(&format!("cron {line}"), echoing(), &refused(verb, expect));
    }
    check(
        "cron zz",
        echoing(),
        "-- stderr\nflux-cron: Unknown COMMAND `zz'\n-- code 1\n",
    );
    check(
        "cron stop 1",
        refusing(Errno::EINVAL),
        &refused("stop", "Invalid argument"),
    );
    let none = "No such file or directory";
    check(
        "cron delete 1",
        refusing(Errno::ENOENT),
        &refused("delete", none),
    );
}

#[test]
fn crontab_lines_are_entries() {
    let made = || {
        answering(|_, request| {
            let mut made = entry(3, "x", json!([]));
            made["typedata"] = json!({"next_wakeup": 0.0, "second": "0", "minute": "0-59",
                "hour": "0-23", "mday": "1-31", "month": "0-11", "weekday": "0-6", "year": "0-1100"});
            match request["args"]["minute"].as_str() {
                Some("99") => Err(Refusal::bare(Errno::EPROTO)),
                _ => Ok(made),
            }
        })
    };
    let bad = |line: &str| refused("tab", &format!("Failed to process crontab line: {line}"));
    check_input("cron tab", "# none\n\nbad line\n", made(), &bad("bad line"));
    let beyond = "99 * * * * true";
    check_input("cron tab", beyond, made(), &bad(beyond));
    check_input("cron tab", "# none\n", made(), "");
}

#[test]
fn entries_are_listed() {
    let entries = || {
        answering(|_, _| {
            let all = [
                entry(1, "new", json!([])),
                entry(2, "echo", json!([task("Exited", 0)])),
                entry(3, "false", json!([task("Failed", 1), task("Exited", 0)])),
                entry(4, "none", json!([task("Failed", 127)])),
                entry(5, "slow", json!([task("Timeout", 143)])),
            ];
            Ok(json!({ "entries": all }))
        })
    };
    let days = (command::clock::now() / 86_400.0) as u64;
    let last = format!("{days} days ago");
    let expect = [
        "    ID CMD/NAME        STATE        #RUNS            LASTRUN  STATUS            "
            .to_owned(),
        format!(
            "     1 new             Active         0/2 {:>18}  None              ",
            "None"
        ),
        format!("     2 echo            Stopped        1/2 {last:>18}  Success           "),
        format!("     3 false           Active         2/2 {last:>18}  Failed:rc=1       "),
        format!("     4 none            Active         1/2 {last:>18}  Exec-Error        "),
        format!("     5 slow            Active         1/2 {last:>18}  Timeout           "),
    ];
    check("cron list", entries(), &(expect.join("\n") + "\n"));
    check("cron dump -k task.1.code 3", entries(), "1\n");
    check("cron dump -k name cron-3", entries(), "false\n");
    check("cron dump -k typedata.next_wakeup 3", entries(), "2.5\n");
    let none = refused("dump", "cron-9: No such cron entry found");
    check("cron dump 9", entries(), &none);
    check(
        "cron dump -k zz 3",
        entries(),
        &refused("dump", "cron-3: No such key zz"),
    );
}

#[test]
fn an_entry_is_dumped_whole() {
    let one = || answering(|_, _| Ok(json!({"entries": [entry(1, "new", json!([]))]})));
    check(
        "cron dump 1",
        one(),
        "id = 1\nrank = 0\nname = \"new\"\ncommand = \"new\"\nrepeat = 2\nstopped = false\n\
         type = \"interval\"\nstats.ctime = 1.0\nstats.starttime = 1.0\nstats.lastrun = 0.0\n\
         stats.count = 0\nstats.failcount = 0\nstats.total = 0\nstats.success = 0\n\
         stats.failure = 0\nstats.deferred = 0\ntypedata.interval = 1.0\ntypedata.after = 1.0\n\
         typedata.next_wakeup = 2.5\n",
    );
}

#[test]
fn entries_are_switched_and_deleted() {
    let with = |tasks: Value| answering(move |_, _| Ok(entry(1, "echo", tasks.clone())));
    let days = (command::clock::now() / 86_400.0) as u64;
    check(
        "cron stop 1 2",
        with(json!([])),
        "Stopped cron-1\nStopped cron-2\n",
    );
    check("cron start 1", with(json!([])), "Started cron-1\n");
    check("cron delete 1", with(json!([])), "Removed cron-1: echo\n");
    let ended = format!("Removed cron-1: echo last ran {days} days ago for 0.25s\n");
    check("cron delete 1", with(json!([task("Exited", 0)])), &ended);
    let mut running = task("Running", 0);
    running.as_object_mut().unwrap().remove("end-time");
    let runs = format!("Removed cron-1: echo still running. Started {days} days ago\n");
    check("cron delete -k 1", with(json!([running])), &runs);
}

#[test]
fn the_event_is_shown() {
    let on = || answering(|_, _| Ok(json!({"sync_event": "a", "sync_epsilon": 0.015})));
    check(
        "cron sync",
        on(),
        "-- stderr\nsync: sync to event \"a\" epsilon=0.015s.\n",
    );
    let off = || answering(|_, _| Ok(json!({"sync_disabled": true})));
    check(
        "cron sync --disable",
        off(),
        "-- stderr\nsync: sync disabled.\n",
    );
    let asked = r#"cron.sync {"topic":"b","sync_epsilon":2.0}"#;
    check("cron sync -e 2s b", echoing(), &refused("sync", asked));
}

//! Foreign text does nothing to the terminal, and each item is one line, in every
//! command; ids are ASCII where the locale is.

use client::Refusal;
use client::fake::{Act, FakeBroker, answer, answer_raw, refuse};
use proto::Errno;
use serde_json::json;
use wire::Message;

use super::run;

/// As others write names, notes, reasons and messages.
const WRITTEN: &str = "x\nflux: y\tz\x1b[31m\u{9b}1m\x07\u{202e}";
/// The same as it may be shown.
const SHOWN: &str = "x\\nflux: y\\tz\\u001b[31m\\u009b1m\\u0007\\u202e";

/// An instance in which all texts are like that.
fn instance(request: &Message) -> Vec<Act> {
    let text = WRITTEN;
    vec![match request.topic() {
        "job-list.list" => {
            let job = json!({"id": 1, "userid": 0, "state": 64, "result": 4, "name": text,
                "exception_note": text, "nodelist": text, "dependencies": [text], "queue": text,
                "annotations": {"user": {"note": text}}});
            let end = refuse(request, &Refusal::END);
            return vec![answer(request, &json!({ "jobs": [job] })), end];
        }
        "log.dmesg" => {
            let line = format!("<48>1 2026-11-22T07:17:12.090974Z 0 broker - - - {text}\0");
            let end = refuse(request, &Refusal::END);
            return vec![answer_raw(request, line), end];
        }
        "attr.list" => answer(request, &json!({ "names": [text] })),
        "module.list" => answer(
            request,
            &json!({"mods": [{"name": text, "path": text, "idle": 0, "status": 1,
                "services": [text], "sendqueue": 0, "recvqueue": 0}]}),
        ),
        "kvs.lookup" => {
            let value = json!({"type": "val", "ver": 1, "data": "AA=="});
            let dir = json!({"type": "dir", "ver": 1, "data": { text: value }});
            answer(request, &json!({ "val": dir }))
        }
        "job-manager.queue-list" => answer(request, &json!({ "queues": [text] })),
        "job-manager.queue-status" => answer(
            request,
            &json!({"enable": false, "start": false, "disable_reason": text,
                "stop_reason": text}),
        ),
        "job-manager.wait" => answer(request, &json!({"id": 1, "success": false, "errstr": text})),
        "job-manager.history.get" => answer(request, &json!({ "jobs": [1] })),
        "job-ingest.submit" => answer(request, &json!({ "id": 1 })),
        _ => refuse(request, &Refusal::new(Errno::EINVAL, text)),
    }]
}

/// Output of a command, in an environment with a locale.
fn shown(line: &str, locale: &str) -> String {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let broker = FakeBroker::listen(&folder.path().join("local"), instance).expect("a socket");
    let uri = broker.uri();
    let env = [
        ("FLUX_URI", uri.as_str()),
        ("TZ", "UTC"),
        ("XDG_CONFIG_DIRS", "/nonexistent"),
        ("LC_ALL", locale),
    ];
    let words: Vec<&str> = line.split_whitespace().collect();
    run(&env, &words, "")
}

#[test]
fn one_thing_is_one_line() {
    for (line, n_lines) in [
        ("jobs -an", 1),
        ("jobs -an --format={name}:{queue}:{dependencies}", 1),
        ("jobs -an -o endreason", 1),
        ("jobs -an --format={annotations.user.note}{nodelist}", 1),
        ("dmesg", 1),
        ("dmesg -H --color=always", 1),
        ("lsattr", 1),
        ("module list -l", 2),
        ("kvs ls -1 .", 1),
        ("kvs dir .", 1),
        ("queue status", 2),
        ("job wait", 4),
        // Refusals in both styles, between what `run` says of the streams.
        ("getattr x", 3),
        ("queue enable -a", 3),
        ("resource list", 3),
        ("job urgency 1 2", 3),
    ] {
        let shown = shown(line, "C.UTF-8");
        let own_colours = shown.replace("\x1b[0m", "").replace("\x1b[3", "");
        let is_plain = |c: char| c == '\n' || !(c.is_control() || c == '\u{202e}');
        let is_coloured = line.contains("color");
        let looked_at = if is_coloured { &own_colours } else { &shown };
        assert!(looked_at.chars().all(is_plain), "{line}: {shown:?}");
        assert!(shown.contains("y\\tz"), "{line}: {shown:?}");
        assert_eq!(shown.lines().count(), n_lines, "{line}: {shown:?}");
    }
}

#[test]
fn texts_keep_what_is_printed_of_them() {
    assert_eq!(shown("kvs ls -1 .", "C.UTF-8"), format!("{SHOWN}\n"));
    assert_eq!(
        shown("getattr x", "C.UTF-8"),
        format!("-- stderr\nflux-getattr: x: {SHOWN}\n-- code 1\n")
    );
    // JSON has escapes of its own.
    let json = shown("jobs -a --json", "C.UTF-8");
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["jobs"][0]["name"], WRITTEN);
}

#[test]
fn ids_follow_the_locale() {
    for line in [
        "jobs -an",
        "jobs -an --format={id}",
        "jobs -an --format={id.f58}",
        "job last",
        "job wait",
        "submit true",
        "job id --to=f58 1",
        "job urgency 1 2",
        "job kill 1",
        "job raise 1",
        "cancel 1",
        "job eventlog 1",
    ] {
        let (unicode, ascii) = (shown(line, "C.UTF-8"), shown(line, "C"));
        assert_eq!(unicode.replace('ƒ', "f"), ascii, "{line}");
        let names_id = unicode.contains("ƒ2");
        let says_no_id = line == "job eventlog 1";
        assert!(names_id || says_no_id, "{line}: {unicode}");
    }
}

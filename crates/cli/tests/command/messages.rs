//! Commands about messages, services and modules.

use client::Refusal;
use client::fake::{answer, answer_raw, object_of, send};
use proto::Errno;
use serde_json::{Value, json};
use wire::{Flags, Kind, Message};

use super::{answering, check, refusing};

/// Checks the response of a service to a ping, without the time.
fn check_ping(line: &str, expect: &str) {
    let pong = |request: &Message| {
        let mut object = object_of(request);
        for (key, value) in [
            ("route", json!("a!b")),
            ("userid", json!(100)),
            ("rolemask", json!(5)),
            ("rank", json!(3)),
        ] {
            object[key] = value;
        }
        vec![answer(request, &object)]
    };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("s");
    let broker = client::fake::FakeBroker::listen(&path, pong).expect("a socket");
    let words: Vec<&str> = line.split_whitespace().collect();
    let shown = super::run(&[("FLUX_URI", &broker.uri())], &words, "");
    let mut untimed = String::new();
    for line in shown.lines() {
        untimed.push_str(line.split(" time=").next().unwrap_or_default());
        untimed.push_str(if line.ends_with(" ms (a!b)") {
            " ... (a!b)\n"
        } else {
            "\n"
        });
    }
    assert_eq!(untimed, expect, "flux {line}");
}

#[test]
fn a_ping_shows_who_answered() {
    check_ping(
        "ping -c1 kvs",
        "flux-ping any!kvs\n3!kvs.ping pad=0 seq=0 ... (a!b)\n",
    );
    check_ping(
        "ping -c2 -i0 -p10 -u 3!kvs",
        "flux-ping 3!kvs\n\
        3!kvs.ping pad=10 userid=100 rolemask=0x5 seq=0 ... (a!b)\n\
        3!kvs.ping pad=10 userid=100 rolemask=0x5 seq=1 ... (a!b)\n",
    );
    check_ping(
        "ping --batch --count=2 --interval=0 --rank=any broker",
        "flux-ping any!broker\n\
        3!broker.ping pad=0 seq=0 ... (a!b)\n\
        3!broker.ping pad=0 seq=1 ... (a!b)\n",
    );
}

#[test]
fn a_ping_in_vain_gives_the_number_s_text() {
    let absent = || {
        answering(|_, _| {
            Err(Refusal::new(
                Errno::ENOSYS,
                "No service matching x is registered",
            ))
        })
    };
    check(
        "ping -c1 x",
        absent(),
        "flux-ping any!x\n-- stderr\nflux-ping: x.ping: Function not implemented\n-- code 1\n",
    );
    check(
        "ping -c1 9",
        refusing(Errno::EHOSTUNREACH),
        "flux-ping 9!broker\n\
        -- stderr\nflux-ping: 9!broker.ping: No route to host\n-- code 1\n",
    );
}

#[test]
fn events_are_published() {
    check(
        "event pub -s -p a.b {\"x\":1}",
        |request| {
            assert!(matches!(request.kind, Kind::Request { nodeid: 0, .. }));
            // The payload with its NUL, in base64.
            let expect = json!({"topic": "a.b", "flags": 0x20, "payload": "eyJ4IjoxfQA="});
            assert_eq!(object_of(request), expect);
            vec![answer(request, &json!({"seq": 42}))]
        },
        "seq=42\n",
    );
    check(
        "event pub --loopback a.b",
        |message| match message.kind {
            Kind::Event { .. } => {
                assert!(message.payload().is_none() && !message.has(Flags::PRIVATE));
                vec![send(message.clone())]
            }
            _ => vec![answer_raw(message, "")],
        },
        "",
    );
}

#[test]
fn events_are_shown() {
    check(
        "event sub -c2 a",
        |request| {
            assert_eq!(object_of(request), json!({"topic": "a"}));
            let mut event = Message::event("a.b");
            let bare = send(event.clone());
            event.set_payload("{\"x\":1}\0".into());
            vec![answer_raw(request, ""), bare, send(event)]
        },
        "a.b\t\na.b\t{\"x\":1}\n",
    );
}

/// A broker with one module.
fn modules(topic: &str, object: Value) -> Result<Value, Refusal> {
    match (topic, object["name"].as_str()) {
        ("module.list", _) => Ok(json!({"mods": [{
            "name": "kvs", "path": "/m", "idle": 0, "status": 1, "services": [],
            "sendqueue": 0, "recvqueue": 0
        }]})),
        ("module.remove", Some("kvs")) => Ok(json!({})),
        ("module.remove", _) => Err(Refusal::bare(Errno::ENOENT)),
        ("module.load", _) if object["path"] == "kvs" => {
            assert_eq!(object["args"], json!(["a=1"]));
            Ok(json!({}))
        }
        ("module.load", _) => Err(Refusal::new(
            Errno::ENOENT,
            "module not found in search path",
        )),
        ("kvs.stats-get", _) => Ok(json!({"tx": {"request": 3}})),
        ("kvs.debug", _) => Ok(json!({"flags": 4})),
        _ => Err(Refusal::bare(Errno::ENOSYS)),
    }
}

#[test]
fn modules_are_looked_after() {
    for (line, expect) in [
        (
            "module list",
            "Module                    Idle  S Sendq Recvq Service\n\
            kvs                          0  R     0     0 \n",
        ),
        ("module load kvs a=1", ""),
        ("module reload kvs a=1", ""),
        ("module remove kvs", ""),
        (
            "module load nosuch",
            "-- stderr\n\
            flux-module: load nosuch: module not found in search path\n\
            -- code 1\n",
        ),
        (
            "module remove nosuch",
            "-- stderr\n\
            flux-module: remove nosuch: No such file or directory\n\
            -- code 1\n",
        ),
        ("module remove -f nosuch", ""),
        (
            "module stats kvs",
            "{\n \"tx\": {\n  \"request\": 3\n }\n}\n",
        ),
        ("module stats --parse tx.request kvs", "3\n"),
        (
            "module stats nosuch",
            "-- stderr\nflux-module: nosuch.stats-get: Function not implemented\n-- code 1\n",
        ),
        ("module debug --setbit 0x4 kvs", "0x4\n"),
    ] {
        check(line, answering(modules), expect);
    }
}

//! Commands about the instance itself.

use client::Refusal;
use client::fake::{answer, answer_raw, refuse};
use proto::Errno;
use serde_json::{Value, json};

use super::{answering, check, check_input, refusing};

fn attrs(topic: &str, object: Value) -> Result<Value, Refusal> {
    let value = match (topic, object["name"].as_str()) {
        ("attr.list", _) => return Ok(json!({"names": ["size", "rank", "parent-uri"]})),
        ("attr.get", Some("rank")) => "0",
        ("attr.get", Some("size")) => "4",
        ("attr.get", Some("security.owner")) => "4294967294",
        ("attr.get", Some("instance-level")) => "1",
        ("attr.get", Some("version")) => "1.2.3",
        _ => return Err(Refusal::bare(Errno::ENOENT)),
    };
    Ok(json!({"value": value, "flags": 1}))
}

#[test]
fn attributes_are_printed() {
    check("getattr rank", answering(attrs), "0\n");
    check("lsattr", answering(attrs), "parent-uri\nrank\nsize\n");
    let listed = format!("{:<40}-\n{:<40}0\n{:<40}4\n", "parent-uri", "rank", "size");
    check("lsattr -v", answering(attrs), &listed);
    check(
        "getattr x",
        answering(attrs),
        "-- stderr\nflux-getattr: x: No such file or directory\n-- code 1\n",
    );
}

#[test]
fn attributes_are_set() {
    let expecting = |force: Value| {
        answering(move |topic, object| {
            assert_eq!((topic, &object["force"]), ("attr.set", &force));
            assert_eq!(
                (&object["name"], &object["value"]),
                (&json!("x"), &json!("-1"))
            );
            Ok(json!({}))
        })
    };
    check("setattr x -1", expecting(Value::Null), "");
    check("setattr -f x -1", expecting(json!(true)), "");
    let unknown = answering(|_, _| Err(Refusal::new(Errno::ENOENT, "unknown attribute")));
    check(
        "setattr x y",
        unknown,
        "-- stderr\nflux-setattr: x: unknown attribute\n-- code 1\n",
    );
}

#[test]
fn an_enclosing_instance_is_asked_with_parent_only_if_there_is_one() {
    // This one is not in another: the option changes nothing.
    check("-p getattr rank", answering(attrs), "0\n");
    check("-r getattr rank", answering(attrs), "0\n");
}

#[test]
fn the_log_is_shown_and_cleared() {
    let mut cleared = false;
    let log = move |request: &wire::Message| match request.topic() {
        "log.dmesg" => {
            assert!(!cleared);
            let line = "<48>1 2026-11-22T07:17:12.090974Z 0 broker - - - hello there\0";
            vec![answer_raw(request, line), refuse(request, &Refusal::END)]
        }
        topic => {
            assert_eq!(topic, "log.clear");
            cleared = true;
            vec![answer_raw(request, "")]
        }
    };
    check(
        "dmesg --read-clear",
        log,
        "2026-11-22T07:17:12.090974Z broker.info[0]: hello there\n",
    );
    check("dmesg -C", log, "");
}

#[test]
fn the_instance_says_how_it_is_in_one_line() {
    let instance = answering(|topic, object| match topic {
        "state-machine.get" => Ok(json!({"state": "join", "duration": 90.0})),
        _ => attrs(topic, object),
    });
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("local");
    let broker = client::fake::FakeBroker::listen(&path, instance).unwrap();
    let shown = super::run(&[("FLUX_URI", &broker.uri())], &["uptime"], "");
    // The first word is the time of day.
    let rest = shown.get(9..).unwrap_or_default();
    assert_eq!(rest, " join 1.5m,  owner 4294967294,  depth 1,  size 4\n");
}

#[test]
fn shutdown_relays_the_log_until_the_end() {
    check("shutdown", ending(0), "-- stderr\nbroker.info[0]: bye\n");
    let quick = |request: &wire::Message| {
        assert!(!request.has(wire::Flags::STREAMING));
        vec![answer_raw(request, "")]
    };
    check("shutdown --background --skip-gc", quick, "");
    check(
        "shutdown nosuch",
        refusing(Errno::EPERM),
        "-- stderr\n\
        flux-shutdown: failed to resolve target nosuch to a Flux URI\n\
        flux-uri: ERROR: nosuch is not a valid Flux jobid\n\
        -- code 1\n",
    );
}

/// A broker that ends, whose store has seen this number of versions; prints the archive to dump
/// to.
fn ending(rootseq: i64) -> impl FnMut(&wire::Message) -> Vec<client::fake::Act> + Send {
    let mut dump = "bye".to_owned();
    move |request| match request.topic() {
        "attr.get" => vec![answer(request, &json!({"value": "0", "flags": 1}))],
        "config.get" => vec![answer(request, &json!({"kvs": {"gc-threshold": 10}}))],
        "kvs.getroot" => {
            let root = json!({"owner": 0, "rootseq": rootseq, "rootref": "", "flags": 0,
                "namespace": "primary"});
            vec![answer(request, &root)]
        }
        "attr.set" => {
            let object = client::fake::object_of(request);
            assert_eq!(object["name"], "content.dump");
            dump = object["value"].as_str().unwrap_or_default().to_owned();
            vec![answer(request, &json!({}))]
        }
        topic => {
            assert_eq!(topic, "shutdown.start");
            vec![
                answer(
                    request,
                    &json!({"log": format!("broker.info[0]: {dump}\n")}),
                ),
                refuse(request, &Refusal::END),
            ]
        }
    }
}

#[test]
fn shutdown_dumps_on_demand_or_when_there_is_much_garbage() {
    let bye = |dump: &str| format!("-- stderr\nbroker.info[0]: {dump}\n");
    check("shutdown --gc", ending(0), &bye("auto"));
    check("shutdown --dump=auto", ending(0), &bye("auto"));
    check("shutdown --dump=/x/y.tgz", ending(0), &bye("/x/y.tgz"));
    check("shutdown --yes", ending(10), &bye("bye"));
    check("shutdown --yes", ending(11), &bye("auto"));
    check("shutdown --no", ending(11), &bye("bye"));
    check("shutdown --skip-gc --yes", ending(11), &bye("bye"));
    check(
        "shutdown",
        ending(11),
        "-- stderr\n\
        flux-shutdown: 11 versions of the KVS exceed the gc-threshold of 10: \
        use --gc, or --yes, to collect garbage\n\
        broker.info[0]: bye\n",
    );
}

/// A config service that holds one table.
fn config(mut table: Value) -> impl FnMut(&wire::Message) -> Vec<client::fake::Act> + Send {
    answering(move |topic, object| match topic {
        "config.get" => Ok(table.clone()),
        "config.load" => {
            table = object;
            match table.get("bad") {
                Some(_) => Err(Refusal::new(Errno::EINVAL, "error updating kvs: bad")),
                None => Ok(json!({})),
            }
        }
        _ => Err(Refusal::bare(Errno::ENOSYS)),
    })
}

#[test]
fn values_of_the_configuration_are_printed() {
    let table = json!({"a": {"b": "2m"}, "c": 5});
    for (line, expect) in [
        ("config get", "{\"a\":{\"b\":\"2m\"},\"c\":5}\n"),
        ("config get a.b", "\"2m\"\n"),
        ("config get --type=string a.b", "2m\n"),
        ("config get --type=fsd-real a.b", "120\n"),
        ("config get -d 7 x", "7\n"),
        (
            "config get x",
            "-- stderr\nflux-config: x is not set\n-- code 1\n",
        ),
        ("config get -q x", "-- code 1\n"),
        (
            "config get --type=integer a.b",
            "-- stderr\nflux-config: a.b does not have the requested type\n-- code 1\n",
        ),
    ] {
        check(line, config(table.clone()), expect);
    }
}

#[test]
fn the_configuration_is_replaced() {
    check_input("config load", "[a]\nb = 1\n", config(json!({})), "");
    check_input(
        "config load",
        "bad = 1\n",
        config(json!({})),
        "-- stderr\nflux-config: load: error updating kvs: bad\n-- code 1\n",
    );
    check("config set a.b 5", config(json!({})), "");
    check(
        "config unset a.b",
        config(json!({})),
        "-- stderr\nflux-config: a.b is not set\n-- code 1\n",
    );
}

#[test]
fn the_web_page_is_found_or_loaded() {
    let url = "http://127.0.0.1:8080/#t0k3n";
    let page = json!({"url": url, "address": "127.0.0.1:8080", "tls": false, "token_file": "/t"});
    let mut is_loaded = false;
    let loading = answering(move |topic, object| match topic {
        "module.load" => {
            assert_eq!(object["path"], "web");
            is_loaded = true;
            Ok(json!({}))
        }
        _ if is_loaded => Ok(page.clone()),
        _ => Err(Refusal::bare(Errno::ENOSYS)),
    });
    check("web", loading, &format!("{url}\n"));
    let absent = answering(|topic, _| match topic {
        "module.load" => Err(Refusal::new(Errno::ENOENT, "module not found")),
        _ => Err(Refusal::bare(Errno::ENOSYS)),
    });
    check(
        "web",
        absent,
        "-- stderr\nflux-web: cannot load the module web: module not found\n\
         hint: it is built when asked for: 'cargo build --release -p web' beside the other programs\n\
         -- code 1\n",
    );
}

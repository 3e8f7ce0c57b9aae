//! flux kvs, against a store that holds one small tree.

use client::Refusal;
use client::fake::{Act, answer_raw, refuse};
use proto::data::{Entry, HashKind, Tree};
use proto::kvs::{READDIR, READLINK, TREEOBJ};
use proto::{Errno, kvs, kvs_watch};
use serde_json::{Value, json};
use wire::{Flags, Message};

use super::{answering, check, check_input};

const LOG: &str = "{\"timestamp\":1795330129.5,\"name\":\"a\"}\n\
    {\"timestamp\":1795330130.0,\"name\":\"b\",\"context\":{\"x\":\"y\",\"n\":1}}\n";

fn val(text: &str) -> Tree {
    Tree::Val(text.to_owned().into())
}

fn dir(entries: &[(&str, Tree)]) -> Tree {
    let entries = entries.iter();
    Tree::Dir(
        entries
            .map(|(name, tree)| ((*name).into(), tree.clone()))
            .collect(),
    )
}

fn dirref() -> Tree {
    Tree::DirRef(Tree::empty_dir().blobref(HashKind::Sha1))
}

/// Result of a lookup in the tree.
fn find(key: &str, flags: u32) -> Result<Tree, Errno> {
    let link = Tree::symlink("d.e");
    let (stored, listed) = match key.trim_matches('.') {
        "" => {
            let root = [
                ("d", dirref()),
                ("empty", dirref()),
                ("l", link),
                ("v", val("one")),
            ];
            (dirref(), Some(dir(&root)))
        }
        "d" => (
            dirref(),
            Some(dir(&[("e", dirref()), ("x", val("two\nlines"))])),
        ),
        "d.e" => (dirref(), Some(dir(&[("y", val("three"))]))),
        "empty" => (dirref(), Some(Tree::empty_dir())),
        "l" => (link, Some(dir(&[("y", val("three"))]))),
        "v" => (val("one"), None),
        "nil" => (val(""), None),
        "log" => (val(LOG), None),
        "bad" => (val("no log\n"), None),
        _ => return Err(Errno::ENOENT),
    };
    let is_link = matches!(stored, Tree::Symlink { .. });
    match (flags & (READDIR | READLINK | TREEOBJ), listed) {
        (READDIR, Some(listed)) => Ok(listed),
        (READDIR, None) => Err(Errno::ENOTDIR),
        (READLINK, _) if is_link => Ok(stored),
        (READLINK, _) => Err(Errno::EINVAL),
        (TREEOBJ, _) => Ok(stored),
        (_, Some(_)) => Err(Errno::EISDIR),
        (_, None) => Ok(stored),
    }
}

/// The store. Commits are answered when `expect` says nothing against their operations.
fn store(
    mut expect: impl FnMut(&Value) + Send + 'static,
) -> impl FnMut(&Message) -> Vec<Act> + Send + 'static {
    answering(move |topic, object| match topic {
        "kvs.lookup" => {
            let key = object["key"].as_str().unwrap_or_default();
            let flags = object["flags"].as_u64().unwrap_or_default() as u32;
            let found = find(key, flags).map_err(Refusal::bare)?;
            Ok(serde_json::to_value(kvs::Found { val: found }).unwrap_or_default())
        }
        "kvs.commit" => {
            expect(&object);
            let rootref = Tree::empty_dir().blobref(HashKind::Sha1).to_string();
            Ok(json!({"rootref": rootref, "rootseq": 7}))
        }
        "kvs.getroot" if object["namespace"] == "primary" => {
            let rootref = Tree::empty_dir().blobref(HashKind::Sha1).to_string();
            let root = json!({"owner": 100, "rootseq": 7, "rootref": rootref, "flags": 0,
                "namespace": "primary"});
            Ok(root)
        }
        "kvs.getroot" => Err(Refusal::bare(Errno::EOPNOTSUPP)),
        "kvs.namespace-list" => Ok(json!({"namespaces": [
            {"namespace": "primary", "owner": 100, "flags": 0}]})),
        _ => Err(Refusal::bare(Errno::ENOSYS)),
    })
}

/// Runs a command that writes nothing.
fn check_reading(line: &str, expect: &str) {
    check(
        line,
        store(|commit| panic!("unexpected commit {commit}")),
        expect,
    );
}

/// Runs a command that commits these operations, each as `KEY FLAGS DIRENT`.
fn check_writing(line: &str, input: &str, operations: &'static [&'static str], expect: &str) {
    let committed = move |commit: &Value| {
        let ops = commit["ops"].as_array().cloned().unwrap_or_default();
        let ops: Vec<String> = ops
            .iter()
            .map(|op| format!("{} {} {}", op["key"], op["flags"], op["dirent"]))
            .collect();
        assert_eq!(ops, operations);
    };
    check_input(line, input, store(committed), expect);
}

#[test]
fn values_are_printed() {
    check_reading("kvs get v", "one\n");
    check_reading("kvs get v v", "one\none\n");
    check_reading("kvs get -l v", "v=one\n");
    check_reading("kvs get --raw v", "one");
    check_reading("kvs get nil", "");
    check_reading(
        "kvs get -t v",
        "{\"data\":\"b25l\",\"type\":\"val\",\"ver\":1}\n",
    );
    check_reading(
        "kvs get v nope v",
        "one\n-- stderr\nflux-kvs: nope: No such file or directory\n-- code 1\n",
    );
    check_reading(
        "kvs get d",
        "-- stderr\nflux-kvs: d: Is a directory\n-- code 1\n",
    );
}

#[test]
fn values_are_put() {
    check_writing(
        "kvs put a=1 b=x=y",
        "",
        &[
            r#""a" 0 {"data":"MQ==","type":"val","ver":1}"#,
            r#""b" 0 {"data":"eD15","type":"val","ver":1}"#,
        ],
        "",
    );
    check_writing(
        "kvs put -A a=",
        "",
        &[r#""a" 32 {"data":"","type":"val","ver":1}"#],
        "",
    );
    check_writing(
        "kvs put --raw a=-",
        "in\n",
        &[r#""a" 0 {"data":"aW4K","type":"val","ver":1}"#],
        "",
    );
    check_writing(
        "kvs put a=-",
        "unread",
        &[r#""a" 0 {"data":"LQ==","type":"val","ver":1}"#],
        "",
    );
    check_writing(
        "kvs put -t a=-",
        "{\"ver\":1,\"type\":\"val\",\"data\":\"\"}\n",
        &[r#""a" 0 {"data":"","type":"val","ver":1}"#],
        "",
    );
    check_reading(
        "kvs put a",
        "-- stderr\nflux-kvs: put: you must specify a value as key=value\n-- code 1\n",
    );
}

#[test]
fn the_new_root_is_shown_on_request() {
    let put: &[&str] = &[r#""a" 0 {"data":"MQ==","type":"val","ver":1}"#];
    let blobref = Tree::empty_dir().blobref(HashKind::Sha1);
    check_writing("kvs put -s a=1", "", put, "7\n");
    check_writing("kvs put -b a=1", "", put, &format!("{blobref}\n"));
    let tree = format!("{{\"data\":[\"{blobref}\"],\"type\":\"dirref\",\"ver\":1}}\n");
    check_writing("kvs put -O a=1", "", put, &tree);
    check_reading("kvs getroot", &tree);
    check_reading("kvs getroot -s", "7\n");
    check_reading("kvs getroot -o", "100\n");
    check_reading("kvs version", "7\n");
    check_reading(
        "kvs version -N nope",
        "-- stderr\nflux-kvs: nope: Operation not supported\n-- code 1\n",
    );
}

#[test]
fn directories_are_listed() {
    check_reading("kvs ls", "d        empty    l        v\n");
    check_reading("kvs ls -1F", "d.\nempty.\nl@\nv\n");
    check_reading("kvs ls -w 20", "d        empty\nl        v\n");
    check_reading("kvs ls -d d", "d\n");
    check_reading("kvs ls v d", "v\n\nd:\ne    x\n");
    check_reading("kvs ls -R d", "d:\ne    x\n\nd.e:\ny\n");
    check_reading(
        "kvs ls -1 nope v",
        "v\n-- stderr\nnope: No such file or directory\n-- code 1\n",
    );
    check_reading("kvs ls v.", "-- stderr\nv.: Not a directory\n-- code 1\n");
}

#[test]
fn directories_are_shown_with_their_values() {
    check_reading("kvs dir", "d.\nempty.\nl -> d.e\nv = one\n");
    check_reading(
        "kvs dir -R",
        "d.e.y = three\nd.x = two...\nempty.\nl -> d.e\nv = one\n",
    );
    check_reading("kvs dir -d d", "d.e.\nd.x\n");
    check_reading("kvs dir -w 8 d.e", "d.e.y...\n");
    check_reading(
        "kvs dir v",
        "-- stderr\nflux-kvs: v: Not a directory\n-- code 1\n",
    );
}

#[test]
fn keys_are_removed() {
    check_writing(
        "kvs unlink v l",
        "",
        &[r#""v" 0 null"#, r#""l" 0 null"#],
        "",
    );
    check_writing("kvs unlink empty", "", &[r#""empty" 0 null"#], "");
    check_writing("kvs unlink -R d", "", &[r#""d" 0 null"#], "");
    check_writing("kvs unlink -f nope", "", &[r#""nope" 0 null"#], "");
    check_reading(
        "kvs unlink d",
        "-- stderr\nflux-kvs: cannot unlink 'd': Directory not empty\n-- code 1\n",
    );
    check_reading(
        "kvs unlink nope",
        "-- stderr\nflux-kvs: cannot unlink 'nope': No such file or directory\n-- code 1\n",
    );
}

#[test]
fn links_and_directories_are_made() {
    check_writing(
        "kvs link -T ns t k",
        "",
        &[r#""k" 0 {"data":{"namespace":"ns","target":"t"},"type":"symlink","ver":1}"#],
        "",
    );
    check_reading("kvs readlink l", "d.e\n");
    check_reading(
        "kvs readlink v",
        "-- stderr\nflux-kvs: v: Invalid argument\n-- code 1\n",
    );
    check_writing(
        "kvs mkdir k",
        "",
        &[r#""k" 0 {"data":{},"type":"dir","ver":1}"#],
        "",
    );
    check_writing(
        "kvs copy v k",
        "",
        &[r#""k" 0 {"data":"b25l","type":"val","ver":1}"#],
        "",
    );
    check_reading(
        "kvs move nope k",
        "-- stderr\nflux-kvs: flux_kvs_move: No such file or directory\n-- code 1\n",
    );
}

#[test]
fn namespaces_are_listed() {
    check_reading(
        "kvs namespace list",
        "NAMESPACE                                 OWNER      FLAGS\n\
        primary                                     100 0x00000000\n",
    );
}

#[test]
fn event_logs_are_printed() {
    check_reading(
        "kvs eventlog get log",
        "1795330129.500000 a\n1795330130.000000 b x=\"y\" n=1\n",
    );
    check_reading(
        "kvs eventlog get -u -c1 log",
        &LOG[..LOG.find('\n').unwrap_or(0) + 1],
    );
    check_reading(
        "kvs eventlog get -H log",
        "[Nov22 06:48] a\n[  +0.500000] b x=\"y\" n=1\n",
    );
    check_reading(
        "kvs eventlog get bad",
        "-- stderr\nflux-kvs: cannot decode improperly formatted eventlog\n-- code 1\n",
    );
}

#[test]
fn events_are_appended() {
    let entry = Entry::new(5.0, "x").unwrap();
    let bytes = serde_json::to_value(Tree::Val(entry.encode().into())).unwrap();
    let appended = move |commit: &Value| {
        assert_eq!(
            commit["ops"],
            json!([{"key": "k", "flags": 32, "dirent": bytes}])
        );
    };
    check("kvs eventlog append -t 5 k x", store(appended), "");
}

/// A watch that sends these values, fails as if the service had died, and sends them again
/// and one more.
fn restarting(values: &'static [&'static str]) -> impl FnMut(&Message) -> Vec<Act> + Send {
    let mut asked = 0;
    move |request| {
        if request.topic() != "kvs-watch.lookup" {
            return vec![];
        }
        assert!(request.has(Flags::STREAMING));
        asked += 1;
        let sent = values.len() - usize::from(asked == 1);
        let mut acts: Vec<Act> = Vec::new();
        for value in &values[..sent] {
            let watched = kvs_watch::Watched {
                val: Some(val(value)),
            };
            acts.push(answer_raw(request, proto::Payload::encode(&watched)));
        }
        let end = match asked {
            1 => Refusal::new(Errno::EHOSTUNREACH, "module disconnect"),
            _ => Refusal::END,
        };
        acts.push(refuse(request, &end));
        acts
    }
}

#[test]
fn a_watch_goes_on_when_its_service_was_restarted() {
    check("kvs get --watch k", restarting(&["a", "b"]), "a\nb\n");
    check(
        "kvs get --watch --append k",
        restarting(&["a", "b", "c"]),
        "a\nb\nc\n",
    );
}

#[test]
fn an_event_is_waited_for() {
    let log = |request: &Message| {
        let watched = kvs_watch::Watched {
            val: Some(val(LOG)),
        };
        let payload = proto::Payload::encode(&watched);
        vec![answer_raw(request, payload), refuse(request, &Refusal::END)]
    };
    let event = "1795330130.000000 b x=\"y\" n=1\n";
    check("kvs eventlog wait-event k b", log, event);
    check("kvs eventlog wait-event -q k b", log, "");
    check(
        "kvs eventlog wait-event -v k b",
        log,
        &format!("1795330129.500000 a\n{event}"),
    );
    check(
        "kvs eventlog wait-event k c",
        log,
        "-- stderr\nflux-kvs: event 'c' never received\n-- code 1\n",
    );
    check(
        "kvs eventlog wait-event -t 10ms k c",
        |_| vec![],
        "-- stderr\nflux-kvs: wait-event timeout on event 'c'\n-- code 1\n",
    );
    let missing = |request: &Message| vec![refuse(request, &Refusal::bare(Errno::ENOENT))];
    check(
        "kvs eventlog wait-event k c",
        missing,
        "-- stderr\nflux-kvs: eventlog path k not found\n-- code 1\n",
    );
}

#[test]
fn caches_of_all_ranks_are_dropped() {
    let mut left = vec![0, 1, 2];
    let act = move |topic: &str, _: Value| match topic {
        "attr.get" => Ok(json!({"value": "3", "flags": 1})),
        _ => left
            .pop()
            .map(|_| json!({}))
            .ok_or(Refusal::bare(Errno::EPROTO)),
    };
    check("kvs dropcache --all", answering(act), "");
    let act = |topic: &str, _: Value| match topic {
        "attr.get" => Ok(json!({"value": "3", "flags": 1})),
        _ => Err(Refusal::bare(Errno::EHOSTUNREACH)),
    };
    let refused = "-- stderr\nflux-kvs: rank 0: No route to host\n-- code 1\n";
    check("kvs dropcache --all", answering(act), refused);
}

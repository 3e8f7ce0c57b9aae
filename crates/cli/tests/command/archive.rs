//! `flux archive` and `flux filemap` against a store made of two maps.

use std::collections::BTreeMap;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use client::fake::{Act, FakeBroker, answer, answer_raw, object_of, refuse};
use proto::data::{BlobRef, HashKind};
use proto::{Errno, Refusal};
use serde_json::{Value, json};
use wire::Message;

use super::run;

/// Contents of an instance.
#[derive(Default)]
struct Store {
    keys: BTreeMap<String, Value>,
    blobs: BTreeMap<Vec<u8>, Bytes>,
    mapped: Vec<String>,
    rank: u32,
}

impl Store {
    fn act(&mut self, request: &Message) -> Vec<Act> {
        let missing = || vec![refuse(request, &Refusal::bare(Errno::ENOENT))];
        let done = |value: Value| vec![answer(request, &value)];
        let payload = || request.payload().cloned().unwrap_or_default();
        match request.topic() {
            "attr.get" => match object_of(request)["name"].as_str() {
                Some("rank") => done(json!({"value": self.rank.to_string(), "flags": 1})),
                _ => done(json!({"value": "sha1", "flags": 1})),
            },
            "content.store" => {
                let blobref = BlobRef::of(HashKind::Sha1, &payload());
                self.blobs.insert(blobref.digest().to_vec(), payload());
                vec![answer_raw(
                    request,
                    Bytes::copy_from_slice(blobref.digest()),
                )]
            }
            "content.load" => match self.blobs.get(&payload()[..]) {
                Some(blob) => vec![answer_raw(request, blob.clone())],
                None => missing(),
            },
            "content.mmap-add" => {
                let add = object_of(request);
                self.mapped
                    .push(format!("{} {}", add["tag"], add["chunksize"]));
                let path = add["path"].as_str().unwrap_or_default();
                let file = std::fs::read(path).unwrap();
                for part in file.chunks(add["chunksize"].as_u64().unwrap_or(0) as usize) {
                    let blobref = BlobRef::of(HashKind::Sha1, part);
                    self.blobs
                        .insert(blobref.digest().to_vec(), part.to_vec().into());
                }
                done(json!({}))
            }
            "content.mmap-remove" => {
                self.mapped.push(format!("- {}", object_of(request)["tag"]));
                done(json!({}))
            }
            "kvs.lookup" | "kvs-watch.lookup" => {
                let key = object_of(request)["key"]
                    .as_str()
                    .unwrap_or_default()
                    .to_owned();
                let prefix = format!("{key}.");
                let below = self
                    .keys
                    .iter()
                    .filter(|(name, _)| name.starts_with(&prefix));
                let below: serde_json::Map<_, _> = below
                    .map(|(name, tree)| (name[prefix.len()..].to_owned(), tree.clone()))
                    .collect();
                match self.keys.get(&key) {
                    Some(tree) => done(json!({ "val": tree })),
                    None if !below.is_empty() => {
                        done(json!({"val": {"type": "dir", "ver": 1, "data": below}}))
                    }
                    None if request.topic() == "kvs-watch.lookup" => Vec::new(),
                    None => missing(),
                }
            }
            "kvs.commit" => vec![self.commit(request)],
            other => panic!("unexpected request {other}"),
        }
    }

    fn commit(&mut self, request: &Message) -> Act {
        for op in object_of(request)["ops"].as_array().unwrap() {
            let key = op["key"].as_str().unwrap_or_default();
            let below = format!("{key}.");
            match op["dirent"].is_null() {
                true => self
                    .keys
                    .retain(|name, _| name != key && !name.starts_with(&below)),
                false => drop(self.keys.insert(key.to_owned(), op["dirent"].clone())),
            }
        }
        let root = BlobRef::of(HashKind::Sha1, b"root").to_string();
        answer(request, &json!({"rootref": root, "rootseq": 1}))
    }
}

/// An instance with such a store, and a directory to work in.
struct World {
    folder: tempfile::TempDir,
    uri: String,
    store: std::sync::Arc<std::sync::Mutex<Store>>,
    _broker: FakeBroker,
}

impl World {
    fn new(rank: u32) -> World {
        let folder = tempfile::tempdir().unwrap();
        let store = Store {
            rank,
            ..Store::default()
        };
        let store = std::sync::Arc::new(std::sync::Mutex::new(store));
        let shared = std::sync::Arc::clone(&store);
        let act = move |request: &Message| shared.lock().unwrap().act(request);
        let broker = FakeBroker::listen(&folder.path().join("local"), act).unwrap();
        for name in ["in/d/e", "out"] {
            std::fs::create_dir_all(folder.path().join(name)).unwrap();
        }
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text);
        write("in/d/small", "text").unwrap();
        write("in/d/e/large", &"0123456789".repeat(300)).unwrap();
        std::os::unix::fs::symlink("small", folder.path().join("in/d/link")).unwrap();
        World {
            uri: broker.uri(),
            folder,
            store,
            _broker: broker,
        }
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    /// Runs a command; `@` stands for the folder.
    fn run(&self, line: &str) -> String {
        let line = line.replace('@', &self.path(""));
        let words: Vec<&str> = line.split(' ').collect();
        run(
            &[("FLUX_URI", &self.uri), ("LC_ALL", "C.UTF-8")],
            &words,
            "",
        )
    }

    fn check(&self, line: &str, expect: &str) {
        assert_eq!(self.run(line), expect, "flux {line}");
    }

    fn keys(&self) -> Vec<String> {
        self.store.lock().unwrap().keys.keys().cloned().collect()
    }

    fn mapped(&self) -> String {
        std::mem::take(&mut self.store.lock().unwrap().mapped).join(", ")
    }
}

fn told(text: &str) -> String {
    format!("-- stderr\nflux-archive: {text}\n-- code 1\n")
}

fn same(one: &str, other: &str) -> bool {
    std::fs::read(Path::new(one)).unwrap() == std::fs::read(Path::new(other)).unwrap()
}

#[test]
fn files_survive_an_archive() {
    let world = World::new(1);
    let listed = "d/e/large\nd/e\nd/link\nd/small\nd\n";
    world.check("archive create -v -C @in --chunksize=1000 d", listed);
    world.check("archive list", listed);
    let long = world.run("archive list -l d/e*");
    let large = long.lines().next().unwrap_or_default();
    assert_eq!(large, "f 0644     3000 d/e/large");
    assert!(long.ends_with("d 0755        0 d/e\n"), "{long}");
    let raw = world.run("archive list --raw d/small");
    let raw: Value = serde_json::from_str(&raw).unwrap();
    assert_eq!(
        (&raw["encoding"], &raw["data"]),
        (&json!("utf-8"), &json!("text"))
    );
    let raw = world.run("archive list --raw d/e/large");
    let raw: Value = serde_json::from_str(&raw).unwrap();
    let offsets: Vec<&Value> = raw["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| &r[0])
        .collect();
    assert_eq!(offsets, [0, 1000, 2000]);
    let names = listed.trim_end();
    world.check(
        "archive extract -v -C @out",
        &format!("-- stderr\n{names}\n"),
    );
    assert!(same(
        &world.path("in/d/e/large"),
        &world.path("out/d/e/large")
    ));
    assert!(same(&world.path("in/d/small"), &world.path("out/d/small")));
    let exists = told("d/e/large: write: Attempt to overwrite existing file");
    world.check("archive extract -C @out", &exists);
    world.check("archive extract --overwrite -C @out", "");
    world.check("archive extract -t d/s*", "d/small\n");
    let none = "-- stderr\nflux-archive: No files matched pattern 'zz*'\n";
    world.check("archive extract -C @out zz*", none);
    world.check(
        "archive extract -C @no",
        &told(&format!("{}: No such file or directory", world.path("no"))),
    );
}

#[test]
fn an_archive_is_not_replaced_unless_asked() {
    let world = World::new(0);
    world.check("archive create -C @in d/small", "");
    world.check(
        "archive create -C @in d/small",
        &told("archive.main: key exists"),
    );
    world.check("archive create --append -C @in d/link", "");
    world.check("archive list", "d/small\nd/link\n");
    world.check("archive create --overwrite -C @in d/link", "");
    assert_eq!(world.mapped(), r#"- "main""#);
    world.check("archive list", "d/link\n");
    world.check("archive remove", "");
    let missing = told("KVS lookup archive.main: No such file or directory");
    world.check("archive list", &missing);
    world.check("archive extract", &missing);
    world.check(
        "archive remove -n nope",
        &told("archive.nope does not exist"),
    );
    world.check("archive remove -f -n nope", "");
    let late = told("archive.nope: key was not created within timeout window");
    world.check("archive extract --waitcreate=10ms -n nope", &late);
    world.check("archive create -n x -C @in d/small", "");
    world.check("archive extract --waitcreate -n x -t", "d/small\n");
    world.check(
        "archive create -C @in no",
        &told("no: No such file or directory"),
    );
    assert_eq!(world.keys(), ["archive.x"]);
}

#[test]
fn blobs_are_kept_by_references_to_them() {
    let world = World::new(1);
    let create = "archive create --preserve --chunksize=1000 -C @in";
    world.check(&format!("{create} d/e/large"), "");
    let blobs = |n: usize| (0..n).map(|n| format!("archive.main_blobs.{n}"));
    let expect = |n| {
        std::iter::once("archive.main".to_owned())
            .chain(blobs(n))
            .collect::<Vec<_>>()
    };
    assert_eq!(world.keys(), expect(3));
    let tree = world.store.lock().unwrap().keys["archive.main_blobs.0"].clone();
    assert_eq!(tree["type"], "valref");
    world.check(&format!("{create} --append d/e"), "");
    assert_eq!(world.keys(), expect(6));
    world.check("archive remove", "");
    assert!(world.keys().is_empty());
}

#[test]
fn large_files_are_read_where_they_are() {
    let world = World::new(0);
    world.check("archive create --mmap --chunksize=1000 -n x -C @in d", "");
    assert_eq!(world.mapped(), r#""x" 1000"#);
    world.check("archive extract -n x -C @out", "");
    assert!(same(
        &world.path("in/d/e/large"),
        &world.path("out/d/e/large")
    ));
    world.check(
        "archive create --mmap -n y -C @in d no",
        &told("no: No such file or directory"),
    );
    assert_eq!(world.mapped(), r#"- "y""#);
    let text = "--mmap cannot work with --preserve";
    world.check("archive create --mmap --preserve x", &told(text));
    let text = "--mmap cannot work with --no-force-primary";
    world.check("archive create --mmap --no-force-primary x", &told(text));
    let text = "--overwrite and --append cannot be used together";
    world.check("archive create --overwrite --append x", &told(text));
    let text = "--mmap only works on the rank 0 broker";
    World::new(1).check("archive create --mmap x", &told(text));
}

#[test]
fn what_is_unsafe_is_not_extracted() {
    let world = World::new(0);
    let archive = |path: &str| {
        let object = json!([{"path": path, "mode": 0o100_600, "size": 0}]).to_string();
        json!({"type": "val", "ver": 1, "data": BASE64.encode(object)})
    };
    for path in ["../x", "/x", "a/../x"] {
        world
            .store
            .lock()
            .unwrap()
            .keys
            .insert("archive.main".into(), archive(path));
        world.check(
            "archive extract -C @out",
            &told(&format!("{path}: unsafe path")),
        );
    }
    let broken = json!({"type": "val", "ver": 1, "data": BASE64.encode("[7]")});
    world
        .store
        .lock()
        .unwrap()
        .keys
        .insert("archive.main".into(), broken);
    let shown = world.run("archive list");
    assert!(
        shown.starts_with("-- stderr\nflux-archive: archive.main: malformed file object: "),
        "{shown}"
    );
}

#[test]
fn filemap_is_an_archive_by_another_name() {
    let world = World::new(0);
    let warning = "-- stderr\nflux-filemap: deprecated, use flux-archive(1)\n";
    world.check("filemap map -T x -C @in d", warning);
    assert_eq!(world.mapped(), r#""x" 1048576"#);
    world.check("filemap list --tags=x d/s*", "d/small\n");
    world.check("filemap get -T x -C @out d/e*", warning);
    assert!(same(
        &world.path("in/d/e/large"),
        &world.path("out/d/e/large")
    ));
    let exists = format!("{warning}flux: archive.x: key exists\n-- code 1\n");
    world.check("filemap map -T x -C @in d", &exists);
    world.check("filemap unmap -T x", warning);
    assert_eq!(world.mapped(), r#"- "x""#);
    assert!(world.keys().is_empty());
}

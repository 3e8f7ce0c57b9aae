//! Files of archives, which are there before tasks start.

mod stage;

use std::path::PathBuf;

use proto::data::Tree;
use proto::{Errno, Refusal};
use serde_json::{Value, json};
use stage::{Play, Stage};

fn play(options: Value) -> Play {
    Play {
        options: json!({ "stage-in": options }),
        ..Play::default()
    }
}

/// An archive of small files with these paths, as in the kvs.
fn archive(paths: &[&str]) -> String {
    let file = |path: &&str| json!({"path": path, "mode": 0o100_644, "size": 3, "encoding": "utf-8", "data": "one"});
    let objects: Value = paths.iter().map(file).collect();
    json!({ "val": Tree::Val(objects.to_string().into()) }).to_string()
}

/// A file below the temporary directory of the job.
fn staged(stage: &Stage, path: &str) -> PathBuf {
    stage.rundir.path().join("jobtmp-0-fNH").join(path)
}

#[test]
fn tasks_start_when_the_files_of_all_archives_are_there() {
    let mut stage = Stage::start(play(json!({"names": "a,b"})));
    assert_eq!(stage.notify_job(), ["look up archive.a"]);
    let found = archive(&["d/x", "y"]);
    assert_eq!(
        stage.answers("kvs.lookup", Ok(&found)),
        ["look up archive.b"]
    );
    let found = archive(&["z"]);
    assert_eq!(stage.answers("kvs.lookup", Ok(&found)), ["spawn prog"]);
    for path in ["d/x", "y", "z"] {
        let data = std::fs::read(staged(&stage, path)).unwrap();
        assert_eq!(data, b"one", "{path}");
    }
}

#[test]
fn only_files_that_match_are_written() {
    let mut stage = Stage::start(play(json!({"pattern": "d*"})));
    assert_eq!(stage.notify_job(), ["look up archive.main"]);
    let found = archive(&["d/x", "y"]);
    assert_eq!(stage.answers("kvs.lookup", Ok(&found)), ["spawn prog"]);
    assert!(staged(&stage, "d/x").exists() && !staged(&stage, "y").exists());
}

#[test]
fn a_job_without_its_files_does_not_start() {
    let fails = |result: Result<&str, Refusal>, why: &str| {
        let mut stage = Stage::start(play(json!(1)));
        stage.notify_job();
        let seen = stage.answers("kvs.lookup", result);
        assert_eq!(
            seen,
            [format!("raise shell_init: {why}"), "exit 1".to_owned()]
        );
        assert!(stage.spawned.is_empty());
    };
    fails(
        Err(Refusal::bare(Errno::ENOENT)),
        "could not lookup archive.main in primary KVS namespace: No such file or directory",
    );
    let found = archive(&["../x"]);
    fails(Ok(&found), "../x: unsafe path");
    let twice = archive(&["x", "x"]);
    fails(Ok(&twice), "x: write: Attempt to overwrite existing file");
    let nothing = json!({ "val": Tree::Val("{}".into()) }).to_string();
    fails(
        Ok(&nothing),
        "archive.main: invalid type: map, expected a sequence at line 1 column 0",
    );
}

#[test]
fn a_directory_of_all_is_filled_by_the_leading_shell() {
    let folder = tempfile::tempdir().unwrap();
    let destination = format!("global:{}", folder.path().display());
    let play = |rank| Play {
        nodes: 2,
        rank,
        ..play(json!({ "destination": destination }))
    };
    let mut follower = Stage::start(play(1));
    assert_eq!(follower.notify_job(), ["barrier 0"]);
    let mut leader = Stage::start(play(0));
    let seen = leader.notify_job();
    assert!(
        seen.contains(&"look up archive.main".to_owned()),
        "{seen:?}"
    );
    leader.answers("kvs.lookup", Ok(&archive(&["x"])));
    assert!(folder.path().join("x").exists());
}

#[test]
fn a_job_that_is_to_end_stages_nothing_more() {
    let mut stage = Stage::start(play(json!({"names": "a,b"})));
    stage.notify_job();
    stage.order(&json!({"signal": 15}));
    let seen = stage.answers("kvs.lookup", Ok(&archive(&["x"])));
    assert!(!staged(&stage, "x").exists());
    assert_eq!(seen, ["spawn prog", "kill 0 15"]);
}

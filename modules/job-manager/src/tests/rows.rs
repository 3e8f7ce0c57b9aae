//! Inactive jobs whose rows are in the job log only: clients see no difference.

use super::journal::records;
use super::stage::Stage;

const JOBS: u64 = 600;
const EVENTS: [&str; 5] = ["submit", "validate", "depend", "exception", "clean"];

/// A job manager that keeps no rows in memory, after a start from a log of several segments.
/// Jobs have no keys of their own any more.
fn begun() -> Stage {
    let mut stage = Stage::new();
    for id in 1..=JOBS {
        // Nothing that could be compressed, so that the rows fill segments.
        let mut n = id;
        let mut noise = String::new();
        while noise.len() < 3000 {
            n = n.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            noise += &format!("{n:016x}");
        }
        stage.put_job(id, &format!("{{\"noise\":\"{noise}\"}}"), &EVENTS);
    }
    stage.keep_no_rows();
    stage.play("restart");
    stage.play("store");
    stage.play("restart");
    for id in 1..=JOBS {
        for key in ["eventlog", "jobspec"] {
            let key = proto::data::JobId(id).kvs_key(key);
            stage.play(&format!("drop {key}"));
        }
    }
    assert_eq!(stage.n_away(), JOBS as usize, "all of them");
    stage
}

fn getattr(stage: &mut Stage, id: u64) -> String {
    let json = format!(r#"{{"id":{id},"attrs":["eventlog"]}}"#);
    let said = stage.play(&format!("request job-manager.getattr {json}"));
    said.join("\n")
}

/// Ids and events that a stream sends of the past, which goes on while time passes.
fn past(stage: &mut Stage, json: &str) -> Vec<u64> {
    let (tag, mut said) = stage.stream("job-manager.events-journal", json);
    let mut turns = 0;
    while !said.iter().any(|line| line.contains(r#""id":-1"#)) {
        said.extend(stage.play("pass 0.001"));
        turns += 1;
        assert!(turns < 1000, "it does not end");
    }
    let mut records = records(&said, tag);
    records.retain(|record| record["id"].as_i64() != Some(-1));
    for record in &records {
        let events = record["events"].as_array().expect("events");
        assert_eq!(events.len(), EVENTS.len(), "{record}");
        assert!(record["jobspec"]["noise"].is_string(), "{record}");
    }
    let ids = records.iter().map(|record| record["id"].as_u64());
    ids.map(|id| id.expect("an id")).collect()
}

#[test]
fn rows_that_are_away_are_told_as_if_they_were_here() {
    let mut stage = begun();
    let all: Vec<u64> = (1..=JOBS).collect();
    assert_eq!(past(&mut stage, r#"{"full":true}"#), all);
    assert_eq!(past(&mut stage, r#"{"full":true,"window":5000}"#), all);
    for id in [1, 300, JOBS] {
        let said = getattr(&mut stage, id);
        assert!(said.contains(r#""name":"exception""#), "{said}");
    }
    assert!(getattr(&mut stage, JOBS + 1).contains("EINVAL"));
}

#[test]
fn what_became_of_a_job_is_known_without_its_row() {
    let mut stage = begun();
    let depends = |scheme: &str| {
        format!(
            r#"jobspec={{"resources":[],"tasks":[],"attributes":{{"system":{{"duration":0,"dependencies":[{{"scheme":"{scheme}","value":"7"}}]}}}},"version":1}}"#
        )
    };
    let said = stage
        .play(&format!("submit 1000 {}", depends("afterany")))
        .join("\n");
    assert!(said.contains("dependency-remove"), "{said}");
    stage.play("store");
    let said = stage
        .play(&format!("submit 1001 {}", depends("afterok")))
        .join("\n");
    assert!(said.contains("7 never started"), "{said}");
}

#[test]
fn rows_that_are_away_are_purged_and_their_segments_go() {
    let mut stage = begun();
    for _ in 0..5 {
        let json = r#"{"age_limit":-1.0,"num_limit":100,"batch":100,"force":true}"#;
        stage.play(&format!("request job-manager.purge {json}"));
        while stage.waits_to_store() {
            stage.play("store");
        }
    }
    let rest: Vec<u64> = (JOBS - 99..=JOBS).collect();
    let keys = stage.keys("job-log.seg");
    assert!(!keys.contains(&"job-log.seg.0.0".to_owned()), "{keys:?}");
    // Some were moved, and are where they are now.
    assert_eq!(past(&mut stage, r#"{"full":true}"#), rest);
    assert!(getattr(&mut stage, 1).contains("EINVAL"));
    stage.play("restart");
    assert_eq!(stage.n_away(), rest.len());
    assert_eq!(past(&mut stage, r#"{"full":true}"#), rest);
}

#[test]
fn a_row_that_cannot_be_read_is_told_empty() {
    let mut stage = begun();
    stage.play("put job-log.seg.0.0 garbage");
    let said = getattr(&mut stage, 1);
    assert!(said.contains("ENOENT \"eventlog is NULL\""), "{said}");
    assert!(getattr(&mut stage, JOBS).contains(r#""name":"exception""#));
}

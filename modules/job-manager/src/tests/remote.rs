//! A policy that a module of a site's own answers for, under more jobs than it is asked about
//! at a time.

use super::stage::Stage;
use crate::limits::{REMOTE_BATCH_JOBS_MAX, REMOTE_JOBS_MAX};

fn stage(on_failure: &str) -> Stage {
    let mut stage = Stage::new();
    let conf = format!(r#"{{"service":"site","points":["validate"],"on-failure":"{on_failure}"}}"#);
    stage.play(&format!(
        r#"conf {{"job-manager":{{"plugins":[{{"load":"remote","conf":{conf}}}]}}}}"#
    ));
    stage.play("restart");
    stage
}

/// A request with N jobs, from this id on.
fn submit(from: usize, n: usize) -> String {
    let jobs = (from..from + n).map(|id| {
        format!(
            r#"{{"id":{id},"userid":100,"urgency":16,"t_submit":999.5,"flags":0,"jobspec":{{}}}}"#
        )
    });
    let jobs: Vec<String> = jobs.collect();
    format!(
        r#"request job-manager.submit {{"jobs":[{}]}}"#,
        jobs.join(",")
    )
}

/// Number of jobs about which the module is asked.
fn asked(said: &[String]) -> usize {
    let request = said.iter().find(|line| line.contains("site.validate"));
    request.map_or(0, |request| request.matches(r#""userid""#).count())
}

#[test]
fn a_request_has_all_jobs_that_have_gathered_up_to_a_limit() {
    let mut stage = stage("refuse");
    assert_eq!(asked(&stage.play(&submit(1, 1))), 1);
    for n in 0..3 {
        let said = stage.play(&submit(10 + n * 500, 500));
        assert_eq!(asked(&said), 0, "one request is out at a time");
    }
    let said = stage.play(r#"answer site.validate {"errors":[]}"#);
    assert_eq!(asked(&said), REMOTE_BATCH_JOBS_MAX);
    let said = stage.play(r#"answer site.validate {"errors":[]}"#);
    assert_eq!(asked(&said), 1500 - REMOTE_BATCH_JOBS_MAX);
}

#[test]
fn jobs_beyond_the_limit_are_refused_or_taken_at_once() {
    let check = |on_failure: &str, expect: &str| {
        let mut stage = stage(on_failure);
        stage.play(&submit(1, REMOTE_JOBS_MAX - 1));
        let first = stage.play(&submit(100_001, 1));
        assert!(first.is_empty(), "there is room for it: {first:?}");
        let mut said = stage.play(&submit(100_002, 1));
        said.extend(stage.play("store"));
        let told = said.iter().find(|line| line.contains("job-manager.submit"));
        let told = told.map_or("", |line| line);
        assert!(told.contains(expect), "{on_failure}: {said:?}");
    };
    let text = format!(
        r#"[[100002,"policy site: {REMOTE_JOBS_MAX} jobs are waiting for its answer already"]]"#
    );
    check("refuse", &text);
    check("allow", r#"{"errors":[]}"#);
}

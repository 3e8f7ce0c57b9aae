//! Tests of requests to a scheduler, and of its hello and goodbye.

use super::*;

#[test]
fn stats_count_what_is_done() {
    let mut probe = ready(&[], &[2]);
    alloc(&mut probe, 1, 16, 2, 30.0);
    settle(&mut probe);
    alloc(&mut probe, 2, 16, 2, 30.0);
    settle(&mut probe);
    probe.request("sched-simple.stats-get", "");
    let stats = r#"{"sched_passes":2,"sched_yields":0,"forecast_passes":0,"forecast_yields":0,"sched_delay":0.0,"sched_duration_ewma":0.0,"sched_interval_ewma":0.0,"pending_jobs":1}"#;
    assert_eq!(
        probe.said(),
        [format!("response sched-simple.stats-get #1 {stats}")]
    );
}

#[test]
fn each_program_has_its_stats_under_its_name() {
    let mut probe = ready_as::<Backfill>(&[], &[2]);
    probe.request("sched-backfill.stats-get", "");
    let said = probe.said();
    assert!(said[0].starts_with("response sched-backfill.stats-get #1 {\"sched_passes\""));
}

#[test]
fn what_is_in_use_is_told_without_hosts() {
    let mut probe = ready(&[], &[2, 2]);
    probe.request("sched.resource-status", "");
    let empty = r#"{"version":1,"execution":{"R_lite":[]}}"#;
    let all = r(&[2, 2]);
    let said = |allocated: &str, down: &str| {
        format!(r#"{{"all":{all},"allocated":{allocated},"down":{down}}}"#)
    };
    let response = "response sched.resource-status";
    assert_eq!(
        probe.said(),
        [format!("{response} #1 {}", said(empty, empty))]
    );
    alloc(&mut probe, 1, 16, 1, 0.0);
    settle(&mut probe);
    probe.answer_stream("resource.acquire", 1, Ok(r#"{"down":"0"}"#));
    probe.request("sched.resource-status", "");
    let one = |cores: &str| {
        format!(
            r#"{{"version":1,"execution":{{"R_lite":[{{"rank":"0","children":{{"core":"{cores}"}}}}]}}}}"#
        )
    };
    // Resources that are down stay with the job that has them.
    let status = said(&one("0"), &one("0-1"));
    assert_eq!(probe.said(), [format!("{response} #2 {status}")]);
}

#[test]
fn a_job_that_is_done_gives_back_all_though_its_r_cannot_be_read() {
    let mut probe = ready(&[], &[2]);
    alloc(&mut probe, 1, 16, 2, 0.0);
    settle(&mut probe);
    for (r, is_final, expect) in [("{}", false, 1), ("{}", true, 0), ("{}", true, 0)] {
        let free = format!(r#"{{"id":1,"R":{r},"final":{is_final}}}"#);
        from_manager(&mut probe, "sched.free", &free);
        assert_eq!(probe.actor.core.held.sets().count(), expect);
    }
}

#[test]
fn reasons_are_given_at_once_when_a_test_wants_them() {
    let mut probe = ready(&[], &[2]);
    probe.request("sched.debug", r#"{"op":"setbit","flags":2}"#);
    probe.said();
    for id in 1..4 {
        alloc(&mut probe, id, 16, 2, 30.0);
    }
    probe.settle();
    let said = probe.said();
    let note = |ahead: u32| {
        format!(r#"{{"sched":{{"reason_pending":"insufficient resources","jobs_ahead":{ahead}}}}}"#)
    };
    let annotate = |id: u32, ahead: u32| {
        format!(
            r#"response sched.alloc #0 {{"id":{id},"type":1,"annotations":{}}}"#,
            note(ahead)
        )
    };
    assert_eq!(said[1..3], [annotate(2, 0), annotate(3, 1)]);
}

#[test]
fn a_stream_of_resources_that_fails_ends_the_module_in_peace() {
    let mut probe = ready(&[], &[2]);
    probe.answer_stream("resource.acquire", 1, Err(Refusal::bare(Errno::EIO)));
    assert!(probe.actor.cx.is_ending());
}

#[test]
fn a_job_whose_r_cannot_be_read_is_passed_over() {
    let mut probe: Sched = acquired(&[], &[2]);
    let job = r#"{"id":9,"priority":16,"userid":100,"t_submit":1.0}"#;
    probe.answer_stream("job-manager.sched-hello", 2, Ok(job));
    probe.answer_stream("job-manager.sched-hello", 2, Err(END));
    probe.said();
    probe.answer("kvs.lookup", 3, Ok(&found("no R")));
    probe.said();
    probe.answer("kvs.lookup", 4, Ok(&found("")));
    let said = probe.said();
    assert!(
        said[0].starts_with("request job-manager.sched-ready #5"),
        "{said:?}"
    );
}

#[test]
fn the_log_level_can_change_and_nonsense_keeps_the_old_one() {
    let mut probe = ready(&[], &[2]);
    let configure = |probe: &mut Sched, level: &str| {
        let conf = format!(r#"{{"sched-simple":{{"log-level":"{level}"}}}}"#);
        probe.request("sched-simple.config-reload", &conf);
        (
            probe.said().concat(),
            probe.actor.core.settings.log_level.name(),
        )
    };
    assert_eq!(configure(&mut probe, "debug").1, "debug");
    let (said, level) = configure(&mut probe, "loud");
    assert!(
        said.contains("sched-simple.log-level: must be emerg"),
        "{said}"
    );
    assert_eq!(level, "debug");
}

#[test]
fn a_job_that_asks_for_what_the_scheduler_does_not_do_is_denied() {
    let mut probe = ready(&[], &[8]);
    let mut check = |count: &str, system: &str, expect: &str| {
        let jobspec = format!(
            r#"{{"resources":[{{"type":"slot","count":{count},"label":"t","with":[{{"type":"core","count":1}}]}}],"tasks":[],"attributes":{{"system":{system}}},"version":1}}"#
        );
        let json =
            format!(r#"{{"id":1,"priority":16,"userid":100,"t_submit":1.0,"jobspec":{jobspec}}}"#);
        from_manager(&mut probe, "sched.alloc", &json);
        assert_eq!(settle(&mut probe), [expect]);
    };
    let ok = r#"{"duration":0}"#;
    check(
        r#""2,4""#,
        ok,
        "1 2 slot count specifies discrete valid values that this scheduler does not support; use a simple min-max range instead",
    );
    check(
        "0",
        ok,
        "1 2 cannot parse jobspec: RFC 14 count: integer count must be >= 1, got 0",
    );
    check(
        "1",
        "{}",
        "1 2 cannot parse jobspec: getting duration: Object item not found: duration",
    );
    let foo = r#"{"duration":0,"constraints":{"foo":[1]}}"#;
    check("1", foo, "1 2 unknown constraint operator(s): ['foo']");
    check(r#"{"min":2,"max":64}"#, ok, "1 0 rank0/core[0-7]");
}

//! Cancelling, signalling and waiting for jobs; queues.

use client::Refusal;
use client::fake::{Act, answer, refuse};
use proto::Errno;
use serde_json::json;
use wire::Message;

use super::{answering, check};

#[test]
fn jobs_are_cancelled_by_id_or_all_at_once() {
    let service = || {
        answering(|topic, object| match topic {
            "job-manager.raise" if object["id"] == 1 => Ok(json!({})),
            "job-manager.raise" => Err(Refusal::new(Errno::ENOENT, "unknown job id")),
            "job-manager.raiseall" => Ok(json!({"count":1,"errors":0})),
            _ => Err(Refusal::bare(Errno::ENOSYS)),
        })
    };
    check("cancel ƒ2", service(), "");
    check(
        "cancel ƒ2 ƒ38",
        service(),
        "-- stderr\nflux-cancel: ERROR: ƒ38: unknown job id\n-- code 1\n",
    );
    check(
        "cancel --all",
        service(),
        "-- stderr\nflux-cancel: Canceled 1 job (0 errors)\n",
    );
    check(
        "cancel --all -n",
        service(),
        "-- stderr\nflux-cancel: Would cancel 1 job\n",
    );
    check(
        "cancel",
        service(),
        "-- stderr\nflux-cancel: ERROR: No target jobs were provided\n-- code 1\n",
    );
}

#[test]
fn options_of_cancel_choose_jobs() {
    let asked = |expect: &'static str| {
        answering(move |topic, object| {
            assert_eq!(
                (topic, object.to_string().as_str()),
                ("job-manager.raiseall", expect)
            );
            Ok(json!({"count":2,"errors":1}))
        })
    };
    let told = "-- stderr\nflux-cancel: Canceled 2 jobs (1 errors)\n-- code 1\n";
    check(
        "cancel -S Pending,run -u 7 -m why",
        asked(
            r#"{"dry_run":false,"userid":7,"states":30,"severity":0,"type":"cancel","note":"why"}"#,
        ),
        told,
    );
    check(
        "cancel -u all",
        asked(r#"{"dry_run":false,"userid":4294967295,"states":62,"severity":0,"type":"cancel"}"#),
        told,
    );
    let nothing = || answering(|_, _| Ok(json!({"count":0,"errors":0})));
    check(
        "cancel --all",
        nothing(),
        "-- stderr\nflux-cancel: Matched 0 jobs\n",
    );
    check("cancel --all -q", nothing(), "");
    check(
        "cancel -n ƒ2 ƒ3",
        nothing(),
        "-- stderr\nflux-cancel: Would cancel 2 jobs\n",
    );
}

#[test]
fn what_cancel_does_not_take_is_said() {
    let refused = |line: &str, text: &str, code: u8| {
        let expect = format!("-- stderr\nflux-cancel: {text}\n-- code {code}\n");
        check(line, answering(|topic, _| panic!("{topic}")), &expect);
    };
    let with_ids = "ERROR: Do not specify a list of jobids with --all,--user,--states options";
    refused("cancel --all ƒ2", with_ids, 1);
    refused("cancel -u me ƒ2", with_ids, 1);
    refused("cancel -S run ƒ2", with_ids, 1);
    refused("cancel -S foo", "ERROR: Invalid state foo specified", 1);
    refused(
        "cancel -u nosuch",
        "ERROR: Invalid user nosuch specified",
        1,
    );
    refused(
        "cancel z!",
        "error: argument JOBID: invalid JobID value: 'z!'",
        2,
    );
}

#[test]
fn attributes_of_a_job_are_updated() {
    let service = || {
        answering(|topic, object| match topic {
            "job-manager.getattr" => {
                let system = json!({"duration":120.0});
                Ok(json!({"jobspec":{"attributes":{"system":system}}}))
            }
            "job-manager.update" if object["updates"]["attributes.system.x"].is_null() => {
                Ok(json!({}))
            }
            "job-manager.update" => {
                let text = "update of attributes.system.x not supported";
                Err(Refusal::new(Errno::EINVAL, text))
            }
            _ => Err(Refusal::bare(Errno::ENOSYS)),
        })
    };
    check("update ƒ2 duration=10m", service(), "");
    check(
        "update -n ƒ2 duration=60",
        service(),
        "{\"attributes.system.duration\": 60.0}\n",
    );
    check(
        "update -n ƒ2 duration=+1m queue=a user.x=[1]",
        service(),
        "{\"attributes.system.duration\": 180.0, \"attributes.system.queue\": \"a\", \
        \"attributes.system.user.x\": [1]}\n",
    );
    check(
        "update -v ƒ2 duration=infinity attributes.user.y=z",
        service(),
        "-- stderr\nflux-update: INFO: updated attributes.system.duration to 0.0\n\
        flux-update: INFO: updated attributes.user.y to z\n",
    );
    check(
        "update 1 duration=-10m",
        service(),
        "-- stderr\nflux-update: ERROR: current duration for ƒ2 (2m) cannot be reduced by 10m\n\
        -- code 1\n",
    );
    check(
        "update ƒ2 x=1",
        service(),
        "-- stderr\nflux-update: ERROR: update of attributes.system.x not supported\n-- code 1\n",
    );
}

#[test]
fn signals_and_urgencies_are_checked() {
    let refused = || answering(|_, _| Err(Refusal::new(Errno::EINVAL, "job is inactive")));
    check(
        "job kill ƒ2",
        refused(),
        "-- stderr\nflux-job: kill ƒ2: job is inactive\n-- code 1\n",
    );
    check(
        "job kill -s FOO ƒ2",
        refused(),
        "-- stderr\nflux-job: kill: Invalid signal FOO\n-- code 1\n",
    );
    check(
        "job urgency ƒ2 zz",
        refused(),
        "-- stderr\nflux-job: error parsing urgency: \"zz\"\n-- code 1\n",
    );
    check(
        "job urgency -v ƒ2 hold",
        answering(|_, _| Ok(json!({"old_urgency":16}))),
        "-- stderr\nold urgency: 16\n",
    );
}

#[test]
fn many_jobs_are_counted_before_anything_is_done() {
    let service = || {
        answering(|_, object| {
            assert_eq!(object["signum"], 15);
            Ok(json!({"count":1,"errors":0}))
        })
    };
    check(
        "job killall",
        service(),
        "-- stderr\nflux-job: Command matched 1 jobs (-f to confirm)\n",
    );
    check(
        "job killall -f",
        service(),
        "-- stderr\nflux-job: Terminated 1 jobs (0 errors)\n",
    );
}

#[test]
fn waiting_tells_how_a_job_ended() {
    let waited = |success: bool, text: &'static str| {
        answering(move |_, _| Ok(json!({"id":1,"success":success,"errstr":text})))
    };
    check("job wait", waited(true, ""), "ƒ2\n");
    check(
        "job wait ƒ2",
        waited(false, "task(s) exited with exit code 1"),
        "-- stderr\nflux-job: task(s) exited with exit code 1\n-- code 1\n",
    );
    let none = || answering(|_, _| Err(Refusal::new(Errno::ECHILD, "no more")));
    check(
        "job wait",
        none(),
        "-- stderr\nflux-job: no more\n-- code 2\n",
    );
    check("job wait -a -v", none(), "");
}

#[test]
fn ids_have_many_spellings() {
    let none = || answering(|_, _| Err(Refusal::bare(Errno::ENOSYS)));
    check("job id --to=hex ƒ2JL 1", none(), "0x1111\n0x1\n");
    check("job namespace ƒ2JL", none(), "job-4369\n");
    check(
        "job id zz!",
        none(),
        "-- stderr\nflux-job: zz!: malformed input\n-- code 1\n",
    );
    check(
        "job id --to=zz 1",
        none(),
        "-- stderr\nflux-job: Unknown to=zz\n-- code 1\n",
    );
    check(
        "job last",
        answering(|_, _| Ok(json!({"jobs":[]}))),
        "-- stderr\nflux-job: job history is empty\n-- code 1\n",
    );
}

#[test]
fn maps_of_tasks_have_many_forms() {
    let none = || answering(|_, _| Err(Refusal::bare(Errno::ENOSYS)));
    check("job taskmap [[0,2,1,1]]", none(), "[[0,2,1,1]]\n");
    check("job taskmap --to=raw [[0,2,1,1]]", none(), "0;1\n");
    check(
        "job taskmap --to=pmi [[0,2,1,1]]",
        none(),
        "(vector,(0,2,1))\n",
    );
    check("job taskmap --to=multiline 0;1", none(), "0: 0\n1: 1\n");
    check("job taskmap --nodeid=1 0;1", none(), "1\n");
}

#[test]
fn queues_show_what_was_done_to_them() {
    let service = || {
        answering(|topic, _| match topic {
            "job-manager.queue-list" => Ok(json!({"queues":[]})),
            "job-manager.queue-enable" => Ok(json!({})),
            "job-manager.queue-status" => Ok(json!({"enable":false,"start":true,
                "disable_reason":"noon"})),
            "job-manager.idle" => Ok(json!({"pending":2})),
            _ => Err(Refusal::new(Errno::EINVAL, "'foo' is not a valid queue")),
        })
    };
    check(
        "queue status",
        service(),
        "Job submission is disabled: noon\nScheduling is started\n",
    );
    check(
        "queue disable -m noon",
        service(),
        "Job submission is disabled: noon\n",
    );
    check("queue idle", service(), "2 jobs\n");
    let invalid = answering(|_, _| Err(Refusal::new(Errno::EINVAL, "'foo' is not a valid queue")));
    check(
        "queue status foo",
        invalid,
        "-- stderr\nflux-queue: status: 'foo' is not a valid queue\n-- code 1\n",
    );
}

/// Answers as job-info does about one log of a job.
fn with_log(lines: &'static [&'static str]) -> impl FnMut(&Message) -> Vec<Act> + Send + 'static {
    move |request| {
        let lines = lines.iter();
        let mut acts: Vec<Act> = lines
            .map(|line| answer(request, &json!({ "event": format!("{line}\n") })))
            .collect();
        acts.push(refuse(request, &Refusal::END));
        acts
    }
}

#[test]
fn an_event_may_be_told_by_its_context() {
    const LOG: &[&str] = &[
        r#"{"timestamp":10.5,"name":"submit"}"#,
        r#"{"timestamp":11.5,"name":"exception","context":{"type":"a","severity":1}}"#,
        r#"{"timestamp":12.5,"name":"exception","context":{"type":"b","severity":0}}"#,
    ];
    let first = "11.500000 exception type=\"a\" severity=1\n";
    let second = "12.500000 exception type=\"b\" severity=0\n";
    for (options, expect) in [
        ("", first),
        ("-c 2", second),
        ("-m type=b", second),
        ("-m severity=0", second),
        (
            "-T offset -m severity=0",
            "2.000000 exception type=\"b\" severity=0\n",
        ),
        (
            "-m severity=7",
            "-- stderr\nflux-job: event 'exception' never received\n-- code 1\n",
        ),
        ("-q", ""),
    ] {
        check(
            &format!("job wait-event {options} ƒ2 exception"),
            with_log(LOG),
            expect,
        );
    }
}

#[test]
fn events_are_coloured_for_who_asks() {
    const LOG: &[&str] = &[r#"{"timestamp":1.5,"name":"exception","context":{"a":1}}"#];
    check(
        "job wait-event -L auto ƒ2 exception",
        with_log(LOG),
        "1.500000 exception a=1\n",
    );
    for option in ["-L always", "-Lalways", "--color=always"] {
        check(
            &format!("job wait-event {option} ƒ2 exception"),
            with_log(LOG),
            "\x1b[32m1.500000\x1b[0m \x1b[1;31mexception\x1b[0m \x1b[34ma\x1b[0m=1\n",
        );
    }
}

#[test]
fn processes_of_tasks_are_asked_of_the_shell() {
    const LOG: &[&str] = &[
        r#"{"timestamp":1.5,"name":"shell.init","context":{"service":"7-shell-f2","leader-rank":0}}"#,
        r#"{"timestamp":1.5,"name":"shell.start"}"#,
    ];
    let job = || {
        let mut log = with_log(LOG);
        move |request: &Message| match request.topic() {
            "7-shell-f2.proctable" => {
                let both = json!([[-1, -1]]);
                let columns = json!({
                    "hosts": [["vm", both]], "executables": [["x", both]],
                    "ids": [1, -1], "pids": [51, -1], "ranks": [[0, -1]],
                });
                vec![answer(request, &columns)]
            }
            _ => log(request),
        }
    };
    check("job hostpids ƒ2", job(), "vm:50,vm:51\n");
    check("job hostpids -r1 ƒ2", job(), "vm:51\n");
    check("job hostpids -d; ƒ2", job(), "vm:50;vm:51\n");
    check(
        "job hostpids ƒ2",
        with_log(&[]),
        "-- stderr\nflux-job: ƒ2: job is not running\n-- code 1\n",
    );
}

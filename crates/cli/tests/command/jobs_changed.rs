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

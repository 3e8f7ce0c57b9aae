//! Small tools: `lptest`, `fortune` and the like.

use std::os::unix::fs::PermissionsExt;

use proto::{Errno, Refusal};
use serde_json::{Value, json};

use super::{answering, check, check_input, refusing, run};

#[test]
fn lptest_rotates_the_printable_characters() {
    assert_eq!(
        run(&[], &["lptest", "5", "3"], ""),
        "!\"#$%\n\"#$%&\n#$%&'\n"
    );
    let long = run(&[], &["lptest", "100", "94"], "");
    let last = long.lines().last().unwrap_or_default();
    assert!(
        last.starts_with("~!\"#") && last.ends_with("}~!\"#$%"),
        "{last}"
    );
    let default = run(&[], &["lptest"], "");
    assert_eq!(default.lines().count(), 200);
    assert!(default.lines().all(|line| line.len() == 79));
    let bad = |name| format!("-- stderr\nflux-lptest: error parsing {name}\n-- code 1\n");
    assert_eq!(run(&[], &["lptest", "x"], ""), bad("length"));
    assert_eq!(run(&[], &["lptest", "1", "1k"], ""), bad("count"));
}

#[test]
fn a_fortune_is_a_sentence() {
    let sentence = run(&[], &["fortune"], "");
    assert!(
        sentence.ends_with(".\n") && sentence.lines().count() == 1,
        "{sentence}"
    );
}

/// An instance of four hosts, of which the second is drained and the last away.
fn hosts(topic: &str, request: Value) -> Result<Value, Refusal> {
    match topic {
        "attr.get" => Ok(json!({"value": "a[0-3]", "flags": 1})),
        "resource.status" => Ok(json!({
            "R": {"version": 1, "execution": {"R_lite": [{"rank": "0-3",
                "children": {"core": "0"}}], "nodelist": ["a[0-3]"]}},
            "drain": {"1": {"timestamp": 1.0, "reason": ""}},
            "online": "0-2", "offline": "3", "exclude": "", "torpid": ""})),
        "job-list.list-id" if request["id"] == json!(1) => {
            Ok(json!({"job": {"id": 1, "nodelist": "a[1,3]"}}))
        }
        _ => Err(Refusal::bare(Errno::ENOENT)),
    }
}

#[test]
fn hosts_come_from_the_instance_from_jobs_and_from_text() {
    let told = |text: &str| format!("-- stderr\nflux-hostlist: ERROR: {text}\n-- code 1\n");
    let check = |line: &str, expect: &str| check(line, answering(hosts), expect);
    check("hostlist instance", "a[0-3]\n");
    check("hostlist -l", "a[0-3]\n");
    check("hostlist avail", "a[0,2]\n");
    check("hostlist 1", "a[1,3]\n");
    check("hostlist --minus instance f2", "a[0,2]\n");
    check("hostlist f2 b1 a0", "a[1,3],b1,a0\n");
    check("hostlist foo3", &told("job foo3 not found"));
    check("hostlist -f foo3 foo4", "foo[3-4]\n");
    check("hostlist a[", &told("Invalid jobid or hostlist a["));
}

#[test]
fn hosts_are_put_together_and_picked_from() {
    let told = |text: &str| format!("-- stderr\nflux-hostlist: ERROR: {text}\n-- code 1\n");
    for (line, expect) in [
        ("a[1-3] a[2-4]", "a[1-3,2-4]\n"),
        ("-u a[1-3] a[2-4]", "a[1-4]\n"),
        ("--union b a", "a,b\n"),
        ("-S b a b", "a,b,b\n"),
        ("-i a[1-3] a[2-4]", "a[2-3]\n"),
        ("-m a[1-3] a[2-4]", "a1\n"),
        ("-X a[1-3] a[2-4]", "a[1,4]\n"),
        ("-L 2 a[1-4]", "a[1-2]\n"),
        ("-L -2 a[1-4]", "a[3-4]\n"),
        ("-n 0,2 a[1-4]", "a[1,3]\n"),
        ("-n -1 a[1-4]", "a4\n"),
        ("-x a2 a[1-4]", "a[1,3-4]\n"),
        ("-x 0-1 a[1-4]", "a[3-4]\n"),
        ("-x zz a[1-2]", "a[1-2]\n"),
        ("-c a[1-4]", "4\n"),
        ("-e a[1-2]", "a1 a2\n"),
        ("-e -d , a[1-2]", "a1,a2\n"),
        ("-ed\\n a[1-2]", "a1\na2\n"),
        ("-F a3,a1 a[1-4]", "2 0\n"),
        ("-q a1", ""),
        ("-q -x a1 a1", "-- code 1\n"),
        ("-x a1 a1", "-- code 1\n"),
    ] {
        let line = format!("hostlist {line}");
        let words: Vec<&str> = line.split(' ').collect();
        assert_eq!(run(&[], &words, ""), expect, "{line}");
    }
    for (line, text) in [
        ("-n 4 a[1-4]", "Hostlist index out of range"),
        ("-n -5 a[1-4]", "Hostlist index out of range"),
        ("-F a9 a[1-4]", "host 'a9' not found"),
    ] {
        let line = format!("hostlist {line}");
        let words: Vec<&str> = line.split(' ').collect();
        assert_eq!(run(&[], &words, ""), told(text), "{line}");
    }
    assert_eq!(run(&[], &["hostlist"], "a1 a2\nb\n"), "a[1-2],b\n");
    let both = run(&[], &["hostlist", "-i", "-X", "a"], "");
    assert!(both.ends_with("-- code 2\n"), "{both}");
}

#[test]
fn a_file_says_what_tasks_run() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mp.conf").display().to_string();
    let told = |text: &str| format!("-- stderr\nflux-multi-prog: ERROR: {text}\n-- code 1\n");
    std::fs::write(&path, "0 a\n1 echo 'b c' %t %o\n").unwrap();
    assert_eq!(
        run(&[], &["multi-prog", "-n0-1", &path], ""),
        "0: a\n1: echo 'b c' 1 0\n"
    );
    let unmatched = told(&format!("{path}: No matching line for rank 2"));
    assert_eq!(
        run(&[("FLUX_TASK_RANK", "2")], &["multi-prog", &path], ""),
        unmatched
    );
    let unknown = told("FLUX_TASK_RANK not found or invalid");
    assert_eq!(run(&[], &["multi-prog", &path], ""), unknown);
    std::fs::write(&path, "zz a\n").unwrap();
    let bad = told(&format!("{path}: line 1: invalid idset: zz"));
    assert_eq!(run(&[], &["multi-prog", "-n0", &path], ""), bad);
    let missing = told("[Errno 2] No such file or directory: '/nonexistent'");
    assert_eq!(
        run(&[], &["multi-prog", "-n0", "/nonexistent"], ""),
        missing
    );
}

#[test]
fn events_are_posted_with_their_context() {
    let post = |topic: &str, request: Value| {
        assert_eq!(topic, "job-manager.post-event.post");
        let expect = json!({"id": 1, "name": "foo", "context": {"a": 1, "b": {"c": "x"}}});
        assert_eq!(request, expect);
        Ok(json!({}))
    };
    check("post-job-event 1 foo a=1 b.c=x", answering(post), "");
    check(
        "post-job-event 1234 foo",
        refusing(Errno::ENOENT),
        "-- stderr\nflux-job-post-event: ERROR: No such job 1234\n-- code 1\n",
    );
}

#[test]
fn cleanup_commands_keep_the_order_of_their_lines() {
    let push = |expect: Value| {
        answering(move |topic: &str, request: Value| {
            assert_eq!((topic, &request), ("runat.push", &expect));
            Ok(json!({}))
        })
    };
    let pushed = json!({"name": "cleanup", "commands": ["rm -rf x"]});
    check("admin cleanup-push rm -rf x", push(pushed), "");
    let pushed = json!({"name": "cleanup", "commands": ["second", "first 1"]});
    check_input("admin cleanup-push", "first 1\nsecond\n", push(pushed), "");
}

#[test]
fn what_runs_around_jobs_is_shown() {
    let instance = |config: Value, plugins: Value| {
        answering(move |topic: &str, _| match topic {
            "config.get" => Ok(config.clone()),
            _ => Ok(json!({ "plugins": plugins })),
        })
    };
    let none = "▸ prolog: not configured\n▸ epilog: not configured\n\
        ▸ housekeeping: not configured\n";
    check("admin system-scripts", instance(json!({}), json!([])), none);
    let config = json!({"job-manager": {
        "prolog": {"command": ["/bin/x", "y"], "per-rank": true},
        "epilog": {"command": ["z"]},
        "housekeeping": {"command": ["h"], "release-after": "30s"}}});
    let all = "▸ prolog: enabled (per-rank=true)\n  command: /bin/x y\n\n\
        ▸ epilog: enabled (per-rank=false)\n  command: z\n\n\
        ▸ housekeeping: enabled (release-after=30s)\n  command: h\n\n";
    let loaded = json!(["perilog.so"]);
    check(
        "admin system-scripts",
        instance(config.clone(), loaded),
        all,
    );
    let inactive = all.replace("enabled (per-rank=true)", "configured but inactive");
    let inactive = inactive.replace("enabled (per-rank=false)", "configured but inactive");
    check(
        "admin system-scripts",
        instance(config, json!([])),
        &inactive,
    );
}

#[test]
fn memory_is_not_traced() {
    let expect = "-- stderr\nflux-heaptrace: dump: this version does not trace memory\n\
        hint: brokers and modules are processes: use heaptrack(1)\n-- code 1\n";
    assert_eq!(run(&[], &["heaptrace", "dump", "x"], ""), expect);
}

#[test]
fn the_end_of_a_job_of_slurm_is_handed_on() {
    let folder = tempfile::tempdir().unwrap();
    let squeue = folder.path().join("squeue");
    std::fs::write(&squeue, "#!/bin/sh\necho 1970-01-02T00:00:00\n").unwrap();
    std::fs::set_permissions(&squeue, PermissionsExt::from_mode(0o755)).unwrap();
    let broker = client::fake::FakeBroker::listen(
        &folder.path().join("local"),
        answering(|topic: &str, request: Value| {
            let expect = ("resource.expiration-update", json!({"expiration": 86400.0}));
            assert_eq!((topic, request), expect);
            Ok(json!({}))
        }),
    )
    .unwrap();
    let uri = broker.uri();
    let path = format!("{}:/bin:/usr/bin", folder.path().display());
    let env = [
        ("FLUX_URI", uri.as_str()),
        ("TZ", "UTC"),
        ("PATH", path.as_str()),
    ];
    let words = ["slurm-expiration-sync", "--jobid=7", "--once"];
    assert_eq!(run(&env, &words, ""), "");
    let env = [("FLUX_URI", uri.as_str()), ("PATH", "/nonexistent")];
    let expect = "-- stderr\nflux-slurm-expiration-sync: ERROR: squeue: No such file or \
        directory\n-- code 1\n";
    assert_eq!(run(&env, &words, ""), expect);
}

//! Jobs as a tree.

use client::Refusal;
use client::fake::{Act, FakeBroker, answer, object_of, refuse};
use proto::Errno;
use serde_json::{Value, json};
use wire::Message;

/// Answers as an instance does that has these jobs.
fn answers(jobs: Vec<Value>) -> impl FnMut(&Message) -> Vec<Act> + Send + 'static {
    move |request| {
        let object = object_of(request);
        let r = |cores: &str| {
            json!({"version":1,"execution":{"R_lite":[{"rank":"0","children":{"core":cores}}],
                "nodelist":["n0"]}})
        };
        let none = json!({"version":1,"execution":{"R_lite":[],"nodelist":[]}});
        match request.topic() {
            "job-list.list" => {
                let terms = object["constraint"]["and"].as_array().unwrap();
                let states = terms[0]["states"][0].as_u64().unwrap();
                let state = |job: &&Value| job["state"].as_u64().unwrap() & states != 0;
                let jobs: Vec<&Value> = jobs.iter().filter(state).collect();
                let jobs = answer(request, &json!({ "jobs": jobs }));
                vec![jobs, refuse(request, &Refusal::END)]
            }
            "job-list.list-id" => {
                let job = jobs.iter().find(|job| job["id"] == object["id"]);
                vec![match job {
                    Some(job) => answer(request, &json!({ "job": job })),
                    None => refuse(request, &Refusal::bare(Errno::ENOENT)),
                }]
            }
            "job-list.job-stats" => {
                let states = json!({"depend":0,"priority":0,"sched":0,"run":jobs.len(),"cleanup":0,
                    "inactive":0,"total":jobs.len()});
                let stats = json!({"job_states":states,"successful":0,"failed":0,"canceled":0,
                    "timeout":0,"inactive_purged":0,"queues":[]});
                vec![answer(request, &stats)]
            }
            "resource.sched-status" => {
                let status = json!({"all":r("0-3"),"down":none,"allocated":r("0")});
                vec![answer(request, &status)]
            }
            "attr.get" => vec![refuse(request, &Refusal::bare(Errno::ENOENT))],
            topic => panic!("{topic}"),
        }
    }
}

/// A job of ours that runs, or is in another state.
fn job(id: u64, name: &str, state: u32, uri: Option<&str>) -> Value {
    let userid = rustix::process::getuid().as_raw();
    let mut job = json!({"id":id,"userid":userid,"state":state,"name":name,"ntasks":2,"nnodes":1,
        "t_run":10.0,"t_cleanup":12.0,"result":1});
    if let Some(uri) = uri {
        job["annotations"] = json!({"user":{"uri":uri}});
    }
    job
}

/// Runs `flux LINE` in an instance with two jobs and an instance in it that has three.
fn check(line: &str, expect: &str) {
    check_in(&[], line, expect);
}

fn check_in(more: &[(&str, &str)], line: &str, expect: &str) {
    let folder = tempfile::tempdir().unwrap();
    let inner = vec![
        job(4, "sleep", 16, None),
        job(5, "sleep", 16, None),
        job(6, "other", 64, None),
    ];
    let inner = FakeBroker::listen(&folder.path().join("inner"), answers(inner)).unwrap();
    let outer = vec![
        job(9, "waits", 8, None),
        job(1, "flux", 16, Some(&inner.uri())),
        job(2, "gone", 16, Some("local:///nonexistent/local")),
        job(3, "sleep", 16, None),
    ];
    let outer = FakeBroker::listen(&folder.path().join("outer"), answers(outer)).unwrap();
    let words: Vec<&str> = line.split_whitespace().collect();
    let uri = outer.uri();
    let mut env = vec![
        ("FLUX_URI", uri.as_str()),
        ("FLUX_LOCAL_CONNECTOR_RETRY_COUNT", "0"),
    ];
    env.extend(more);
    assert_eq!(super::run(&env, &words, ""), expect, "flux {line}");
}

#[test]
fn running_jobs_are_a_tree() {
    let tree = ".\n├── flux\n│   └── 2*[sleep]\n├── gone\n└── sleep\n";
    check("pstree", tree);
    check("pstree -f running", tree);
    check(
        "pstree -X --ascii",
        ".\n|-- flux\n|   |-- sleep\n|   `-- sleep\n|-- gone\n`-- sleep\n",
    );
    check("pstree -C -L0", ".\n├─flux\n├─gone\n└─sleep\n");
    check(
        "pstree --skip-root=yes -L1",
        "flux\n└── 2*[sleep]\ngone\nsleep\n",
    );
}

#[test]
fn all_jobs_have_their_state() {
    check(
        "pstree -a",
        ".\n├── waits:S\n├── flux\n│   ├── 2*[sleep:R]\n│   └── other:CD\n├── gone:R\n└── sleep:R\n",
    );
    check("pstree -f pending", ".\n└── waits\n");
}

#[test]
fn labels_are_formats() {
    check(
        "pstree -p",
        ". .\n├── ƒ2 flux\n│   └── 2*[sleep]\n├── gone\n└── sleep\n",
    );
    check(
        "pstree --parent-label={name}={instance.stats.total}/{instance.utilization!P} -o {id}",
        ".=4/25%\n├── flux=3/25%\n│   ├── ƒ5\n│   └── ƒ6\n├── ƒ3\n└── ƒ4\n",
    );
    check(
        "pstree -o {foo}",
        "-- stderr\nflux-pstree: ERROR: Error in user format: Unknown format field: foo\n-- code 1\n",
    );
}

#[test]
fn details_stand_before_the_tree() {
    check(
        "pstree -d resources",
        "       JOBID NODES  USED CORES  USED  GPUS  USED\n          \
        ƒ2     1     1     4     1     0     0 flux\n          \
        ƒ5                                     ├── sleep\n          \
        ƒ6                                     └── sleep\n          \
        ƒ3                                     gone\n          \
        ƒ4                                     sleep\n",
    );
    check(
        "pstree -d stats -n ƒ2",
        "          ƒ2     PD:0 R:3 CD:0 F:0        0:00:02 flux\n          \
        ƒ5                              0:00:02 ├── sleep\n          \
        ƒ6                              0:00:02 └── sleep\n",
    );
    check(
        "pstree -x --skip-root=no -f pending",
        "       JOBID USER     ST NTASKS NNODES  RUNTIME\n           \
        .                  -      -        - .\n          \
        ƒA root      S      2      1   2.000s └── waits\n",
    );
    check(
        "pstree --detail-format={id}: -f pending",
        "JOBID:\nƒA: waits\n",
    );
    check(
        "pstree -d zz",
        "-- stderr\nflux-pstree: ERROR: Unknown --details format 'zz'\n-- code 1\n",
    );
}

#[test]
fn jobs_can_be_named() {
    check("pstree ƒ2", "flux\n└── 2*[sleep]\n");
    check("pstree --skip-root=no ƒ4", ".\n└── sleep\n");
    check(
        "pstree -a ƒ4 ƒZ",
        "sleep:R\n-- stderr\nflux-pstree: WARNING: filtering options ignored with jobid list\n\
        JobID ƒZ unknown\n",
    );
    check("pstree ƒZ", "-- stderr\nJobID ƒZ unknown\n-- code 1\n");
}

#[test]
fn lines_end_where_the_terminal_does() {
    let narrow = [("COLUMNS", "7")];
    check_in(&narrow, "pstree -f pending", ".\n└── wai\n");
    check_in(&narrow, "pstree -l -f pending", ".\n└── waits\n");
    check(
        "pstree -C --ascii",
        "-- stderr\nflux-pstree: ERROR: Choose only one of --ascii, --compact\n-- code 1\n",
    );
}

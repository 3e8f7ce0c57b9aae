//! Listing jobs.

use client::Refusal;
use client::fake::{Act, FakeBroker, answer, object_of, refuse};
use proto::Errno;
use serde_json::{Value, json};
use wire::Message;

use super::{check, check_input};

/// Answers as job-list does that knows these jobs, to any request; the attributes that
/// were asked for must be `attrs`, unless that is empty.
fn listing(
    jobs: Vec<Value>,
    attrs: &'static str,
) -> impl FnMut(&Message) -> Vec<Act> + Send + 'static {
    move |request| {
        let object = object_of(request);
        if !attrs.is_empty() {
            assert_eq!(object["attrs"].to_string(), attrs);
        }
        match request.topic() {
            "job-list.list" => {
                let max = object["max_entries"].as_u64().unwrap();
                let max = if max == 0 { usize::MAX } else { max as usize };
                let jobs = jobs.iter().take(max);
                let chunks = jobs.collect::<Vec<_>>();
                let chunks = chunks.chunks(2);
                let mut acts: Vec<Act> = chunks
                    .map(|jobs| answer(request, &json!({ "jobs": jobs })))
                    .collect();
                acts.push(refuse(request, &Refusal::END));
                acts
            }
            "job-list.list-id" => {
                let job = jobs.iter().find(|job| job["id"] == object["id"]);
                vec![match job {
                    Some(job) => answer(request, &json!({ "job": job })),
                    None => refuse(request, &Refusal::bare(Errno::ENOENT)),
                }]
            }
            topic => panic!("{topic}"),
        }
    }
}

/// Three jobs of root: one waits, one failed, and one did well.
fn jobs() -> Vec<Value> {
    vec![
        json!({"id":3,"userid":0,"state":8,"urgency":16,"priority":16,"name":"wait",
            "ntasks":1,"duration":1800.0}),
        json!({"id":2,"userid":0,"state":64,"result":2,"name":"a-long-name","ntasks":2,
            "nnodes":1,"t_run":10.0,"t_cleanup":10.025,"nodelist":"vm","waitstatus":256}),
        json!({"id":1,"userid":0,"state":64,"result":1,"name":"echo","ntasks":2,
            "nnodes":1,"t_run":10.0,"t_cleanup":11.0,"nodelist":"vm","waitstatus":0}),
    ]
}

#[test]
fn jobs_are_listed_in_columns() {
    check(
        "jobs -a",
        listing(jobs(), ""),
        "       JOBID USER     NAME       ST NTASKS NNODES     TIME INFO\n          \
        ƒ4 root     wait        S      1      -      30m \n          \
        ƒ3 root     a-long-na+  F      2      1   0.025s vm\n          \
        ƒ2 root     echo       CD      2      1   1.000s vm\n",
    );
}

#[test]
fn only_what_the_format_needs_is_asked_for() {
    check(
        "jobs -n --format={id.dec}:{name}",
        listing(jobs(), r#"["name"]"#),
        "3:wait\n2:a-long-name\n1:echo\n",
    );
    check(
        "jobs -n --format={id} --sort=-runtime",
        listing(jobs(), r#"["t_cleanup","t_run"]"#),
        "ƒ2\nƒ3\nƒ4\n",
    );
    check(
        "jobs -n --format={id} --sort=id",
        listing(jobs(), "[]"),
        "ƒ2\nƒ3\nƒ4\n",
    );
}

#[test]
fn more_jobs_than_wanted_are_a_warning() {
    check(
        "jobs -c2 --format={id}",
        listing(jobs(), "[]"),
        "JOBID\nƒ4\nƒ3\n-- stderr\nwarning: output truncated at 2 jobs.\n\
        Use --count to increase returned results or use filters to alter results.\n",
    );
    check(
        "jobs -n -c2 --format={id}",
        listing(jobs(), "[]"),
        "ƒ4\nƒ3\n",
    );
    check(
        "jobs -n -c0 --format={id}",
        listing(jobs(), "[]"),
        "ƒ4\nƒ3\nƒ2\n",
    );
}

#[test]
fn jobs_can_be_named() {
    check(
        "jobs -n --format={id.f58}:{returncode} ƒ3 ƒ9",
        listing(jobs(), ""),
        "ƒ3:1\n-- stderr\nJobID ƒ9 unknown\n",
    );
    check(
        "jobs ƒ9",
        listing(jobs(), ""),
        "-- stderr\nJobID ƒ9 unknown\n-- code 1\n",
    );
    check(
        "jobs -n -a --format={id.f58} ƒ9",
        listing(jobs(), ""),
        "-- stderr\nflux-jobs: WARNING: Filtering options ignored with jobid list\n\
        JobID ƒ9 unknown\n-- code 1\n",
    );
    check(
        "jobs zz!z",
        listing(jobs(), ""),
        "-- stderr\nflux-jobs: error: argument JOBID: invalid JobID value: 'zz!z'\n-- code 2\n",
    );
}

#[test]
fn json_has_names_instead_of_numbers() {
    check(
        "jobs --json ƒ2",
        listing(vec![json!({"id":1,"userid":0,"state":16})], r#"["all"]"#),
        "{\"id\": 1, \"userid\": 0, \"state\": \"RUN\", \"jobid\": \"\\u01922\", \"username\": \"root\", \
        \"runtime\": 0.0, \"status\": \"RUN\", \"dependencies\": [], \"annotations\": {}}\n",
    );
}

#[test]
fn counts_come_from_the_service() {
    let stats = |active: u64| {
        let states = json!({"depend":0,"priority":0,"sched":0,"run":active,"cleanup":0,
            "inactive":1,"total":active + 1});
        super::answering(move |_, _| {
            Ok(
                json!({"job_states":states,"successful":0,"failed":0,"canceled":1,"timeout":0,
                "inactive_purged":0,"queues":[]}),
            )
        })
    };
    check(
        "jobs --stats-only",
        stats(1),
        "1 running, 0 completed, 1 failed, 0 pending, 0 inactive purged\n",
    );
    check(
        "jobs --stats-only",
        stats(0),
        "0 running, 0 completed, 1 failed, 0 pending, 0 inactive purged\n-- code 1\n",
    );
}

#[test]
fn formats_and_filters_that_make_no_sense_are_refused() {
    let refused = |line: &str, text: &str| {
        let expect = format!("-- stderr\nflux-jobs: {text}\n-- code 1\n");
        check(line, listing(jobs(), ""), &expect);
    };
    refused(
        "jobs --format={foo}",
        "ERROR: Error in user format: Unknown format field: foo",
    );
    refused(
        "jobs --format={id!z}",
        "ERROR: Unknown conversion specifier z",
    );
    refused("jobs -f foo", "ERROR: Invalid filter specified: foo");
    refused(
        "jobs -u nosuchuser",
        "ERROR: Invalid user nosuchuser specified",
    );
}

#[test]
fn jobs_are_coloured_by_how_they_ended() {
    check(
        "jobs -n --color=always --format={name}",
        listing(jobs(), r#"["name","result","state"]"#),
        "wait\n\x1b[31ma-long-name\x1b[0m\n\x1b[32mecho\x1b[0m\n",
    );
    check(
        "jobs -n --color=auto --format={name}",
        listing(jobs(), r#"["name"]"#),
        "wait\na-long-name\necho\n",
    );
}

#[test]
fn jobs_may_come_from_standard_input() {
    let nobody = |request: &Message| -> Vec<Act> { panic!("{}", request.topic()) };
    let input: String = jobs().iter().map(|job| format!("{job}\n")).collect();
    check_input(
        "jobs --from-stdin -n --format={id}:{status_abbrev}",
        &input,
        nobody,
        "ƒ4:S\nƒ3:F\nƒ2:CD\n",
    );
    check_input(
        "jobs --from-stdin --json",
        "{\"id\":1,\"state\":16}\n",
        nobody,
        "{\"jobs\": [{\"id\": 1, \"state\": \"RUN\", \"jobid\": \"\\u01922\", \"runtime\": 0.0, \
        \"status\": \"RUN\", \"dependencies\": [], \"annotations\": {}}]}\n",
    );
    check_input(
        "jobs --from-stdin",
        "{\"id\":1}\n{foo}\n",
        nobody,
        "-- stderr\nflux-jobs: ERROR: JSON input error: line 2: key must be a string at line 1 \
        column 2\n-- code 1\n",
    );
}

/// An instance with a job that is an instance, which has another one.
fn nested(folder: &std::path::Path) -> (FakeBroker, FakeBroker) {
    let answers = |jobs: Vec<Value>| {
        move |request: &Message| match request.topic() {
            "job-list.list" => vec![
                answer(request, &json!({ "jobs": jobs })),
                refuse(request, &Refusal::END),
            ],
            "job-list.job-stats" => {
                let states = json!({"depend":0,"priority":0,"sched":0,"run":jobs.len(),"cleanup":0,
                    "inactive":0,"total":jobs.len()});
                let stats = json!({"job_states":states,"successful":0,"failed":0,"canceled":0,
                    "timeout":0,"inactive_purged":0,"queues":[]});
                vec![answer(request, &stats)]
            }
            topic => panic!("{topic}"),
        }
    };
    let instance = |id: u64, userid: u32, uri: &str| {
        json!({"id":id,"userid":userid,"state":16,"name":"flux",
            "annotations":{"user":{"uri":uri}}})
    };
    let userid = rustix::process::getuid().as_raw();
    let gone = "local:///nonexistent/local";
    let inner = vec![instance(5, userid, gone)];
    let inner = FakeBroker::listen(&folder.join("inner"), answers(inner)).unwrap();
    let outer = vec![
        instance(1, userid, &inner.uri()),
        instance(2, userid + 1, gone),
    ];
    let outer = FakeBroker::listen(&folder.join("outer"), answers(outer)).unwrap();
    (outer, inner)
}

/// Runs `flux LINE` in an instance with instances in it.
fn check_nested(line: &str, expect: &str) {
    let folder = tempfile::tempdir().unwrap();
    let (outer, _inner) = nested(folder.path());
    let words: Vec<&str> = line.split_whitespace().collect();
    let env = [
        ("FLUX_URI", outer.uri()),
        ("XDG_CONFIG_DIRS", "/nonexistent".to_owned()),
        ("FLUX_LOCAL_CONNECTOR_RETRY_COUNT", "0".to_owned()),
    ];
    let env = env.iter().map(|(name, value)| (*name, value.as_str()));
    let output = super::run(&env.collect::<Vec<_>>(), &words, "");
    let lines = output.lines().filter(|line| !line.starts_with("hint: "));
    let lines: String = lines.map(|line| format!("{line}\n")).collect();
    assert_eq!(lines, expect, "{line}");
}

#[test]
fn instances_among_the_jobs_are_listed_below() {
    let gone = |id: &str| {
        format!(
            "flux-jobs: ERROR: {id}: Unable to connect to Flux: broker socket \
            /nonexistent/local was not found\n"
        )
    };
    let listed = "ƒ2\nƒ3\n\nƒ2:\nƒ6\n";
    check_nested(
        "jobs -R -no {id}",
        &format!("{listed}-- stderr\n{}", gone("ƒ2/ƒ6")),
    );
    check_nested("jobs -R -L1 -no {id}", listed);
    check_nested(
        "jobs --recurse-all -L1 -no {id}",
        &format!("{listed}-- stderr\n{}", gone("ƒ3")),
    );
    check_nested("jobs -R -L0 -no {id}", "ƒ2\nƒ3\n");
    check_nested(
        "jobs -R -L1 --stats --threads=1 -no {id}",
        "2 running, 0 completed, 0 failed, 0 pending, 0 inactive purged\nƒ2\nƒ3\n\nƒ2:\n\
        1 running, 0 completed, 0 failed, 0 pending, 0 inactive purged\nƒ6\n",
    );
    check_nested(
        "jobs -R --threads=0",
        "-- stderr\nUsage: flux jobs [OPTIONS] [JOBID]...\nflux-jobs: error: invalid value '0' \
        for '--threads <N>': 0 is not in 1..=256\n-- code 2\n",
    );
}

#[test]
fn their_jobs_are_in_the_objects_of_jobs() {
    let folder = tempfile::tempdir().unwrap();
    let (outer, _inner) = nested(folder.path());
    let uri = outer.uri();
    let env = [("FLUX_URI", uri.as_str())];
    let output = super::run(&env, &["jobs", "--json", "-R", "-L1"], "");
    let output: Value = serde_json::from_str(&output).unwrap();
    assert_eq!(output["jobs"][0]["jobs"][0]["id"], 5);
    assert_eq!(output["jobs"][0]["jobs"][0].get("jobs"), None);
    assert_eq!(output["jobs"][1].get("jobs"), None);
}

#[test]
fn ids_and_formats_are_explained_when_that_is_asked() {
    check(
        "jobs -o help",
        listing(jobs(), ""),
        "\nConfigured flux-jobs output formats:\n\n  default      Default flux-jobs format string\n  \
        cute         Cute flux-jobs format string (default with emojis)\n  \
        long         Extended flux-jobs format string\n  \
        deps         Show job urgency, priority, and dependencies\n  \
        endreason    Show why each job became inactive\n",
    );
    check(
        "jobs -o get-config=deps",
        listing(jobs(), ""),
        "[formats.deps]\ndescription = \"Show job urgency, priority, and dependencies\"\n\
        format = \"{id.f58:>12} ?:{queue:<8.8} {name:<10.10+} {urgency:<3} {priority:<12} \
        {state:<8.8} {dependencies}\"\n",
    );
    check(
        "jobs -o x",
        listing(jobs(), ""),
        "-- stderr\nflux-jobs: ERROR: --format: No such format x (Did you mean '{x}'?)\n\
        hint: '-o help' lists the names\n-- code 1\n",
    );
}

#[test]
fn inactive_jobs_are_listed_as_they_are() {
    let asked = |expect: &'static str| {
        move |request: &Message| {
            let object = object_of(request);
            let asked = json!([object["max_entries"], object["since"], object["constraint"]]);
            assert_eq!(asked.to_string(), expect);
            vec![
                answer(request, &json!({"jobs":[{"id":7,"state":64}]})),
                refuse(request, &Refusal::END),
            ]
        }
    };
    let listed = "{\"id\":7,\"state\":64}\n";
    check(
        "job list-inactive",
        asked(r#"[0,0.0,{"states":[64]}]"#),
        listed,
    );
    check(
        "job list-inactive -c 3 --since=1.5",
        asked(r#"[3,1.5,{"states":[64]}]"#),
        listed,
    );
}

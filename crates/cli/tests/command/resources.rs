//! Queues and resources.

use client::Refusal;
use client::fake::{Act, answer, object_of, refuse};
use proto::Errno;
use serde_json::{Value, json};
use wire::Message;

use super::check;

/// R of N ranks with two cores each.
fn r(ranks: &str, hosts: &str, properties: &Value) -> Value {
    json!({"version":1,"execution":{"R_lite":[{"rank":ranks,"children":{"core":"0-1"}}],
        "starttime":0.0,"expiration":0.0,"nodelist":[hosts],"properties":properties}})
}

/// Nothing at all.
fn none() -> Value {
    json!({"version":1,"execution":{"R_lite":[],"starttime":0.0,"expiration":0.0,"nodelist":[]}})
}

/// Answers as an instance of three nodes does, one of them down.
fn instance(request: &Message) -> Vec<Act> {
    let state = json!({"enable":true,"start":true});
    match request.topic() {
        "resource.sched-status" => {
            let all = r("0-2", "n[0-2]", &json!({"big":"2","fast":"1-2"}));
            let down = r("0", "n0", &json!({}));
            let status = json!({"all":all,"down":down,"allocated":none()});
            vec![answer(request, &status)]
        }
        "resource.status" => {
            let all = r("0-2", "n[0-2]", &json!({}));
            let status = json!({"R":all,"drain":{"2":{"timestamp":100.0,"reason":"fan"}},
                "online":"1-2","offline":"0","exclude":"","torpid":""});
            vec![answer(request, &status)]
        }
        "config.get" => vec![answer(
            request,
            &json!({
                "policy":{"limits":{"job-size":{"max":{"ncores":3}}}},
                "queues":{"all":{},"big":{"requires":["big"]}},
            }),
        )],
        "job-manager.queue-list" => vec![answer(request, &json!({"queues":["all","big"]}))],
        "job-manager.queue-status" => vec![answer(request, &state)],
        "resource.journal" => vec![
            answer(
                request,
                &json!({"events":[{"timestamp":1.0,"name":"online","context":{"idset":"0"}}]}),
            ),
            answer(request, &json!({"events":[]})),
            answer(
                request,
                &json!({"events":[{"timestamp":2.5,"name":"drain","context":{"idset":"1"}}]}),
            ),
        ],
        "resource.reload" => {
            assert!(
                object_of(request)["path"]
                    .as_str()
                    .unwrap()
                    .starts_with('/')
            );
            vec![refuse(request, &Refusal::bare(Errno::ENOENT))]
        }
        topic => panic!("{topic}"),
    }
}

#[test]
fn nodes_of_other_queues_stand_in_lines_of_their_own() {
    check(
        "resource list",
        instance,
        "     STATE QUEUE   PROPERTIES NNODES NCORES NGPUS NODELIST\n      \
        free all     fast            1      2     0 n1\n      \
        free all,big fast            1      2     0 n2\n \
        allocated all                     0      0     0 \n \
        allocated big                     0      0     0 \n      \
        down all                     1      2     0 n0\n",
    );
    check(
        "resource list -s all --format={nnodes}:{ngpus}:{nodelist}",
        instance,
        "NNODES:NGPUS:NODELIST\n3:0:n[0-2]\n",
    );
    check(
        "resource list -s allocated -q big -no {queue}:{nnodes}",
        instance,
        "big:0\n",
    );
}

#[test]
fn lines_that_differ_in_nothing_that_is_shown_are_one() {
    check("resource list -no {nnodes}:{ncores}", instance, "3:6\n");
    check(
        "resource list -s all,up,down -no {ranks}",
        instance,
        "0-2\n",
    );
    check(
        "resource list -no {state}:{ranks}",
        instance,
        "free:1-2\nallocated:\ndown:0\n",
    );
    check(
        "resource list -no {queue}:{ranks}",
        instance,
        "all:0-1\nall,big:2\nbig:\n",
    );
    check("resource status -no {nnodes}", instance, "3\n");
    check(
        "resource status -no {up.ascii}:{ranks}",
        instance,
        "y:1-2\nn:0\n",
    );
    check(
        "resource drain -no {nnodes}:{up}:{statex}",
        instance,
        "1:✔:drained\n",
    );
}

#[test]
fn queues_and_hosts_choose_nodes() {
    let list = "resource list -n -s all --format={ranks}";
    check(&format!("{list} -q big"), instance, "2\n");
    check(&format!("{list} -q all -i n[0-1]"), instance, "0-1\n");
    check(
        "resource info -q big",
        instance,
        "1 Nodes, 2 Cores, 0 GPUs\n",
    );
    check(
        "resource info -q other",
        instance,
        "-- stderr\nflux-resource: ERROR: --queue: other: no such queue\n-- code 1\n",
    );
}

#[test]
fn queues_can_be_told_in_letters_and_words() {
    check(
        "queue list -n --format={queue}:{enabled.ascii}{started.ascii}:{submission}:{scheduling}",
        instance,
        "all:yy:enabled:started\nbig:yy:enabled:started\n",
    );
    check(
        "queue list --format={limits.min.ncores}/{limits.max.ncores}/{limits.max.nnodes}",
        instance,
        "MINCORES/MAXCORES/MAXNODES\n0/3/inf\n0/3/inf\n",
    );
}

#[test]
fn nodes_that_are_away_are_marked_in_every_state() {
    check(
        "resource status",
        instance,
        "       STATE UP NNODES NODELIST\n       \
        avail  ✔      1 n1\n      \
        avail*  ✗      1 n0\n     \
        drained  ✔      1 n2\n",
    );
    check(
        "resource status -s offline,drain -n --format={statex}:{up.ascii}:{status}:{reason}:{timestamp!D}",
        instance,
        "offline:n:offline::\ndrain:y:online:fan:1970-01-01T00:01:40\n",
    );
    check(
        "resource drain",
        instance,
        "TIME         STATE    REASON                         NODELIST\n\
        Jan01 00:01  drained  fan                            n2\n",
    );
    check(
        "resource drain -uf 1",
        instance,
        "-- stderr\nflux-resource: ERROR: Only one of --force and --update may be specified\n\
        -- code 1\n",
    );
    check(
        "resource drain -o x",
        instance,
        "-- stderr\nflux-resource: ERROR: --format: No such format x (Did you mean '{x}'?)\n\
        hint: '-o help' lists the names\n-- code 1\n",
    );
}

#[test]
fn limits_of_queues_end_where_their_nodes_do() {
    let format = "{queue}:{limits.range.ncores}:{limits.range.effective.ncores}";
    check(
        &format!("queue list -n --format={format}:{{limits.range.effective.nnodes}}"),
        instance,
        "all:0-3:0-3:0-3\nbig:0-3:0-2:0-1\n",
    );
    check(
        "queue list -o {queue}:{resources.up.nnodes}:{resources.free.ncores}",
        instance,
        "QUEUE:NODES:UP:CORES:FREE\nall:2:4\nbig:1:2\n",
    );
}

#[test]
fn the_event_log_ends_with_the_past_unless_more_is_wanted() {
    check(
        "resource eventlog",
        instance,
        "1.000000 online idset=\"0\"\n",
    );
    check(
        "resource eventlog -T offset -w drain",
        instance,
        "0.000000 online idset=\"0\"\n1.500000 drain idset=\"1\"\n",
    );
    check("resource eventlog -i 1", instance, "");
}

#[test]
fn what_is_refused_has_its_number() {
    check(
        "resource reload some/file",
        instance,
        "-- stderr\nflux-resource: ERROR: [Errno 2] No such file or directory\n-- code 1\n",
    );
}

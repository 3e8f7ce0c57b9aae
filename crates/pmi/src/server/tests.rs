//! The server of PMI, line by line.

use super::*;

fn server(size: usize) -> Server {
    let preset = BTreeMap::from([("flux.instance-level".to_owned(), "1".to_owned())]);
    Server::new("ƒNH", size, preset)
}

fn show(effects: Vec<Effect>) -> String {
    let shown = effects.into_iter().map(|effect| match effect {
        Effect::Reply { task, line, close } => {
            format!(
                "{task}:{}{}",
                line.trim_end(),
                if close { " close" } else { "" }
            )
        }
        Effect::Abort { task, message } => {
            format!("{task}: abort {}", message.as_deref().unwrap_or("-"))
        }
        Effect::Exchange(keys) => {
            let keys = keys.iter().map(|(key, value)| format!("{key}={value}"));
            format!("exchange {}", keys.collect::<Vec<_>>().join(","))
        }
        Effect::Version2 { task } => format!("{task}: version 2"),
        Effect::Malformed { task, line } => format!("{task}: malformed {line}"),
        Effect::Warn(text) => format!("warn {text}"),
    });
    shown.collect::<Vec<_>>().join("; ")
}

/// Task 0 of one sends this; prints the effects.
fn check(said: &str, expect: &str) {
    assert_eq!(show(server(1).receive(0, said.as_bytes())), expect);
}

#[test]
fn the_version_is_1_1_and_no_other() {
    check(
        "cmd=init pmi_version=1 pmi_subversion=1\n",
        "0:cmd=response_to_init rc=0 pmi_version=1 pmi_subversion=1",
    );
    check(
        "cmd=init pmi_version=2 pmi_subversion=0\n",
        "0: version 2; 0:cmd=response_to_init rc=-1",
    );
    check(
        "cmd=init pmi_version=1 pmi_subversion=0\n",
        "0:cmd=response_to_init rc=-1",
    );
}

#[test]
fn a_task_learns_about_its_job() {
    check(
        "cmd=get_maxes\n",
        "0:cmd=maxes rc=0 kvsname_max=64 keylen_max=64 vallen_max=1024",
    );
    check("cmd=get_universe_size\n", "0:cmd=universe_size rc=0 size=1");
    check("cmd=get_appnum\n", "0:cmd=appnum rc=0 appnum=0");
    check("cmd=get_my_kvsname\n", "0:cmd=my_kvsname rc=0 kvsname=ƒNH");
    check(
        "cmd=get kvsname=x key=flux.instance-level\n",
        "0:cmd=get_result rc=0 value=1",
    );
}

#[test]
fn keys_are_kept_with_blanks_in_their_values() {
    check(
        "cmd=put kvsname=x key=k value=a b=c\ncmd=get kvsname=y key=k\n",
        "0:cmd=put_result rc=0; 0:cmd=get_result rc=0 value=a b=c",
    );
    check("cmd=get kvsname=x key=nope\n", "0:cmd=get_result rc=4");
    let long = "k".repeat(64);
    check(
        &format!("cmd=put kvsname=x key={long} value=1\n"),
        "0:cmd=put_result rc=5",
    );
    let long = "v".repeat(1024);
    check(
        &format!("cmd=put kvsname=x key=k value={long}\n"),
        "0:cmd=put_result rc=7",
    );
}

#[test]
fn a_barrier_is_over_when_all_have_come() {
    let mut server = server(2);
    assert_eq!(show(server.receive(1, b"cmd=barrier_in\n")), "");
    assert_eq!(
        show(server.receive(0, b"cmd=barrier_in\n")),
        "0:cmd=barrier_out rc=0; 1:cmd=barrier_out rc=0"
    );
    assert_eq!(show(server.receive(0, b"cmd=barrier_in\n")), "");
}

#[test]
fn nobody_waits_in_a_barrier_for_one_that_broke_off() {
    let mut server = server(3);
    let init = b"cmd=init pmi_version=1 pmi_subversion=1\n";
    let begun = "1:cmd=response_to_init rc=0 pmi_version=1 pmi_subversion=1";
    assert_eq!(show(server.receive(0, b"cmd=barrier_in\n")), "");
    assert_eq!(server.hang_up(2), [], "it has never begun");
    assert_eq!(show(server.receive(1, init)), begun);
    assert_eq!(show(server.hang_up(1)), "0:cmd=barrier_out rc=-1");
    assert_eq!(
        show(server.receive(0, b"cmd=barrier_in\n")),
        "0:cmd=barrier_out rc=-1"
    );
}

#[test]
fn a_task_that_ends_the_job_leaves_the_others_in_their_barrier_until_then() {
    let mut server = server(2);
    let init = b"cmd=init pmi_version=1 pmi_subversion=1\n";
    assert_eq!(server.receive(1, init).len(), 1);
    assert_eq!(show(server.receive(0, b"cmd=barrier_in\n")), "");
    assert_eq!(show(server.receive(1, b"cmd=abort\n")), "1: abort -");
    assert_eq!(server.hang_up(1), []);
}

#[test]
fn one_that_is_started_again_finds_every_barrier_open() {
    let mut server = server(2);
    assert_eq!(show(server.receive(1, b"cmd=barrier_in\ncmd=get")), "");
    server.begin_again(1);
    assert_eq!(
        show(server.receive(1, b"cmd=barrier_in\n")),
        "1:cmd=barrier_out rc=0"
    );
    assert_eq!(show(server.receive(0, b"cmd=barrier_in\n")), "");
}

#[test]
fn what_is_not_served_is_refused_in_kind() {
    check(
        "cmd=publish_name service=a port=b\n",
        "0:cmd=publish_result rc=-1 msg=command not implemented",
    );
    check(
        "mcmd=spawn\nnprocs=1\nexecname=a\nendcmd\n",
        "0:cmd=spawn_result rc=-1",
    );
}

#[test]
fn a_task_may_end_the_job() {
    check("cmd=abort exitcode=1\n", "0: abort -");
    check("cmd=abort exitcode=1 error_msg=no way\n", "0: abort no way");
}

#[test]
fn finalize_closes_and_garbage_is_told() {
    check(
        "cmd=finalize\ncmd=get_appnum\n",
        "0:cmd=finalize_ack rc=0 close",
    );
    check("GET / HTTP/1.1\n", "0: malformed GET / HTTP/1.1; 0: close");
    let mut server = server(1);
    assert_eq!(show(server.receive(0, b"cmd=get_app")), "");
    assert_eq!(
        show(server.receive(0, b"num\n")),
        "0:cmd=appnum rc=0 appnum=0"
    );
    let endless = vec![b'x'; LINE_BYTES_MAX + 1];
    assert!(show(server.receive(0, &endless)).contains("line too long"));
}

/// Keys as the others bring them.
fn keys(words: &[(&str, &str)]) -> Option<BTreeMap<String, String>> {
    let words = words.iter();
    Some(
        words
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect(),
    )
}

fn one_of_two(here: usize) -> Server {
    Server::among("ƒNH", (here, 4), BTreeMap::new())
}

#[test]
fn servers_exchange_what_is_new_since_the_last_barrier() {
    let mut server = one_of_two(1);
    let put = |server: &mut Server, key: &str| {
        let line = format!("cmd=put kvsname=x key={key} value=of {key}\n");
        let ok = "0:cmd=put_result rc=0";
        assert_eq!(show(server.receive(0, line.as_bytes())), ok);
    };
    put(&mut server, "a");
    put(&mut server, "local::b");
    let barrier = b"cmd=barrier_in\n";
    assert_eq!(show(server.receive(0, barrier)), "exchange a=of a");
    let out = "0:cmd=barrier_out rc=0";
    assert_eq!(
        show(server.exchanged(keys(&[("a", "of a"), ("c", "1")]))),
        out
    );
    let get = b"cmd=get kvsname=x key=c\n";
    assert_eq!(
        show(server.receive(0, get)),
        "0:cmd=get_result rc=0 value=1"
    );
    let get = b"cmd=get kvsname=x key=local::b\n";
    let found = "0:cmd=get_result rc=0 value=of local::b";
    assert_eq!(show(server.receive(0, get)), found);
    put(&mut server, "d");
    assert_eq!(show(server.receive(0, barrier)), "exchange d=of d");
    assert_eq!(
        show(server.receive(0, b"cmd=get_universe_size\n")),
        "0:cmd=universe_size rc=0 size=4"
    );
}

#[test]
fn a_barrier_among_servers_fails_for_all_or_for_none() {
    let barrier = b"cmd=barrier_in\n";
    let failed = "0:cmd=barrier_out rc=-1";
    let mut server = one_of_two(1);
    assert_eq!(show(server.receive(0, barrier)), "exchange ");
    assert_eq!(show(server.exchanged(None)), failed);
    assert_eq!(show(server.receive(0, barrier)), failed);
    let mut server = one_of_two(1);
    assert_eq!(show(server.receive(0, barrier)), "exchange ");
    assert_eq!(show(server.exchanged(keys(&[(BROKEN, "")]))), failed);
    let mut server = one_of_two(2);
    let init = b"cmd=init pmi_version=1 pmi_subversion=1\n";
    server.receive(1, init);
    assert_eq!(show(server.receive(0, barrier)), "");
    assert_eq!(show(server.hang_up(1)), format!("{failed}; exchange ="));
    assert_eq!(show(server.exchanged(None)), "");
    assert_eq!(show(server.receive(0, barrier)), failed);
    // One that breaks off while keys are exchanged: the others hear of it next time.
    let mut server = one_of_two(1);
    server.receive(0, init);
    assert_eq!(show(server.receive(0, barrier)), "exchange ");
    assert_eq!(show(server.hang_up(0)), "");
    assert_eq!(show(server.exchanged(keys(&[]))), "exchange =");
}

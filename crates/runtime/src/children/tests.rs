//! Children that close, end and leave things behind, with real processes.

use super::*;

const CHILD: ChildId = ChildId(1);

fn token(_: ChildId, fd: ChildFd) -> u64 {
    fd.number()
}

/// A child of the shell with a pipe as its input.
fn run(line: &str, children: &mut Children, poller: &Poller) {
    let spawn = Spawn {
        argv: ["sh", "-c", line].map(str::to_owned).into(),
        stdin: Stdio::Pipe,
        new_group: true,
        ..Spawn::default()
    };
    let event = children.spawn(CHILD, &spawn, poller, token);
    assert!(matches!(event, ChildEvent::Started { .. }), "{event:?}");
}

#[test]
fn a_child_that_closes_its_input_is_told_once() {
    let (mut children, mut poller) = (Children::default(), Poller::new().unwrap());
    run("exec <&-; exec tail -f /dev/null", &mut children, &poller);
    let ready = poller.wait(None).unwrap();
    let tokens: Vec<u64> = ready.iter().map(|ready| ready.token).collect();
    assert_eq!(tokens, [ChildFd::Stdin.number()]);
    let closed = |bytes| {
        Some(ChildEvent::InputTaken {
            bytes,
            closed: true,
        })
    };
    let told = children.write_input(CHILD, ready[0].readable, &poller, token);
    assert_eq!(told, closed(0));
    assert_eq!(
        poller.wait(Some(std::time::Duration::ZERO)).unwrap().len(),
        0
    );
    assert_eq!(
        children.input(CHILD, b"more", false, &poller, token),
        closed(4)
    );
    children.kill(CHILD, 9, true);
}

#[test]
fn the_output_of_a_child_ends_with_it_whatever_it_leaves_behind() {
    let (mut children, mut poller) = (Children::default(), Poller::new().unwrap());
    // What is left behind has both streams, and ends with our end of the third.
    let spawn = Spawn {
        argv: [
            "sh",
            "-c",
            "exec 3<&0; cat <&3 & head -c 60000 /dev/zero; printf bye",
        ]
        .map(str::to_owned)
        .into(),
        stdin: Stdio::Pipe,
        stdout: Stdio::Pipe,
        stderr: Stdio::Pipe,
        ..Spawn::default()
    };
    children.spawn(CHILD, &spawn, &poller, token);
    let (mut written, mut ends, mut is_ended) = (Vec::new(), Vec::new(), false);
    while ends.len() < 2 || !is_ended {
        for ready in poller.wait(None).unwrap() {
            let events = match ChildFd::from_number(ready.token) {
                ChildFd::Exit => children.reap(CHILD, &poller),
                // It is read late: all of it is in the pipe when the child ends.
                _ if !is_ended => continue,
                which => children.read(CHILD, which, &poller).into_iter().collect(),
            };
            for event in events {
                match event {
                    ChildEvent::Exited { status } => is_ended = status == 0,
                    ChildEvent::Output { stream, data, eof } => {
                        written.extend_from_slice(&data);
                        ends.extend(eof.then_some(stream));
                    }
                    other => panic!("{other:?}"),
                }
            }
        }
    }
    assert_eq!(ends, [StdioFd::Stderr, StdioFd::Stdout]);
    assert_eq!(written.len(), 60_003);
    assert!(written.ends_with(b"bye"));
    assert!(children.running.is_empty());
}

#[test]
fn every_byte_of_input_is_told_once() {
    let (mut children, mut poller) = (Children::default(), Poller::new().unwrap());
    run("exec wc -c", &mut children, &poller);
    let (mut taken, mut is_closed) = (0, false);
    let mut count = |event: Option<ChildEvent>| {
        if let Some(ChildEvent::InputTaken { bytes, closed }) = event {
            (taken, is_closed) = (taken + bytes, closed);
        }
        is_closed
    };
    count(children.input(CHILD, &vec![0; 1 << 20], true, &poller, token));
    'all: loop {
        for ready in poller.wait(None).unwrap() {
            let is_input = ready.token == ChildFd::Stdin.number();
            if is_input && count(children.write_input(CHILD, false, &poller, token)) {
                break 'all;
            }
        }
    }
    assert_eq!(taken, 1 << 20);
}

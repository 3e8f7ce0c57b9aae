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

/// The state of a process in the kernel, once it is no other one than this.
fn wait_for_state(pid: i32, letter: &str) {
    let state = || {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        stat.rsplit_once(") ").unwrap().1[..1].to_owned()
    };
    for _ in 0..10_000 {
        if state() == letter {
            return;
        }
        std::thread::yield_now();
    }
    panic!("process {pid} is {}", state());
}

#[test]
fn a_child_can_be_stopped_as_it_becomes_its_program() {
    let (mut children, mut poller) = (Children::default(), Poller::new().unwrap());
    let spawn = |argv: &[&str]| Spawn {
        argv: argv.iter().map(|word| (*word).to_owned()).collect(),
        stdout: Stdio::Pipe,
        new_group: true,
        stop_at_exec: true,
        ..Spawn::default()
    };
    let event = children.spawn(CHILD, &spawn(&["echo", "here"]), &poller, token);
    let ChildEvent::Started { pid } = event else {
        panic!("{event:?}");
    };
    wait_for_state(pid, "T");
    let name = std::fs::read_link(format!("/proc/{pid}/exe")).unwrap();
    assert!(name.ends_with("echo"), "{name:?}");
    assert_eq!(children.read(CHILD, ChildFd::Stdout, &poller), None);
    children.kill(CHILD, 18, true);
    let mut ended = false;
    while !ended {
        let ready = poller.wait(None).unwrap();
        ended = ready.iter().any(|it| it.token == ChildFd::Exit.number());
    }
    let exited = ChildEvent::Exited { status: 0 };
    assert!(children.reap(CHILD, &poller, token).contains(&exited));
    let event = children.spawn(CHILD, &spawn(&["/nonexistent"]), &poller, token);
    let errno = Errno::ENOENT;
    assert_eq!(event, ChildEvent::Failed { errno });
}

#[test]
fn the_output_of_a_child_ends_with_it_whatever_it_leaves_behind() {
    let (mut children, mut poller) = (Children::default(), Poller::new().unwrap());
    // The process left behind has both streams, and ends with our end of the third.
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
                ChildFd::Exit => children.reap(CHILD, &poller, token),
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

/// A child of the shell on a terminal; its output from its start to its end, after these
/// bytes were typed.
fn on_terminal(line: &str, typed: &[u8], is_paused: bool) -> String {
    let (mut children, mut poller) = (Children::default(), Poller::new().unwrap());
    let size = WinSize { rows: 25, cols: 80 };
    let spawn = Spawn {
        argv: ["sh", "-c", line].map(str::to_owned).into(),
        terminal: Some(size),
        new_group: true,
        ..Spawn::default()
    };
    let event = children.spawn(CHILD, &spawn, &poller, token);
    assert!(matches!(event, ChildEvent::Started { .. }), "{event:?}");
    children.flow(CHILD, is_paused, &poller, token);
    children.input(CHILD, typed, false, &poller, token);
    let (mut shown, mut is_over, mut has_ended) = (Vec::new(), false, false);
    while !is_over {
        for ready in poller.wait(None).unwrap() {
            let events = match ChildFd::from_number(ready.token) {
                ChildFd::Exit => {
                    has_ended = true;
                    let events = children.reap(CHILD, &poller, token);
                    children.flow(CHILD, false, &poller, token);
                    events
                }
                ChildFd::Stdin => Vec::new(),
                which => {
                    assert!(has_ended || !is_paused, "it was read too early");
                    children.read(CHILD, which, &poller).into_iter().collect()
                }
            };
            for event in events {
                if let ChildEvent::Output { data, eof, .. } = event {
                    shown.extend_from_slice(&data);
                    is_over |= eof;
                }
            }
        }
    }
    assert!(children.running.is_empty());
    String::from_utf8(shown).unwrap()
}

#[test]
fn a_terminal_is_all_that_a_child_has() {
    for is_paused in [false, true] {
        let check = |line: &str, typed: &[u8], expect: &str| {
            assert_eq!(on_terminal(line, typed, is_paused), expect, "{line}");
        };
        check("echo a; echo b >&2", b"", "a\r\nb\r\n");
        check(
            "stty size; test -t 0 && tty >/dev/null && echo yes",
            b"",
            "25 80\r\nyes\r\n",
        );
        // It leads a session, and what runs in front is its own group.
        let line = "set -- $(cut -d\" \" -f4-8 /proc/$$/stat); test $3 = $$ -a $5 = $$ && echo yes";
        check(line, b"", "yes\r\n");
        check("read x; echo \"<$x>\"", b"word\r", "word\r\n<word>\r\n");
        // The process left behind holds the terminal, and not its end.
        check(
            "trap \"\" HUP; tail -f /dev/null & echo bye",
            b"",
            "bye\r\n",
        );
    }
}

#[test]
fn a_terminal_is_closed_behind_its_child() {
    let shown = on_terminal("trap \"\" HUP; (cat >/dev/null; :) & echo $!", b"", false);
    let pid = shown.trim();
    // Its input has ended with our end.
    let stat = format!("/proc/{pid}/stat");
    let is_gone = || std::fs::read_to_string(&stat).is_err();
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while !is_gone() {
        assert!(std::time::Instant::now() < deadline, "{pid} is still there");
        std::thread::yield_now();
    }
}

//! Tests of shells forked from a zygote, with real processes: each is a process of its own, and
//! is started even when the zygote has exited.
//!
//! None of them finds its broker, and each logs that with the path that it was given.

#![allow(clippy::unwrap_used, reason = "a test says by panicking what is wrong")]

use std::collections::VecDeque;
use std::fs;
use std::time::Duration;

use node::{ChildEvent, ChildId, Input, Node, Now, Output, Spawn, Stdio};
use runtime::Reactor;
use rustix::process::{Pid, Signal, kill_process};

const SHELL: &str = env!("CARGO_BIN_EXE_flux-shell");

#[derive(Debug, Clone, Copy)]
enum Step {
    /// Ask for a shell.
    Ask,
    /// Wait until the last one has ended.
    Wait,
    /// Send this to the shell that stands ready.
    Signal(Signal),
    /// Send this to the last shell, as its parent does.
    Press(i32),
}
use Step::{Ask, Press, Wait};

/// Messages of a shell.
#[derive(Debug, Default)]
struct Told {
    pid: Option<i32>,
    output: String,
    status: Option<i32>,
    n_open: u8,
}

struct Starter {
    steps: VecDeque<Step>,
    told: Vec<Told>,
    give_up: Duration,
    is_over: bool,
}

impl Node for Starter {
    fn handle(&mut self, now: Now, input: Input) {
        if self.give_up == Duration::ZERO {
            self.give_up = now.mono + Duration::from_secs(60);
        }
        assert!(now.mono < self.give_up, "{:?}", self.told);
        let Input::Child { child, event } = input else {
            return;
        };
        let told = &mut self.told[child.0 as usize];
        match event {
            ChildEvent::Started { pid } => assert_eq!(told.pid.replace(pid), None),
            ChildEvent::Exited { status } => told.status = Some(status),
            ChildEvent::Output { data, eof, .. } => {
                told.output.push_str(std::str::from_utf8(&data).unwrap());
                told.n_open -= u8::from(eof);
            }
            other => panic!("{other:?}"),
        }
    }

    fn poll(&mut self) -> Option<Output> {
        loop {
            let Some(step) = self.steps.front() else {
                let is_over = std::mem::replace(&mut self.is_over, true);
                return (!is_over).then_some(Output::Exit { code: 0 });
            };
            let last = self.told.last();
            match step {
                Wait if last.is_some_and(|it| it.n_open > 0 || it.status.is_none()) => return None,
                Wait => {}
                Step::Signal(signal) => kill_process(ready_one(), *signal).unwrap(),
                Press(signum) => {
                    let (child, signum) = (ChildId(self.told.len() as u64 - 1), *signum);
                    self.steps.pop_front();
                    return Some(Output::Kill {
                        child,
                        signum,
                        group: true,
                    });
                }
                Ask => {
                    self.steps.pop_front();
                    return Some(self.ask());
                }
            }
            self.steps.pop_front();
        }
    }

    fn deadline(&self) -> Option<Duration> {
        Some(self.give_up)
    }
}

impl Starter {
    fn ask(&mut self) -> Output {
        let number = self.told.len();
        self.told.push(Told {
            n_open: 2,
            ..Told::default()
        });
        let uri = format!("local:///no/such/{number}");
        Output::Spawn {
            child: ChildId(number as u64),
            spawn: Box::new(Spawn {
                argv: vec![SHELL.to_owned(), number.to_string()],
                env_add: vec![("FLUX_URI".to_owned(), uri)],
                stdout: Stdio::Pipe,
                stderr: Stdio::Pipe,
                new_group: true,
                zygote: true,
                ..Spawn::default()
            }),
        }
    }
}

/// The shell of ours that stands ready.
fn ready_one() -> Pid {
    let is_it = |pid: &i32| {
        let read = |name| fs::read_to_string(format!("/proc/{pid}/{name}")).unwrap_or_default();
        let parent = format!("\nPPid:\t{}\n", std::process::id());
        read("cmdline").contains("\0--serve\0") && read("status").contains(&parent)
    };
    let processes = fs::read_dir("/proc").unwrap();
    let numbers = processes.filter_map(|it| it.ok()?.file_name().to_str()?.parse().ok());
    let found: Vec<i32> = numbers.filter(is_it).collect();
    assert_eq!(found.len(), 1, "{found:?}");
    Pid::from_raw(found[0]).unwrap()
}

/// Takes the steps; every shell must end with this, and have been told apart.
#[track_caller]
fn check(steps: &[Step], status: &[i32]) {
    let mut starter = Starter {
        steps: steps.iter().copied().collect(),
        told: Vec::new(),
        give_up: Duration::ZERO,
        is_over: false,
    };
    Reactor::new(&mut starter).unwrap().run().unwrap();
    let told = &starter.told;
    let ends: Vec<i32> = told.iter().filter_map(|it| it.status).collect();
    assert_eq!(ends, status, "{told:?}");
    for (number, shell) in told
        .iter()
        .enumerate()
        .filter(|(_, it)| it.status == Some(FAILED))
    {
        let want =
            format!("flux-shell: cannot connect to /no/such/{number}: No such file or directory\n");
        assert_eq!(shell.output, want);
    }
    let mut pids: Vec<i32> = told.iter().filter_map(|it| it.pid).collect();
    pids.sort_unstable();
    pids.dedup();
    assert_eq!(pids.len(), status.len(), "{told:?}");
}

const FAILED: i32 = 1 << 8;

#[test]
fn a_shell_is_started_also_when_the_one_that_stands_ready_is_gone() {
    let (kill, stop) = (Step::Signal(Signal::KILL), Step::Signal(Signal::STOP));
    check(&[Ask, Wait, Ask, Wait, Ask, Wait], &[FAILED; 3]);
    check(&[Ask, Wait, kill, Ask, Wait, Ask, Wait], &[FAILED; 3]);
    // It never sees the second request.
    check(&[Ask, Wait, stop, Ask, kill, Wait, Ask, Wait], &[FAILED; 3]);
    // A signal that comes before the shell reaches it all the same.
    check(&[Ask, Wait, stop, Ask, Press(9), kill, Wait], &[FAILED, 9]);
}

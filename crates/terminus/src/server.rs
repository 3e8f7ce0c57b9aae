//! The server of a user's own: `UID-terminus`, on the broker where it was started. It ends with
//! its last session.

use node::{ChildEvent, ChildId, Cx, Host, Module, Output, Routes, Sink, StreamId};
use proto::{Errno, Refusal, service};

use crate::limits::FIRST_SESSION_WAIT;
use crate::sessions::{self, Here, Sessions, Terminals};

/// The server.
pub struct Server {
    sessions: Sessions,
    shell: Option<String>,
}

/// Signals that end it.
const ENDING: [i32; 4] = [1, 2, 3, 15];

/// Message when it accepts requests.
pub const READY: &str = "ready";

impl Server {
    fn end_if_idle(&mut self, cx: &mut Cx<Self>) {
        if self.sessions.is_empty() {
            cx.exit_with(0);
        }
    }
}

/// Sends a line to the program that started us, once.
fn print(cx: &mut Cx<Server>, line: &str) {
    let (to, line) = (Sink::Stderr, line.to_owned());
    cx.output(Output::Log { to, line });
}

impl Terminals for Server {
    fn terminals(&mut self) -> Option<&mut Sessions> {
        Some(&mut self.sessions)
    }

    fn here(&self) -> Here {
        Here {
            shell: self.shell.clone(),
            ..Here::default()
        }
    }

    fn complain(&mut self, _: &mut Cx<Self>, message: &str) {
        tracing::error!("{message}");
    }

    fn session_ended(&mut self, cx: &mut Cx<Self>) {
        self.end_if_idle(cx);
    }
}

impl Host for Server {
    const NAME: &'static str = "terminus";
    type Worker = ();

    fn closed(&mut self, cx: &mut Cx<Self>, request: StreamId) {
        self.sessions.closed(cx, request);
    }

    fn child(&mut self, cx: &mut Cx<Self>, child: ChildId, event: ChildEvent) {
        sessions::child(self, cx, child, &event);
    }

    fn signal(&mut self, cx: &mut Cx<Self>, signum: i32) {
        if ENDING.contains(&signum) {
            self.sessions.close(cx);
            self.end_if_idle(cx);
        }
    }

    fn broker_lost(&mut self, cx: &mut Cx<Self>) {
        // Processes end with us.
        cx.exit_with(1);
    }
}

impl Module for Server {
    fn routes() -> Routes<Self> {
        sessions::routes(Routes::new())
    }

    /// With `SERVICE UID RANK [SHELL]`.
    fn start(cx: &mut Cx<Self>) -> Result<Self, Refusal> {
        let args = cx.welcome().args.clone().unwrap_or_default();
        let usage = || Refusal::new(Errno::EINVAL, "Usage: flux-terminus-server SERVICE RANK");
        let [name, uid, rank, shell @ ..] = &args[..] else {
            return Err(usage());
        };
        let number = |text: &String| text.parse::<u32>().map_err(|_| usage());
        let (uid, rank) = (number(uid)?, number(rank)?);
        cx.set_name(name);
        let service = name.clone();
        cx.call(&service::Add { service }, |_, cx, result| match result {
            Ok(_) => print(cx, READY),
            Err(error) => {
                print(cx, &error.to_string());
                cx.exit_with(1);
            }
        });
        cx.timer(FIRST_SESSION_WAIT, |core: &mut Server, cx| {
            core.end_if_idle(cx);
        });
        Ok(Server {
            sessions: Sessions::new(uid, name.clone(), rank, cx.now().wall),
            shell: shell.first().cloned(),
        })
    }
}

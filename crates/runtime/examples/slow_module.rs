//! A module whose one method, `slow.hold`, holds its loop for 20 ms, for the test of `flux lint rfc9`.

use std::process::ExitCode;
use std::time::Duration;

use node::{Cx, Host, Module, Routes};
use proto::{Refusal, Role};
use wire::Message;

struct Slow;

impl Host for Slow {
    const NAME: &'static str = "slow";
    type Worker = ();
}

impl Module for Slow {
    fn routes() -> Routes<Self> {
        Routes::new().raw("slow.hold", Role::USER, hold)
    }

    fn start(_: &mut Cx<Self>) -> Result<Self, Refusal> {
        Ok(Slow)
    }
}

fn hold(_: &mut Slow, cx: &mut Cx<Slow>, request: Message) {
    std::thread::sleep(Duration::from_millis(20));
    let response = Message::respond_to(&request, 0, bytes::Bytes::new());
    cx.send(response);
}

fn main() -> ExitCode {
    runtime::module_main::<Slow>(|| ())
}

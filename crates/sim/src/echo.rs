//! A module that answers in every way there is: at once, later, many times.

use std::time::Duration;

use node::{Cx, Host, Module, Peer, Reply, Routes, Stream};
use proto::schema::JsonSchema;
use proto::{Never, Refusal};
use serde::{Deserialize, Serialize};

/// Asks to be answered at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Once {
    /// Comes back.
    pub n: u64,
}

/// Asks to be answered some milliseconds later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Later {
    /// Comes back; its last digit is the delay.
    pub n: u64,
}

/// Asks for `n` modulo 5 answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Count {
    /// Comes back each time.
    pub n: u64,
}

/// The number that was sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Number {
    /// As it was.
    pub n: u64,
}

proto::json_payloads!(Once, Later, Count, Number);

proto::methods! {
    Once = "echo.once" (USER) => Number, Never : "Answers at once.";
    Later = "echo.later" (USER) => Number, Never, Later : "Answers later.";
    Count = "echo.count" (USER) => Number, Refusal, Stream : "Answers several times.";
}

/// The module.
pub struct Echo;

impl Host for Echo {
    const NAME: &'static str = "echo";
    type Worker = ();
}

impl Module for Echo {
    fn routes() -> Routes<Echo> {
        Routes::new()
            .on::<Once>(once)
            .later::<Later>(later)
            .stream::<Count>(count)
    }

    fn start(_cx: &mut Cx<Echo>) -> Result<Echo, Refusal> {
        Ok(Echo)
    }
}

fn once(_: &mut Echo, _: &mut Cx<Echo>, _: &Peer, req: Once) -> Result<Number, Never> {
    Ok(Number { n: req.n })
}

fn later(_: &mut Echo, cx: &mut Cx<Echo>, _: &Peer, req: Later, reply: Reply<Later>) {
    cx.timer(Duration::from_millis(req.n % 10), move |_, cx| {
        reply.send(cx, Ok(Number { n: req.n }));
    });
}

fn count(_: &mut Echo, cx: &mut Cx<Echo>, _: &Peer, req: Count, mut stream: Stream<Count>) {
    for _ in 0..req.n % 5 {
        stream.send(cx, &Number { n: req.n });
    }
    stream.end(cx, Ok(()));
}

//! Programs on the local socket that ask all the time, and the checkers of their
//! responses: every request one final answer, streams one end, answers in order, and no
//! failure of a request that may be repeated.

use std::collections::{BTreeMap, VecDeque};

use proto::Payload;
use wire::{Flags, Kind, Message};

use crate::echo::{Count, Later, Number, Once};
use crate::program::Program;
use crate::rng::Rng;

/// Request of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    /// May be repeated by the broker: must never fail.
    Ping,
    /// Answered at once.
    Once,
    /// Answered later.
    Later,
    /// Answered several times.
    Count,
}

/// One request without a final answer.
#[derive(Debug)]
struct Waiting {
    ask: Ask,
    n: u64,
    answers: u64,
}

/// One program.
#[derive(Debug, Default)]
pub struct Client {
    waiting: BTreeMap<u32, Waiting>,
    /// Tags of `echo.once` in the order sent, for the order checker.
    once_sent: VecDeque<u32>,
    last_tag: u32,
    answered: u64,
    failed: u64,
}

impl Program for Client {
    fn name(&self) -> &str {
        "client"
    }

    fn ask(&mut self, rng: &mut Rng, load: bool) -> Option<Message> {
        load.then(|| self.next_request(rng))
    }

    fn take(&mut self, message: &Message) -> Vec<Message> {
        self.receive_response(message);
        Vec::new()
    }

    fn cut(&mut self) {
        self.waiting.clear();
        self.once_sent.clear();
    }

    fn is_done(&self) -> bool {
        self.waiting.is_empty()
    }

    fn answered(&self) -> u64 {
        self.answered
    }

    fn failed(&self) -> u64 {
        self.failed
    }
}

impl Client {
    fn next_request(&mut self, rng: &mut Rng) -> Message {
        let ask = [Ask::Ping, Ask::Once, Ask::Later, Ask::Count][rng.below(4)];
        self.last_tag += 1;
        let (tag, n) = (self.last_tag, u64::from(self.last_tag));
        let (topic, payload) = match ask {
            Ask::Ping => ("echo.ping", bytes::Bytes::from_static(b"{}\0")),
            Ask::Once => ("echo.once", Once { n }.encode()),
            Ask::Later => ("echo.later", Later { n }.encode()),
            Ask::Count => ("echo.count", Count { n }.encode()),
        };
        let mut request = Message::request(topic, tag);
        request.set_payload(payload);
        request.set_flag(Flags::STREAMING, ask == Ask::Count);
        self.waiting.insert(tag, Waiting { ask, n, answers: 0 });
        if ask == Ask::Once {
            self.once_sent.push_back(tag);
        }
        request
    }

    fn receive_response(&mut self, response: &Message) {
        let Kind::Response { errnum, matchtag } = response.kind else {
            panic!("a client got {:?}", response.kind);
        };
        assert_eq!(response.n_routes(), 0, "routes are left on {response:?}");
        assert_ne!(
            response.rolemask.0, 0,
            "an answer without a role: {response:?}"
        );
        let Some(waiting) = self.waiting.get_mut(&matchtag) else {
            panic!("a second final answer, or one that nobody asked for: {response:?}");
        };
        let streaming = waiting.ask == Ask::Count;
        assert_eq!(response.has(Flags::STREAMING), streaming, "{response:?}");
        if errnum == 0 && waiting.ask != Ask::Ping {
            let number = Number::decode(response.payload()).expect("a number comes back");
            assert_eq!(number.n, waiting.n, "an answer to another request");
        }
        waiting.answers += 1;
        if response.ends_rpc() {
            self.finish(errnum, matchtag);
        }
    }

    fn finish(&mut self, errnum: u32, tag: u32) {
        let Some(waiting) = self.waiting.remove(&tag) else {
            return;
        };
        let ended_well = match waiting.ask {
            Ask::Count => errnum == wire::Errno::ENODATA.0,
            _ => errnum == 0,
        };
        self.answered += 1;
        self.failed += u64::from(!ended_well);
        assert!(
            ended_well || waiting.ask != Ask::Ping,
            "a ping failed with {errnum}"
        );
        if waiting.ask == Ask::Count && ended_well {
            assert_eq!(waiting.answers, waiting.n % 5 + 1, "a stream lost answers");
        }
        if waiting.ask == Ask::Once {
            self.check_order(tag, errnum);
        }
    }

    /// Answers of one service to one client come in the order of its requests. A refusal
    /// by the broker may overtake messages that are still held.
    fn check_order(&mut self, tag: u32, errnum: u32) {
        if errnum == 0 {
            let earlier = self
                .once_sent
                .iter()
                .take_while(|sent| **sent != tag)
                .count();
            assert_eq!(
                earlier, 0,
                "request {tag} was answered before {earlier} earlier ones"
            );
        }
        self.once_sent.retain(|sent| *sent != tag);
    }
}

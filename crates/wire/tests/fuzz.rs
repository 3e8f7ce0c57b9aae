//! A bounded run of the fuzz target on stable: real messages, damaged at random.

use bytes::Bytes;
use wire::{Flags, Identity, Message, Socket, encode, encode_hello, encode_stream, encode_zmtp};

#[path = "../fuzz/body.rs"]
mod body;

/// Damaged messages in one run.
const CASES: u32 = 100_000;

/// SplitMix64: the same cases each time.
struct Rng(u64);

impl Rng {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((word ^ (word >> 31)) % n as u64) as usize
    }
}

fn corpus() -> Vec<Vec<u8>> {
    let mut request = Message::request("job-manager.kill", 7);
    request.set_payload(Bytes::from_static(b"{\"id\":1,\"signum\":15}\0"));
    let mut routed = request.clone();
    for name in ["client", "connector", "broker"] {
        routed.push_route(Identity::new(name).expect("valid"));
    }
    let mut long = Message::event("kvs.namespace-primary-setroot");
    long.set_payload(Bytes::from(vec![b'x'; 700]));
    long.set_flag(Flags::PRIVATE, true);
    let mut corpus: Vec<Vec<u8>> = [&request, &routed, &long].map(encode).into();
    let mut stream = Vec::new();
    encode_stream(&request, &mut stream);
    encode_stream(&routed, &mut stream);
    corpus.push(stream);
    let mut frames = Vec::new();
    encode_zmtp(&request, &mut frames);
    encode_zmtp(&long, &mut frames);
    corpus.push(frames.clone());
    let mut connection = Vec::new();
    encode_hello(Socket::Dealer, b"kvs", &mut connection);
    corpus.push([connection, frames].concat());
    corpus
}

#[test]
fn damaged_messages_do_no_harm() {
    let corpus = corpus();
    let mut rng = Rng(1);
    for _ in 0..CASES {
        let mut bytes = corpus[rng.below(corpus.len())].clone();
        for _ in 0..=rng.below(4) {
            let at = rng.below(bytes.len());
            match rng.below(4) {
                0 => bytes[at] = rng.below(256) as u8,
                1 => bytes[at] = 0xff,
                2 => bytes.truncate(at.max(1)),
                _ => bytes.insert(at, rng.below(256) as u8),
            }
        }
        body::check(&bytes);
    }
}

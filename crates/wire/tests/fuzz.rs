//! A bounded run of the fuzz target on stable: real messages, damaged at random.

use bytes::Bytes;
use wire::{Flags, Identity, Message, Socket, encode, encode_hello, encode_stream, encode_zmtp};

#[path = "../fuzz/body.rs"]
mod body;

/// Damaged messages in one run.
const CASES: u32 = 100_000;

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
    // The same cases each time.
    let mut rng = fastrand::Rng::with_seed(1);
    for _ in 0..CASES {
        let mut bytes = corpus[rng.usize(..corpus.len())].clone();
        for _ in 0..=rng.usize(..4) {
            let at = rng.usize(..bytes.len());
            match rng.usize(..4) {
                0 => bytes[at] = rng.u8(..),
                1 => bytes[at] = 0xff,
                2 => bytes.truncate(at.max(1)),
                _ => bytes.insert(at, rng.u8(..)),
            }
        }
        body::check(&bytes);
    }
}

//! Checks on any bytes: decoding never panics, a decoded message encodes to one that
//! decodes to the same, and a stream gives the same messages as its parts.

use bytes::Bytes;
use wire::{Socket, StreamDecoder, ZmtpDecoder, decode, encode, encode_hello, encode_stream};

/// Panics when the decoders do wrong with `data`.
pub fn check(data: &[u8]) {
    if let Ok(message) = decode(Bytes::copy_from_slice(data)) {
        let again = decode(Bytes::from(encode(&message)));
        assert_eq!(again.as_ref(), Ok(&message), "encoding changed a message");
        let mut stream = Vec::new();
        encode_stream(&message, &mut stream);
        let mut decoder = StreamDecoder::default();
        let (head, tail) = stream.split_at(stream.len() / 2);
        decoder.push(head).expect("memory");
        assert_eq!(decoder.next_message(), Ok(None), "half a message is none");
        decoder.push(tail).expect("memory");
        assert_eq!(decoder.next_message(), Ok(Some(message)));
    }
    let mut decoder = StreamDecoder::default();
    for chunk in data.chunks(7) {
        decoder.push(chunk).expect("memory");
        while let Ok(Some(_)) = decoder.next_message() {}
    }
    // As a connection, and as what comes once the handshake is done.
    let mut hello = Vec::new();
    encode_hello(Socket::Dealer, b"fuzz", &mut hello);
    for begin in [&[][..], &hello] {
        let mut decoder = ZmtpDecoder::new(Socket::Router);
        decoder.push(begin).expect("memory");
        for chunk in data.chunks(7) {
            decoder.push(chunk).expect("memory");
            while let Ok(Some(_)) = decoder.next_arrived() {}
        }
    }
}

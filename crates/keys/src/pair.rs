//! A key pair, and how keys are written: 40 characters of Z85 (ZeroMQ RFC 32).

use std::fmt;

use x25519_dalek::{PublicKey as Point, StaticSecret};

/// Bytes of a key.
const KEY_BYTES: usize = 32;

/// Characters of a key as text.
const KEY_CHARS: usize = 40;

/// The part of a key pair that everybody may know.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PublicKey([u8; KEY_BYTES]);

/// A key pair. Its debug output and its errors do not show the secret.
#[derive(Clone)]
pub struct KeyPair {
    secret: StaticSecret,
    public: PublicKey,
}

impl KeyPair {
    /// A pair that nobody has had before, from the randomness of the system.
    ///
    /// # Errors
    /// The system gives no random bytes.
    pub fn new() -> std::io::Result<KeyPair> {
        let mut bytes = [0; KEY_BYTES];
        getrandom::fill(&mut bytes).map_err(|error| std::io::Error::other(error.to_string()))?;
        Ok(KeyPair::from_secret(bytes))
    }

    /// The pair that this secret belongs to.
    fn from_secret(bytes: [u8; KEY_BYTES]) -> KeyPair {
        let secret = StaticSecret::from(bytes);
        let public = PublicKey(Point::from(&secret).to_bytes());
        KeyPair { secret, public }
    }

    /// Reads a secret key in Z85.
    pub(crate) fn from_text(secret: &str) -> Option<KeyPair> {
        bytes_of(secret).map(KeyPair::from_secret)
    }

    /// Public key.
    pub fn public(&self) -> PublicKey {
        self.public
    }

    /// Secret key, in Z85.
    pub fn secret_text(&self) -> String {
        z85::encode(self.secret.to_bytes())
    }
}

impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyPair({})", self.public)
    }
}

impl PublicKey {
    /// Reads a key in Z85; `None` if it is none.
    pub fn parse(text: &str) -> Option<PublicKey> {
        bytes_of(text).map(PublicKey)
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&z85::encode(self.0))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({self})")
    }
}

fn bytes_of(text: &str) -> Option<[u8; KEY_BYTES]> {
    if text.len() != KEY_CHARS {
        return None;
    }
    z85::decode(text).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_is_that_of_the_worked_example_of_zeromq() {
        // The keys of the manual page of zmq_curve(7).
        let pair = KeyPair::from_text("D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs").unwrap();
        assert_eq!(
            pair.public().to_string(),
            "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID"
        );
        assert_eq!(
            pair.secret_text(),
            "D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs"
        );
    }

    #[test]
    fn no_two_are_the_same_and_none_shows_its_secret() {
        let (one, other) = (KeyPair::new().unwrap(), KeyPair::new().unwrap());
        assert_ne!(one.public(), other.public());
        assert!(!format!("{one:?}").contains(&one.secret_text()));
    }

    #[test]
    fn what_is_no_key_is_none() {
        for text in [
            "",
            "short",
            &"\"".repeat(40),
            &"a".repeat(41),
            &"ä".repeat(20),
        ] {
            assert_eq!(PublicKey::parse(text), None, "{text}");
        }
        let key = KeyPair::new().unwrap().public();
        assert_eq!(PublicKey::parse(&key.to_string()), Some(key));
    }
}

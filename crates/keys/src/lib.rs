//! Certificates: the key pairs by which the brokers of an instance know each other
//! (CURVE, protocol/20 section 3).
//!
//! A broker that a launcher starts makes a [`KeyPair`] for its life; brokers that find each
//! other by a configuration share one from a file that `flux keygen` wrote. Must never
//! print a secret key but into such a file. Read on in `pair.rs` and `file.rs`.

mod file;
mod pair;

pub use file::{Certificate, LoadError};
pub use pair::{KeyPair, PublicKey};

//! A broker's card: the data by which others reach it, in the form of PMI (protocol/20
//! section 11).

use serde::{Deserialize, Serialize};

/// One broker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Card {
    /// Name of its host.
    pub host: String,
    /// Addresses on which it listens for children; empty if it has none.
    #[serde(default)]
    pub uri: Vec<String>,
    /// Public key, in Z85.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pubkey: Option<String>,
}

impl Card {
    /// As text, which PMI can carry.
    pub fn encode(&self) -> String {
        serde_json::json!(self).to_string()
    }

    /// Decodes the card of another broker.
    ///
    /// # Errors
    /// Not a card; the text names the broker.
    pub fn decode(rank: u32, text: &str) -> anyhow::Result<Card> {
        let card = serde_json::from_str(text);
        card.map_err(|error| anyhow::anyhow!("the card of rank {rank} cannot be read: {error}"))
    }

    /// Where a child reaches this broker: within a host by its socket there, if it has one.
    pub fn endpoint(&self, is_here: bool) -> Option<&str> {
        let ipc = self.uri.iter().find(|uri| uri.starts_with("ipc://"));
        let other = self.uri.iter().find(|uri| !uri.starts_with("ipc://"));
        let uri = if is_here { ipc.or(other) } else { other };
        uri.map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(uri: &[&str], is_here: bool, expect: Option<&str>) {
        let card = Card {
            host: "h".to_owned(),
            uri: uri.iter().map(|uri| (*uri).to_owned()).collect(),
            pubkey: None,
        };
        assert_eq!(card.endpoint(is_here), expect);
    }

    #[test]
    fn within_a_host_its_socket_is_nearer() {
        check(&["tcp://1.2.3.4:5", "ipc:///x"], true, Some("ipc:///x"));
        check(
            &["tcp://1.2.3.4:5", "ipc:///x"],
            false,
            Some("tcp://1.2.3.4:5"),
        );
        check(&["tcp://1.2.3.4:5"], true, Some("tcp://1.2.3.4:5"));
        check(&["ipc:///x"], false, None);
        check(&[], true, None);
    }

    #[test]
    fn cards_are_those_that_others_read() {
        let text = r#"{"host":"vm","uri":["ipc:///run/tbon-0"],"pubkey":"abc"}"#;
        assert_eq!(Card::decode(0, text).unwrap().encode(), text);
        let leaf = Card::decode(1, r#"{"host":"vm"}"#).unwrap();
        assert_eq!(leaf.encode(), r#"{"host":"vm","uri":[]}"#);
        let error = Card::decode(3, "x").unwrap_err().to_string();
        assert!(
            error.starts_with("the card of rank 3 cannot be read"),
            "{error}"
        );
    }
}

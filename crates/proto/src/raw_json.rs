//! A JSON value that is only passed on: kept as the text it came as.

use std::fmt;

use serde::de::DeserializeOwned;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

/// The text of one JSON value. Equal texts are equal values, not the other way round.
#[derive(Clone, PartialEq, Eq)]
pub struct RawJson(Box<str>);

impl RawJson {
    /// Keeps a text after checking that it is one JSON value.
    pub fn new(text: &str) -> Result<RawJson, serde_json::Error> {
        let raw: &RawValue = serde_json::from_str(text)?;
        Ok(RawJson(raw.get().into()))
    }

    /// The text of a value in compact form.
    pub fn of(value: &impl Serialize) -> Result<RawJson, serde_json::Error> {
        serde_json::to_string(value).map(|text| RawJson(text.into()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The value as a type.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_str(&self.0)
    }
}

/// `null`.
impl Default for RawJson {
    fn default() -> RawJson {
        RawJson("null".into())
    }
}

impl fmt::Debug for RawJson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for RawJson {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let raw: &RawValue = serde_json::from_str(&self.0).map_err(S::Error::custom)?;
        raw.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for RawJson {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw: Box<RawValue> = Box::deserialize(deserializer)?;
        Ok(RawJson(raw.get().into()))
    }
}

crate::schema::schema_by_hand!(RawJson, "RawJson", inline, { "description": "Any JSON value, passed on as it is." });

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Holder {
        inner: RawJson,
    }

    #[test]
    fn a_value_goes_out_as_it_came_in() {
        let text = r#"{"inner":{"b":1.50,"a":[ 1 ]}}"#;
        let holder: Holder = serde_json::from_str(text).unwrap();
        assert_eq!(holder.inner.as_str(), r#"{"b":1.50,"a":[ 1 ]}"#);
        assert_eq!(serde_json::to_string(&holder).unwrap(), text);
    }

    #[test]
    fn text_that_is_no_json_is_refused() {
        assert!(RawJson::new("{").is_err());
        assert!(RawJson::new("1 2").is_err());
        assert!(serde_json::from_str::<Holder>(r#"{"inner":}"#).is_err());
    }
}

//! JSON schemas of payloads, from which `doc/rpc` is printed: only with the feature
//! `schema`. Deriving one for every type would add half to the time that this crate
//! takes to compile, so all other builds derive nothing.

#[cfg(feature = "schema")]
pub use schemars::{self, JsonSchema, Schema};

#[cfg(not(feature = "schema"))]
pub use no_schema::JsonSchema;

/// The schema of a type. Without the feature there is none.
#[cfg(not(feature = "schema"))]
#[derive(Debug, Clone, Copy)]
pub enum Schema {}

/// The schema of `T`; `None` without the feature.
#[cfg(feature = "schema")]
pub fn of<T: JsonSchema>() -> Option<Schema> {
    Some(schemars::schema_for!(T))
}

/// The schema of `T`; `None` without the feature.
#[cfg(not(feature = "schema"))]
pub fn of<T>() -> Option<Schema> {
    None
}

/// Gives a type that has a wire form of its own the schema of that form, written as JSON
/// wherever it is used (`inline`) or once under a name (`named`).
macro_rules! schema_by_hand {
    ($type:ty, $name:literal, inline, $schema:tt) => {
        $crate::schema::schema_by_hand!(@ $type, $name, true, $schema);
    };
    ($type:ty, $name:literal, named, $schema:tt) => {
        $crate::schema::schema_by_hand!(@ $type, $name, false, $schema);
    };
    (@ $type:ty, $name:literal, $inline:literal, $schema:tt) => {
        #[cfg(feature = "schema")]
        impl schemars::JsonSchema for $type {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                $name.into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!($schema)
            }

            fn inline_schema() -> bool {
                $inline
            }
        }
    };
}

pub(crate) use schema_by_hand;

//! The wire form of enums and bit sets that are one integer in JSON.

/// Gives a type the wire form of an integer, through `$to` and the checking `$from`.
macro_rules! number_on_the_wire {
    ($type:ty, $name:literal, $repr:ty, $what:literal, $to:expr, $from:expr) => {
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let to: fn(&$type) -> $repr = $to;
                serde::Serialize::serialize(&to(self), serializer)
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let number = <$repr as serde::Deserialize>::deserialize(from)?;
                let checked: fn($repr) -> Option<$type> = $from;
                checked(number).ok_or_else(|| {
                    serde::de::Error::custom(format_args!("{number} is not {}", $what))
                })
            }
        }

        $crate::schema::schema_by_hand!($type, $name, inline, { "type": "integer", "description": $what });
    };
}

pub(super) use number_on_the_wire;

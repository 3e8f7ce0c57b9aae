//! Names of node properties (RFC 20, RFC 31): forbidden characters.

/// Characters that the constraint syntax uses.
const FORBIDDEN: &[char] = &['!', '&', '\'', '"', '^', '`', '|', '(', ')'];

/// A property name with a forbidden character.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid character in property '{0}'")]
pub struct InvalidProperty(pub String);

/// Refuses a property name of a resource set that has a character of the constraint syntax.
pub fn check_property(name: &str) -> Result<(), InvalidProperty> {
    if name.is_empty() || name.contains(FORBIDDEN) {
        return Err(InvalidProperty(name.to_owned()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_may_not_contain_the_constraint_syntax() {
        for name in ["batch", "+local", "a.b-c_d@e", "a<b"] {
            assert_eq!(check_property(name), Ok(()), "{name}");
        }
        for name in [
            "", "!a", "a&b", "a'b", "a\"b", "^a", "a`b", "a|b", "(a", "a)",
        ] {
            let text = format!("invalid character in property '{name}'");
            assert_eq!(check_property(name).unwrap_err().to_string(), text);
        }
    }
}

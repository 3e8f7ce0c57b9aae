//! A chain of plugins that cannot be made: in Flux its worker processes end at once, and
//! every job is refused until the configuration changes.

/// Error of building a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// Error text of the program that runs it, behind its name.
    pub text: String,
    /// The code with which it would end.
    pub code: u8,
}

impl Broken {
    /// No plugin of this name; `kind` is `validator` or `frobnicator`.
    pub(crate) fn no_plugin(kind: &str, name: &str) -> Broken {
        Broken {
            text: format!("CRITICAL: {kind} plugin '{name}' not found"),
            code: 1,
        }
    }

    /// An argument that no plugin takes, or not with this value.
    pub(crate) fn argument(text: impl Into<String>) -> Broken {
        Broken {
            text: format!("error: {}", text.into()),
            code: 2,
        }
    }
}

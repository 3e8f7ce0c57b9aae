//! Contents of an error response: an error number and, often, a sentence.

use std::borrow::Cow;

pub use wire::Errno;
use wire::Message;

use crate::delivery::{Outcome, Stopped};

/// A failed call, as seen by the caller. Also used directly by a handler where an enum of
/// its own would add nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Error number, never 0.
    pub errno: Errno,
    /// A sentence for the user; without one, clients print the number's own text.
    pub text: Option<Cow<'static, str>>,
    /// Outcome of the request, if it was not answered by the service.
    pub stopped: Option<Stopped>,
}

impl Refusal {
    /// A refusal with the number's own text.
    pub const fn bare(errno: Errno) -> Refusal {
        Refusal {
            errno,
            text: None,
            stopped: None,
        }
    }

    /// A refusal with a sentence of its own.
    pub fn new(errno: Errno, text: impl Into<Cow<'static, str>>) -> Refusal {
        Refusal {
            errno,
            text: Some(text.into()),
            stopped: None,
        }
    }

    /// A refusal by which this program itself ends a call.
    pub const fn stopped(errno: Errno, outcome: Outcome) -> Refusal {
        Refusal {
            errno,
            text: None,
            stopped: Some(Stopped::here(outcome)),
        }
    }

    /// Decodes a response with this error number.
    pub fn of_response(errnum: u32, response: &Message) -> Refusal {
        let errno = Errno(errnum);
        let stopped = response.error_note().and_then(|note| note.parse().ok());
        let text = response.error_text().filter(|text| {
            // Put there only because something had to stand before what is behind it.
            stopped.is_none() || *text != errno.to_string()
        });
        Refusal {
            errno,
            text: text.map(|text| text.to_owned().into()),
            stopped,
        }
    }

    /// Outcome of the request. A service that refuses a request has handled it.
    pub fn outcome(&self) -> Outcome {
        self.stopped
            .map_or(Outcome::Delivered, |stopped| stopped.outcome)
    }

    /// The normal end of a stream (RFC 6).
    pub const END: Refusal = Refusal::bare(Errno::ENODATA);

    /// True if the error is temporary, such as a full queue: a later try may succeed.
    pub fn may_pass(&self) -> bool {
        matches!(
            self.errno,
            Errno::ENOSPC | Errno::EIO | Errno::EROFS | Errno::ENOMEM | Errno::EAGAIN
        )
    }

    /// True if no service handled it: there is none, or it ended before. Nothing was done, and
    /// once it is loaded again the same may succeed.
    pub fn is_absence_of_service(&self) -> bool {
        self.errno == Errno::ENOSYS
    }

    /// True if this is the normal end of a stream.
    pub fn is_end(&self) -> bool {
        self.errno == Errno::ENODATA
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.text {
            Some(text) => f.write_str(text),
            None => write!(f, "{}", self.errno),
        }
    }
}

impl std::error::Error for Refusal {}

/// One row of the error registry, printed into `doc/errors.md`.
#[derive(Debug, Clone, Copy)]
pub struct DeclaredError {
    /// Variant's name.
    pub name: &'static str,
    /// Error number it travels as.
    pub errno: Errno,
    /// Text, with `{0}` where a value goes; empty for the number's own text.
    pub text: &'static str,
}

/// An error enum whose variants have stable numbers and texts. Made by [`refusals!`](crate::refusals).
pub trait Coded: std::fmt::Debug {
    /// Every variant, for the registry.
    const ALL: &'static [DeclaredError];
    /// Error number and text to send.
    fn refusal(&self) -> Refusal;
}

/// Methods that answer a plain [`Refusal`] promise no particular errors.
impl Coded for Refusal {
    const ALL: &'static [DeclaredError] = &[];
    fn refusal(&self) -> Refusal {
        self.clone()
    }
}

/// A method that cannot fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Never {}

impl Coded for Never {
    const ALL: &'static [DeclaredError] = &[];
    fn refusal(&self) -> Refusal {
        match *self {}
    }
}

/// Declares the errors of a method once: variant, error number, text.
///
/// ```
/// proto::refusals! {
///     /// Why a job cannot be signalled.
///     pub enum KillError {
///         /// No job has this id.
///         UnknownJob => EINVAL "unknown job id",
///         /// The text of another service is passed on.
///         Passed(String) => EPERM "{0}",
///         /// The number says it all.
///         Missing => ENOENT "",
///     }
/// }
/// use proto::Coded;
/// assert_eq!(KillError::UnknownJob.refusal().to_string(), "unknown job id");
/// assert_eq!(KillError::Missing.refusal().text, None);
/// ```
#[macro_export]
macro_rules! refusals {
    ($(#[$meta:meta])* pub enum $name:ident {
        $($(#[$vmeta:meta])* $variant:ident $(($($arg:ty),+))? => $errno:ident $text:literal,)*
    }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, ::thiserror::Error)]
        pub enum $name {
            $($(#[$vmeta])* #[error($text)] $variant $(($($arg),+))?,)*
        }

        impl $crate::Coded for $name {
            const ALL: &'static [$crate::DeclaredError] = &[
                $($crate::DeclaredError {
                    name: stringify!($variant),
                    errno: $crate::Errno::$errno,
                    text: $text,
                },)*
            ];
            fn refusal(&self) -> $crate::Refusal {
                let errno = match self { $(Self::$variant { .. } => $crate::Errno::$errno,)* };
                let text = self.to_string();
                let text = (!text.is_empty()).then_some(text.into());
                $crate::Refusal { errno, text, stopped: None }
            }
        }

        impl From<$name> for $crate::Refusal {
            fn from(error: $name) -> $crate::Refusal { $crate::Coded::refusal(&error) }
        }
    };
}

//! File descriptors: their number, and the share of clients.

use nix::sys::resource::{Resource, getrlimit, rlim_t, setrlimit};

use crate::limits::{CLIENTS_MAX, DESCRIPTORS_MIN, DESCRIPTORS_RESERVED_MIN};

/// Descriptor limit of a process that serves clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Descriptors {
    max: usize,
    /// Soft and hard limit before they were raised: those of our children.
    pub original: Option<(rlim_t, rlim_t)>,
}

impl Descriptors {
    /// Takes all that this process may have. Fails when that is too little to serve.
    pub fn raise() -> anyhow::Result<Descriptors> {
        let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
        if soft < hard {
            setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
        }
        let max = usize::try_from(hard).unwrap_or(usize::MAX);
        check(max)?;
        Ok(Descriptors {
            max,
            original: Some((soft, hard)),
        })
    }

    /// As if there were `max` of them.
    pub const fn of(max: usize) -> Descriptors {
        Descriptors {
            max,
            original: None,
        }
    }

    /// Connections that clients may have: the number that modules, children and files
    /// leave, for which an eighth is reserved.
    pub fn for_clients(self) -> usize {
        let reserved = DESCRIPTORS_RESERVED_MIN.max(self.max / 8);
        self.max.saturating_sub(reserved).min(CLIENTS_MAX)
    }
}

fn check(max: usize) -> anyhow::Result<()> {
    anyhow::ensure!(
        max >= DESCRIPTORS_MIN,
        "at least {DESCRIPTORS_MIN} file descriptors are needed, and the limit is {max}: \
         raise it with ulimit -n"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_reserved_and_too_few_are_refused() {
        assert_eq!(Descriptors::of(DESCRIPTORS_MIN).for_clients(), 32);
        assert_eq!(Descriptors::of(1024).for_clients(), 896);
        assert_eq!(Descriptors::of(usize::MAX).for_clients(), CLIENTS_MAX);
        assert!(check(DESCRIPTORS_MIN).is_ok());
        let error = check(64).unwrap_err().to_string();
        assert!(
            error.starts_with("at least 128 file descriptors are needed"),
            "{error}"
        );
    }
}

//! A process of a parallel program, as the C interfaces of PMI have it (protocol/23 section 17):
//! the wire protocol, with the checks of arguments and the codes of those interfaces.

use std::collections::BTreeMap;

use crate::client::{Error, Info, Method};
use crate::clique::clique;
use crate::limits::{KEYLEN_MAX, KVSNAME_MAX, VALLEN_MAX};
use crate::line::word;
use crate::result::{INVALID_KEY, INVALID_KEY_LENGTH, INVALID_VAL, INVALID_VAL_LENGTH};
use crate::simple::Simple;

/// Limits of a launcher, in bytes with the end mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Name of a space.
    pub kvsname: u32,
    /// Key.
    pub key: u32,
    /// Value.
    pub value: u32,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            kvsname: KVSNAME_MAX as u32,
            key: KEYLEN_MAX as u32,
            value: VALLEN_MAX as u32,
        }
    }
}

impl Limits {
    /// As the answer to `get_maxes` has them.
    pub(crate) fn read(line: &str) -> Limits {
        let ours = Limits::default();
        let number = |key, ours| {
            let said = word(line, key).and_then(|text| text.parse().ok());
            said.filter(|said| i32::try_from(*said).is_ok())
                .unwrap_or(ours)
        };
        Limits {
            kvsname: number("kvsname_max", ours.kvsname),
            key: number("keylen_max", ours.key),
            value: number("vallen_max", ours.value),
        }
    }
}

/// A process in touch with its launcher.
pub struct Process {
    info: Info,
    simple: Simple,
    is_spawned: bool,
}

impl Process {
    /// Greets the launcher that the environment names.
    ///
    /// # Errors
    /// There is none, or it does not speak PMI-1.
    pub fn begin(env: &BTreeMap<String, String>) -> Result<Process, Error> {
        let (info, simple) = Simple::open(env, None)?;
        let spawned = env.get("PMI_SPAWNED").and_then(|text| text.parse().ok());
        Ok(Process {
            info,
            simple,
            is_spawned: spawned.is_some_and(|spawned: i32| spawned != 0),
        })
    }

    /// Place of this process.
    pub fn info(&self) -> &Info {
        &self.info
    }

    /// Limits of the launcher.
    pub fn limits(&self) -> Limits {
        self.simple.limits()
    }

    /// True if a program of the same kind has started us.
    pub fn is_spawned(&self) -> bool {
        self.is_spawned
    }

    /// Number of processes that the launcher can start.
    pub fn universe_size(&mut self) -> Result<u32, Error> {
        self.simple.universe_size()
    }

    /// Number of the program among those that were started together.
    pub fn appnum(&mut self) -> Result<u32, Error> {
        self.simple.appnum()
    }

    /// Adds a value that the others may read after the next barrier.
    pub fn put(&mut self, key: &str, value: &str) -> Result<(), Error> {
        self.check_key(key)?;
        match value {
            value if value.len() >= self.limits().value as usize => {
                Err(Error::Refused(INVALID_VAL_LENGTH))
            }
            value if value.contains(['\n', '\0']) => Err(Error::Refused(INVALID_VAL)),
            value => self.simple.put(key, value),
        }
    }

    /// Value put by any process, or the launcher.
    pub fn get(&mut self, key: &str) -> Result<String, Error> {
        self.check_key(key)?;
        self.simple.get(key, None)
    }

    /// Keys are words of a line.
    fn check_key(&self, key: &str) -> Result<(), Error> {
        match key {
            "" => Err(Error::Refused(INVALID_KEY)),
            key if key.len() >= self.limits().key as usize => {
                Err(Error::Refused(INVALID_KEY_LENGTH))
            }
            key if key.contains([' ', '\n', '\0']) => Err(Error::Refused(INVALID_KEY)),
            _ => Ok(()),
        }
    }

    /// The processes that share our node, in order.
    pub fn clique(&mut self) -> Vec<u32> {
        let map = self.get("flux.taskmap");
        let map = map.or_else(|_| self.get("PMI_process_mapping"));
        clique(&map.unwrap_or_default(), self.info.rank, self.info.size)
    }

    /// Waits until all have come here.
    pub fn barrier(&mut self) -> Result<(), Error> {
        self.simple.barrier()
    }

    /// Sends goodbye.
    pub fn finalize(mut self) -> Result<(), Error> {
        self.simple.finalize()
    }

    /// Has all processes of the program ended. There is no answer.
    pub fn abort(&mut self, code: i32, message: &str) -> Result<(), Error> {
        self.simple.abort(code, message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_launcher_says_what_it_takes() {
        let check = |line: &str, expect: [u32; 3]| {
            let Limits {
                kvsname,
                key,
                value,
            } = Limits::read(line);
            assert_eq!([kvsname, key, value], expect, "{line}");
        };
        let line = "cmd=maxes rc=0 kvsname_max=256 keylen_max=32 vallen_max=4096";
        check(line, [256, 32, 4096]);
        check("cmd=maxes", [64, 64, 1024]);
        check("cmd=maxes keylen_max=4000000000", [64, 64, 1024]);
    }
}

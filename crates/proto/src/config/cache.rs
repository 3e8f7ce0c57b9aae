//! `kvs.cache-size`: the memory that kvs and content use to cache stored data, and its division.

use super::keys;
use crate::data::size::parse_size;
use crate::{Errno, Object, Refusal};

/// Default for both together, in bytes.
const BYTES: usize = 64 << 20;

/// Less would make every commit read the data it changes from disk.
const BYTES_MIN: usize = 1 << 20;

/// Cache sizes in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cache {
    /// Directories in kvs.
    pub dirs: usize,
    /// Blobs of values in kvs.
    pub values: usize,
    /// Blobs in content.
    pub blobs: usize,
    /// Directories in content, in the form from which the next change to them begins.
    pub texts: usize,
    /// Pages of content's file.
    pub pages: usize,
}

impl Default for Cache {
    fn default() -> Cache {
        Cache::of_bytes(BYTES)
    }
}

impl Cache {
    /// Reads the key.
    ///
    /// # Errors
    /// EINVAL if it is no number of bytes, or out of range.
    pub fn of(conf: &Object) -> Result<Cache, Refusal> {
        let Some(text) = keys::KVS_CACHE_SIZE.read::<String>(conf)? else {
            return Ok(Cache::default());
        };
        let bytes = parse_size(&text).and_then(|bytes| usize::try_from(bytes).ok());
        match bytes {
            Some(bytes) if (BYTES_MIN..=isize::MAX as usize).contains(&bytes) => {
                Ok(Cache::of_bytes(bytes))
            }
            _ => Err(Refusal::new(
                Errno::EINVAL,
                format!("{}: must be at least 1M", keys::KVS_CACHE_SIZE.path),
            )),
        }
    }

    /// A commit works on directories, so half of it is theirs.
    const fn of_bytes(bytes: usize) -> Cache {
        let part = bytes / 8;
        Cache {
            dirs: bytes - 4 * part,
            values: part,
            blobs: part,
            texts: part,
            pages: part,
        }
    }

    /// The whole cache for ranks that have no file and apply no transactions: they load
    /// missing objects from above.
    pub const fn of_follower(self) -> Cache {
        Cache {
            dirs: self.dirs / 2,
            values: self.values / 2,
            blobs: self.blobs,
            texts: 0,
            pages: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_parts_together_are_what_was_asked_for() {
        let check = |table: serde_json::Value, expect: Result<usize, &str>| {
            let conf = serde_json::json!({ "kvs": table });
            let conf = Object(conf.as_object().cloned().unwrap_or_default());
            let all = Cache::of(&conf).map(|cache| {
                let Cache {
                    dirs,
                    values,
                    blobs,
                    texts,
                    pages,
                } = cache;
                dirs + values + blobs + texts + pages
            });
            let all = all.map_err(|refusal| refusal.to_string());
            assert_eq!(all, expect.map_err(str::to_owned), "{table}");
        };
        let size = |size: &str| serde_json::json!({ "cache-size": size });
        check(serde_json::json!({}), Ok(64 << 20));
        check(size("1M"), Ok(1 << 20));
        check(size("1048577"), Ok((1 << 20) + 1));
        check(size("2G"), Ok(2 << 30));
        let low = "kvs.cache-size: must be at least 1M";
        check(size("1023k"), Err(low));
        check(size("0"), Err(low));
        let form = "kvs.cache-size: must be a number of bytes with an optional k, M or G";
        check(size("much"), Err(form));
        check(serde_json::json!({ "cache-size": 64 }), Err(form));
    }
}

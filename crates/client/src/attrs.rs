//! Attributes of the broker; those that cannot change are asked for once.

use proto::{Refusal, attr};

use crate::handle::Handle;

impl Handle {
    /// The value of an attribute; ENOENT when it has none. Blocks unless it is cached.
    pub fn attr(&mut self, name: &str) -> Result<String, Refusal> {
        if let Some(value) = self.attrs.get(name) {
            return Ok(value.clone());
        }
        let attr::Value { mut value, flags } = self.rpc(&attr::Get {
            name: name.to_owned(),
        })?;
        if let (true, Some(host)) = (name == "parent-uri", &self.proxy_remote) {
            value = seen_from_afar(&value, host);
        }
        if flags & attr::IMMUTABLE != 0 {
            self.attrs.insert(name.to_owned(), value.clone());
        }
        Ok(value)
    }

    /// The rank of the broker at the other end.
    pub fn rank(&mut self) -> Result<u32, Refusal> {
        self.number("rank")
    }

    /// The number of brokers in the instance.
    pub fn size(&mut self) -> Result<u32, Refusal> {
        self.number("size")
    }

    fn number(&mut self, name: &str) -> Result<u32, Refusal> {
        let value = self.attr(name)?;
        value.parse().map_err(|_| {
            let text = format!("attribute {name} is '{value}', which is not a number");
            Refusal::new(proto::Errno::EPROTO, text)
        })
    }
}

/// The path of a socket on the proxy's remote host as a URI that leads there.
fn seen_from_afar(uri: &str, host: &str) -> String {
    match uri.strip_prefix("local://") {
        Some(path) => format!("ssh://{host}{path}"),
        None => uri.to_owned(),
    }
}

//! The table `[bootstrap]`: hosts that know of each other by configuration (protocol/20
//! section 12).

use std::path::PathBuf;

use proto::Object;
use proto::config::keys::{self, Key};
use proto::data::{Hostlist, Topology};
use serde_json::Value;

/// Contents of the table, by rank.
#[derive(Debug, Default)]
pub struct Hosts {
    entries: Vec<Host>,
    /// The certificate that all share.
    pub curve_cert: Option<PathBuf>,
    /// True if IPv6 addresses are used.
    pub enable_ipv6: bool,
}

/// One host.
#[derive(Debug, Default, Clone)]
struct Host {
    name: String,
    bind: Option<String>,
    connect: Option<String>,
    parent: Option<String>,
}

/// Keys of a row.
const HOST_KEYS: [&str; 4] = ["host", "bind", "connect", "parent"];

/// Reads the table, whose form has been checked; `None` if there is none, or none with
/// hosts.
///
/// # Errors
/// The text goes behind `Config file error [bootstrap]: `.
pub fn read(config: &Object) -> Result<Option<Hosts>, String> {
    let rows = match keys::BOOTSTRAP_HOSTS.value(config) {
        None => return Ok(None),
        Some(Value::Array(rows)) => rows,
        Some(_) => return Err("must be array type".to_owned()),
    };
    let enable_ipv6 = keys::BOOTSTRAP_ENABLE_IPV6.value(config);
    let mut hosts = Hosts {
        curve_cert: text(config, &keys::BOOTSTRAP_CURVE_CERT).map(PathBuf::from),
        enable_ipv6: enable_ipv6.and_then(Value::as_bool) == Some(true),
        ..Hosts::default()
    };
    for (at, row) in rows.iter().enumerate() {
        let wrong = |why: String| format!("invalid hosts[{at}]: {why}");
        hosts.add(row).map_err(wrong)?;
    }
    if hosts.entries.is_empty() {
        return Ok(None);
    }
    hosts.fill_in(config);
    hosts.check()?;
    if hosts.entries.len() > 1 && hosts.curve_cert.is_none() {
        return Err("curve_cert must be defined for size > 1".to_owned());
    }
    Ok(Some(hosts))
}

fn text(config: &Object, key: &Key) -> Option<String> {
    key.value(config)?.as_str().map(str::to_owned)
}

impl Hosts {
    /// Adds a row, or its values to hosts that were named before.
    fn add(&mut self, row: &Value) -> Result<(), String> {
        const NO_LIST: &str = "host key is not a valid RFC 29 hostlist";
        let row = row.as_object().ok_or(NO_LIST)?;
        let value = |key: &str| row.get(key).and_then(Value::as_str);
        if let Some(key) = row.keys().find(|key| !HOST_KEYS.contains(&key.as_str())) {
            return Err(format!("unknown key {key}"));
        }
        let names = value("host").and_then(|names| names.parse::<Hostlist>().ok());
        let names = names.ok_or(NO_LIST)?;
        for name in names.iter() {
            let at = self.rank_of(name).unwrap_or_else(|| {
                self.entries.push(Host {
                    name: name.to_owned(),
                    ..Host::default()
                });
                self.entries.len() - 1
            });
            let Some(host) = self.entries.get_mut(at) else {
                continue;
            };
            for (key, place) in [
                ("bind", &mut host.bind),
                ("connect", &mut host.connect),
                ("parent", &mut host.parent),
            ] {
                if place.is_none() {
                    *place = value(key).map(str::to_owned);
                }
            }
        }
        Ok(())
    }

    /// Fills in defaults, and hosts and ports in their places.
    fn fill_in(&mut self, config: &Object) {
        let port = keys::BOOTSTRAP_DEFAULT_PORT.value(config);
        let port = port.and_then(Value::as_u64);
        let bind = text(config, &keys::BOOTSTRAP_DEFAULT_BIND);
        let connect = text(config, &keys::BOOTSTRAP_DEFAULT_CONNECT);
        for host in &mut self.entries {
            let fill = |uri: Option<String>, default: &Option<String>| {
                let uri = uri.or_else(|| default.clone())?;
                Some(filled(&uri, &host.name, port))
            };
            host.bind = fill(host.bind.take(), &bind);
            host.connect = fill(host.connect.take(), &connect);
        }
    }

    fn check(&self) -> Result<(), String> {
        for (at, host) in self.entries.iter().enumerate() {
            let wrong = |why: String| Err(format!("invalid hosts[{at}]: {why}"));
            match &host.parent {
                Some(parent) if *parent == host.name => {
                    return wrong("parent key refers to self".to_owned());
                }
                Some(parent) if self.rank_of(parent).is_none() => {
                    return wrong("parent key refers to unknown host".to_owned());
                }
                _ => {}
            }
            if let Some(bind) = host.bind.as_ref().filter(|bind| bind.ends_with(":*")) {
                return wrong(format!("bind key {bind} contains 0MQ port wildcard"));
            }
            for uri in [&host.bind, &host.connect].into_iter().flatten() {
                check_uri(uri).or_else(wrong)?;
            }
        }
        Ok(())
    }

    /// The rank of a host.
    pub fn rank_of(&self, name: &str) -> Option<usize> {
        self.entries.iter().position(|host| host.name == name)
    }

    /// All hosts by rank.
    pub fn hostlist(&self) -> String {
        let names = self.entries.iter().map(|host| host.name.as_str());
        Hostlist::from_names(names).map_or(String::new(), |list| list.to_string())
    }

    /// Number of hosts.
    pub fn size(&self) -> u32 {
        self.entries.len() as u32
    }

    /// The tree that they form if it is the `custom` one.
    ///
    /// # Errors
    /// The text goes behind `Config file [bootstrap] hosts: `.
    pub fn custom_tree(&self) -> Result<Topology, String> {
        let hosts: Vec<_> = self
            .entries
            .iter()
            .map(|host| (host.name.as_str(), host.parent.as_deref()))
            .collect();
        Topology::of_hosts(&hosts).map_err(|error| error.to_string())
    }

    /// Address on which a rank listens.
    ///
    /// # Errors
    /// Error of a host without that address.
    pub fn bind_uri(&self, rank: u32) -> Result<&str, String> {
        let host = self.entries.get(rank as usize);
        let uri = host.and_then(|host| host.bind.as_deref());
        uri.ok_or_else(|| format!("bind URI is undefined for rank {rank}"))
    }

    /// Address at which a rank is reached.
    ///
    /// # Errors
    /// Error of a host without that address.
    pub fn connect_uri(&self, rank: u32) -> Result<&str, String> {
        let host = self.entries.get(rank as usize);
        let uri = host.and_then(|host| host.connect.as_deref());
        uri.ok_or_else(|| format!("connect URI is undefined for rank {rank}"))
    }
}

/// `%h` is the host, `%p` the port, `%%` a per cent sign.
fn filled(uri: &str, host: &str, port: Option<u64>) -> String {
    let mut out = String::new();
    let mut chars = uri.chars();
    while let Some(c) = chars.next() {
        match (c, chars.clone().next()) {
            ('%', Some('h')) => out += host,
            ('%', Some('p')) => out += &port.map_or(String::new(), |port| port.to_string()),
            ('%', Some('%')) => out.push('%'),
            _ => {
                out.push(c);
                continue;
            }
        }
        chars.next();
    }
    out
}

/// Longest path of a UNIX socket, in bytes.
const IPC_PATH_BYTES_MAX: usize = 108;

fn check_uri(uri: &str) -> Result<(), String> {
    match uri.split_once("://") {
        None => Err(format!("{uri} has no URI scheme")),
        Some(("ipc", path)) if path.len() > IPC_PATH_BYTES_MAX => Err(format!(
            "{uri}: an ipc path has at most {IPC_PATH_BYTES_MAX} bytes"
        )),
        Some(("tcp" | "ipc", _)) => Ok(()),
        Some(_) => Err("URI scheme must be tcp or ipc".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> Object {
        let value: Value = toml::from_str(text).unwrap();
        serde_json::from_value(value).unwrap()
    }

    fn hosts(text: &str) -> Result<Option<Hosts>, String> {
        read(&config(&format!("[bootstrap]\n{text}")))
    }

    #[test]
    fn rows_give_ranks_in_order_and_add_up() {
        let hosts = hosts(
            "curve_cert = '/c'\ndefault_port = 8050\ndefault_bind = 'tcp://eth0:%p'\n\
             default_connect = 'tcp://%h:%p'\n\
             hosts = [{host='a', bind='tcp://b0:1'}, {host='n[1-2]'}, {host='n2', parent='n1'}]",
        );
        let hosts = hosts.unwrap().unwrap();
        assert_eq!((hosts.size(), hosts.hostlist().as_str()), (3, "a,n[1-2]"));
        assert_eq!(hosts.rank_of("n2"), Some(2));
        assert_eq!(hosts.bind_uri(0).unwrap(), "tcp://b0:1");
        assert_eq!(hosts.bind_uri(1).unwrap(), "tcp://eth0:8050");
        assert_eq!(hosts.connect_uri(2).unwrap(), "tcp://n2:8050");
        assert_eq!(hosts.custom_tree().unwrap().parent(2), Some(1));
    }

    #[test]
    fn without_hosts_a_broker_is_alone() {
        assert!(read(&Object::default()).unwrap().is_none());
        assert!(hosts("hosts = []").unwrap().is_none());
        assert!(hosts("default_port = 1").unwrap().is_none());
        let one = hosts("hosts = [{host='a'}]").unwrap().unwrap();
        assert_eq!(
            one.bind_uri(0).unwrap_err(),
            "bind URI is undefined for rank 0"
        );
        assert_eq!(
            one.connect_uri(0).unwrap_err(),
            "connect URI is undefined for rank 0"
        );
    }

    fn check(text: &str, expect: &str) {
        assert_eq!(hosts(text).unwrap_err(), expect, "{text}");
    }

    #[test]
    fn what_is_wrong_is_named() {
        let list = "invalid hosts[0]: host key is not a valid RFC 29 hostlist";
        check("hosts = 42", "must be array type");
        check("hosts = [{}]", list);
        check("hosts = [{host=7}]", list);
        check("hosts = [{host='a['}]", list);
        check(
            "hosts = [{host='a', port=1}]",
            "invalid hosts[0]: unknown key port",
        );
        check(
            "hosts = [{host='a'}, {host='b', parent='b'}]",
            "invalid hosts[1]: parent key refers to self",
        );
        check(
            "hosts = [{host='a'}, {host='b', parent='c'}]",
            "invalid hosts[1]: parent key refers to unknown host",
        );
        check(
            "hosts = [{host='a', bind='tcp://*:*'}]",
            "invalid hosts[0]: bind key tcp://*:* contains 0MQ port wildcard",
        );
        check(
            "hosts = [{host='a', connect='host'}]",
            "invalid hosts[0]: host has no URI scheme",
        );
        check(
            "hosts = [{host='a', connect='ib://x'}]",
            "invalid hosts[0]: URI scheme must be tcp or ipc",
        );
        check(
            "hosts = [{host='a[0-1]'}]",
            "curve_cert must be defined for size > 1",
        );
    }

    #[test]
    fn places_are_filled_in() {
        assert_eq!(
            filled("tcp://%h:%p/%%h%x%", "n1", Some(80)),
            "tcp://n1:80/%h%x%"
        );
        assert_eq!(filled("ipc://%h", "n1", None), "ipc://n1");
    }
}

//! Settings: the arguments `address=IP`, `port=N`, `token-file=PATH`,
//! `tls-certificate=PATH` and `tls-key=PATH`, and the table `[web]`. Pure; an argument wins over
//! the table.

use std::net::{IpAddr, Ipv4Addr};

use node::{Cx, Host};
use proto::attr::names;
use proto::config::{Key, keys};
use proto::{Errno, Object, Refusal};

/// The settings in force, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Address to listen on.
    pub address: IpAddr,
    /// Its port; 0 for any that is free.
    pub port: u16,
    /// File of the token, which may not be there yet.
    pub token_file: String,
    /// Certificate and key, if TLS is to be spoken.
    pub tls: Option<Tls>,
    /// Names by which the page may be called, in lower case.
    pub hosts: Vec<String>,
    /// URI of the instance.
    pub uri: String,
    /// The name of this host.
    pub hostname: String,
}

/// Files for TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// PEM file with the chain of certificates.
    pub certificate: String,
    /// PEM file with the private key.
    pub key: String,
}

/// Name of the token's file in the rundir.
const TOKEN_FILE: &str = "web.token";

/// Keys that are arguments, too.
const ARGUMENTS: [&Key; 5] = [
    &keys::WEB_ADDRESS,
    &keys::WEB_PORT,
    &keys::WEB_TOKEN_FILE,
    &keys::WEB_TLS_CERTIFICATE,
    &keys::WEB_TLS_KEY,
];

impl Settings {
    /// Reads the arguments and attributes that the module has, and this configuration.
    pub(crate) fn of<C: Host>(cx: &Cx<C>, conf: &Object) -> Result<Settings, Refusal> {
        let attr = |attr| cx.attr(attr).unwrap_or_default().to_owned();
        let args = cx.welcome().args.clone().unwrap_or_default();
        let surroundings = Surroundings {
            rundir: attr(&names::RUNDIR),
            uri: attr(&names::LOCAL_URI),
            hostname: attr(&names::HOSTNAME),
        };
        Settings::new(&args, conf, surroundings)
    }

    fn new(args: &[String], conf: &Object, around: Surroundings) -> Result<Settings, Refusal> {
        let args = arguments(args)?;
        let text = |key: &'static Key| -> Result<Option<String>, Refusal> {
            match argument(&args, key) {
                Some(value) => Ok(Some(value.to_owned())),
                None => key.read(conf),
            }
        };
        let address = match text(&keys::WEB_ADDRESS)? {
            Some(address) => address
                .parse()
                .map_err(|_| refused(format!("web.address: {address} is no IP address")))?,
            None => IpAddr::V4(Ipv4Addr::LOCALHOST),
        };
        let port = match argument(&args, &keys::WEB_PORT) {
            Some(port) => port
                .parse()
                .map_err(|_| keys::WEB_PORT.refusal(keys::WEB_PORT.path))?,
            None => keys::WEB_PORT.read(conf)?.unwrap_or(0),
        };
        let tls = match (text(&keys::WEB_TLS_CERTIFICATE)?, text(&keys::WEB_TLS_KEY)?) {
            (Some(certificate), Some(key)) => Some(Tls { certificate, key }),
            (None, None) => None,
            _ => {
                return Err(refused(
                    "web.tls-certificate and web.tls-key go together: one of them is missing"
                        .into(),
                ));
            }
        };
        if tls.is_none() && !address.is_loopback() {
            return Err(refused(format!(
                "web.address: other hosts reach {address}, where the token would be sent in clear: \
                 set web.tls-certificate and web.tls-key, or use 127.0.0.1 and an SSH tunnel"
            )));
        }
        let in_rundir = || format!("{}/{TOKEN_FILE}", around.rundir);
        let hosts: Vec<String> = keys::WEB_HOSTS.read(conf)?.unwrap_or_default();
        let named = hosts.iter().map(String::as_str);
        let named = named.chain(["localhost", &around.hostname]);
        Ok(Settings {
            address,
            port,
            token_file: text(&keys::WEB_TOKEN_FILE)?.unwrap_or_else(in_rundir),
            tls,
            hosts: named.map(str::to_ascii_lowercase).collect(),
            uri: around.uri,
            hostname: around.hostname,
        })
    }
}

/// Attributes of the broker.
struct Surroundings {
    rundir: String,
    uri: String,
    hostname: String,
}

/// The arguments by name.
fn arguments(args: &[String]) -> Result<Vec<(&str, &str)>, Refusal> {
    let parsed = args.iter().map(|arg| {
        let known = |name: &str| ARGUMENTS.iter().any(|key| key.last_word() == name);
        let pair = arg.split_once('=').filter(|(name, _)| known(name));
        pair.ok_or_else(|| refused(format!("{arg}: unknown option")))
    });
    parsed.collect()
}

fn argument<'a>(args: &[(&str, &'a str)], key: &Key) -> Option<&'a str> {
    let mut named = args.iter().rev();
    let found = named.find(|(name, _)| *name == key.last_word());
    found.map(|(_, value)| *value)
}

fn refused(text: String) -> Refusal {
    Refusal::new(Errno::EINVAL, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads these settings; prints them or why not.
    fn check(args: &[&str], conf: &str, expect: &str) {
        let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
        let conf = Object(serde_json::from_str(conf).unwrap());
        let around = Surroundings {
            rundir: "/run".to_owned(),
            uri: "local:///run/local-0".to_owned(),
            hostname: "Node1".to_owned(),
        };
        let outcome = match Settings::new(&args, &conf, around) {
            Ok(s) => {
                let tls = s.tls.map(|tls| format!("{} {}", tls.certificate, tls.key));
                let tls = tls.unwrap_or("plain".to_owned());
                let place = format!("{}:{} {}", s.address, s.port, s.token_file);
                format!("{place} {tls} {}", s.hosts.join(","))
            }
            Err(error) => error.to_string(),
        };
        assert_eq!(outcome, expect);
    }

    #[test]
    fn the_page_is_on_loopback_unless_something_else_is_said() {
        check(
            &[],
            "{}",
            "127.0.0.1:0 /run/web.token plain localhost,node1",
        );
    }

    #[test]
    fn the_table_is_read_and_an_argument_wins() {
        let conf =
            r#"{"web":{"address":"::1","port":8080,"token-file":"/t","hosts":["Flux.example"]}}"#;
        check(&[], conf, "::1:8080 /t plain flux.example,localhost,node1");
        check(
            &["port=81", "address=127.0.0.2", "token-file=/u"],
            conf,
            "127.0.0.2:81 /u plain flux.example,localhost,node1",
        );
    }

    #[test]
    fn other_hosts_reach_it_by_tls_alone() {
        let refusal = "web.address: other hosts reach 0.0.0.0, where the token would be sent in \
            clear: set web.tls-certificate and web.tls-key, or use 127.0.0.1 and an SSH tunnel";
        check(&["address=0.0.0.0"], "{}", refusal);
        let tls = r#"{"web":{"address":"0.0.0.0","tls-certificate":"/c","tls-key":"/k"}}"#;
        check(&[], tls, "0.0.0.0:0 /run/web.token /c /k localhost,node1");
    }

    #[test]
    fn bad_settings_say_what_is_wrong() {
        let pair = "web.tls-certificate and web.tls-key go together: one of them is missing";
        check(&["tls-key=/k"], "{}", pair);
        check(
            &["address=node1"],
            "{}",
            "web.address: node1 is no IP address",
        );
        let port = "web.port: must be an integer from 0 to 65535";
        check(&["port=65536"], "{}", port);
        check(&[], r#"{"web":{"port":"x"}}"#, port);
        check(&["color=red"], "{}", "color=red: unknown option");
        check(&["port"], "{}", "port: unknown option");
    }
}

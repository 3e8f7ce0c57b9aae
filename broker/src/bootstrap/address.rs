//! Under which address other hosts reach this one (protocol/20 section 2,
//! `tbon.interface-hint`).

#![allow(
    clippy::disallowed_types,
    reason = "the edge: a socket that is never sent over tells our address"
)]

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, ToSocketAddrs, UdpSocket};

use anyhow::{Context as _, bail};
use nix::ifaddrs::getifaddrs;

/// Source of the decision.
#[derive(Debug, PartialEq, Eq)]
enum Hint {
    /// The interface of the default route.
    DefaultRoute,
    /// The address of the host's name.
    Hostname,
    /// An interface by name.
    Interface(String),
    /// An IPv4 network: address and number of its significant bits.
    Network(Ipv4Addr, u32),
}

/// The hint that holds: that of the attribute or configuration, else that of the
/// environment, else the default route.
pub fn hint(attr: Option<&str>, env: &BTreeMap<String, String>) -> String {
    let interface = env.get("FLUX_IPADDR_INTERFACE").cloned();
    let hostname = || {
        env.contains_key("FLUX_IPADDR_HOSTNAME")
            .then(|| "hostname".to_owned())
    };
    let hint = attr.map(str::to_owned).or(interface).or_else(hostname);
    hint.unwrap_or_else(|| "default-route".to_owned())
}

/// The address that `hint` leads to.
///
/// # Errors
/// There is none: `could not find address associated with X`.
pub fn find(hint: &str, hostname: &str, wants_v6: bool) -> anyhow::Result<IpAddr> {
    let found = match parse(hint) {
        Hint::DefaultRoute => default_route(wants_v6).or_else(|| by_name(hostname, wants_v6)),
        Hint::Hostname => by_name(hostname, wants_v6),
        Hint::Interface(name) => by_interface(&name, wants_v6)?,
        Hint::Network(network, bits) => by_network(network, bits)?,
    };
    match found {
        Some(address) => Ok(address),
        None => bail!("could not find address associated with {hint}"),
    }
}

/// The address as it stands in a URI.
pub fn in_uri(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("[{address}]"),
    }
}

fn parse(hint: &str) -> Hint {
    let network = hint.split_once('/').and_then(|(address, bits)| {
        let bits = bits.parse().ok().filter(|bits| *bits <= 32)?;
        Some(Hint::Network(address.parse().ok()?, bits))
    });
    match hint {
        "default-route" => Hint::DefaultRoute,
        "hostname" => Hint::Hostname,
        name => network.unwrap_or_else(|| Hint::Interface(name.to_owned())),
    }
}

/// Asks the kernel which address it would send from. Nothing is sent: the addresses are
/// those of documentation (RFC 5737, RFC 3849).
fn default_route(wants_v6: bool) -> Option<IpAddr> {
    let (own, far) = match wants_v6 {
        true => ("[::]:0", "[2001:db8::1]:9"),
        false => ("0.0.0.0:0", "192.0.2.1:9"),
    };
    let socket = UdpSocket::bind(own).ok()?;
    socket.connect(far).ok()?;
    let address = socket.local_addr().ok()?.ip();
    (!address.is_unspecified()).then_some(address)
}

fn by_name(hostname: &str, wants_v6: bool) -> Option<IpAddr> {
    let mut addresses = (hostname, 0).to_socket_addrs().ok()?;
    let address = addresses.find(|address| address.is_ipv6() == wants_v6)?;
    Some(address.ip())
}

fn by_interface(name: &str, wants_v6: bool) -> anyhow::Result<Option<IpAddr>> {
    let mut addresses = addresses()?.into_iter();
    Ok(addresses.find_map(|(interface, address)| {
        (interface == name && address.is_ipv6() == wants_v6).then_some(address)
    }))
}

fn by_network(network: Ipv4Addr, bits: u32) -> anyhow::Result<Option<IpAddr>> {
    Ok(addresses()?
        .into_iter()
        .find_map(|(_, address)| match address {
            IpAddr::V4(address) if is_within(address, network, bits) => Some(address.into()),
            _ => None,
        }))
}

fn is_within(address: Ipv4Addr, network: Ipv4Addr, bits: u32) -> bool {
    let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
    u32::from(address) & mask == u32::from(network) & mask
}

fn addresses() -> anyhow::Result<Vec<(String, IpAddr)>> {
    let interfaces = getifaddrs().context("cannot list the network interfaces")?;
    let addresses = interfaces.filter_map(|interface| {
        let address = interface.address?;
        let v4 = address
            .as_sockaddr_in()
            .map(|address| IpAddr::V4(address.ip()));
        let v6 = || {
            address
                .as_sockaddr_in6()
                .map(|address| IpAddr::V6(address.ip()))
        };
        Some((interface.interface_name, v4.or_else(v6)?))
    });
    Ok(addresses.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hints_are_told_apart() {
        let check = |text: &str, expect| assert_eq!(parse(text), expect, "{text}");
        check("default-route", Hint::DefaultRoute);
        check("hostname", Hint::Hostname);
        check("eth0", Hint::Interface("eth0".to_owned()));
        check("10.0.0.0/8", Hint::Network(Ipv4Addr::new(10, 0, 0, 0), 8));
        check("10.0.0.0/33", Hint::Interface("10.0.0.0/33".to_owned()));
    }

    #[test]
    fn the_attribute_is_before_the_environment() {
        let env = |names: &[&str]| {
            let pairs = names
                .iter()
                .map(|name| ((*name).to_owned(), "ib0".to_owned()));
            pairs.collect::<BTreeMap<_, _>>()
        };
        let all = env(&["FLUX_IPADDR_INTERFACE", "FLUX_IPADDR_HOSTNAME"]);
        assert_eq!(hint(Some("eth0"), &all), "eth0");
        assert_eq!(hint(None, &all), "ib0");
        assert_eq!(hint(None, &env(&["FLUX_IPADDR_HOSTNAME"])), "hostname");
        assert_eq!(hint(None, &env(&[])), "default-route");
    }

    #[test]
    fn networks_hold_their_addresses() {
        let check = |address: [u8; 4], bits, expect| {
            let network = Ipv4Addr::new(10, 1, 0, 0);
            assert_eq!(is_within(Ipv4Addr::from(address), network, bits), expect);
        };
        check([10, 1, 2, 3], 16, true);
        check([10, 2, 2, 3], 16, false);
        check([10, 2, 2, 3], 8, true);
        check([99, 9, 9, 9], 0, true);
        check([10, 1, 0, 0], 32, true);
    }

    #[test]
    fn this_host_is_found_by_its_loopback() {
        assert!(find("lo", "localhost", false).unwrap().is_loopback());
        assert!(
            find("127.0.0.0/8", "localhost", false)
                .unwrap()
                .is_loopback()
        );
        let error = find("nosuch0", "localhost", false).unwrap_err().to_string();
        assert_eq!(error, "could not find address associated with nosuch0");
    }
}

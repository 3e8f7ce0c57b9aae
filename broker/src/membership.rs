//! What attributes say about the brokers of the instance and the tree that they form, and
//! what follows from it (protocol/20 sections 1, 2 and 10): settled once, before the start.

use proto::attr::Attr;
use proto::attr::names::{
    BROKER_BOOT_METHOD, BROKER_CRITICAL_RANKS, BROKER_MAPPING, BROKER_QUORUM, HOSTLIST, HOSTNAME,
    RANK, SIZE, TBON_CHILD_RCVHWM, TBON_DESCENDANTS, TBON_FANOUT, TBON_INTERFACE_HINT, TBON_LEVEL,
    TBON_MAXLEVEL, TBON_TOPO, TBON_TORPID_MAX, TBON_TORPID_MIN,
};
use proto::data::topology::Scheme;
use proto::data::{Hostlist, IdSet, Topology};
use proto::form::quorum;

use crate::attrs::Attrs;

/// Why brokers cannot form an instance: the texts are the documentation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the texts are the documentation")]
pub enum MembershipError {
    #[error("broker.boot-method={0}: not supported in this version; must be single")]
    BootMethod(String),
    #[error("broker.quorum={0}: the instance has only {1} broker(s)")]
    Quorum(String, u32),
    #[error("hostlist={0}: must name {1} host(s)")]
    Hostlist(String, u32),
    #[error("invalid value for broker.critical-ranks='{0}'")]
    CriticalRanks(String),
    #[error("error creating '{0}' topology: it has no table of hosts")]
    Custom(String),
    #[error("tbon.child_rcvhwm must be 0 (unlimited) or >= 2")]
    ChildRcvhwm,
    #[error("tbon.torpid_min must be nonzero")]
    TorpidMinZero,
    #[error("tbon.torpid_max must be greater than torpid_min")]
    TorpidMaxLess,
}

/// Checks what attributes say together and sets those that follow from others.
pub fn settle(attrs: &mut Attrs) -> Result<(), MembershipError> {
    let (rank, size) = (count(attrs, &RANK), count(attrs, &SIZE).max(1));
    settle_start(attrs, size)?;
    settle_topology(attrs, size)?;
    let tree = tree(attrs);
    // Without a launcher that says otherwise all brokers are on one host.
    attrs.put(&BROKER_MAPPING, format!("[[0,1,{size},1]]"));
    attrs.put(&TBON_LEVEL, tree.level(rank).to_string());
    attrs.put(&TBON_MAXLEVEL, tree.maxlevel().to_string());
    attrs.put(&TBON_DESCENDANTS, tree.descendants(rank).to_string());
    settle_critical_ranks(attrs, &tree)?;
    check_links(attrs)
}

/// How brokers find each other, who they are, and for how many to wait.
fn settle_start(attrs: &mut Attrs, size: u32) -> Result<(), MembershipError> {
    let method = attrs.value(&BROKER_BOOT_METHOD).unwrap_or_default();
    if method != "single" {
        return Err(MembershipError::BootMethod(method.to_owned()));
    }
    match attrs.value(&HOSTLIST) {
        None => {
            let host = attrs.value(&HOSTNAME).unwrap_or("localhost").to_owned();
            attrs.put(&HOSTLIST, host);
        }
        Some(text) => {
            let hosts = text.parse::<Hostlist>();
            if hosts.map_or(0, |hosts| hosts.len()) != size as usize {
                return Err(MembershipError::Hostlist(text.to_owned(), size));
            }
        }
    }
    let text = attrs.value(&BROKER_QUORUM).unwrap_or_default().to_owned();
    match quorum(&text) {
        Some(n) if n <= size => {
            if n.to_string() != text {
                tracing::warn!("broker.quorum is now a size - assuming {n}");
            }
            attrs.put(&BROKER_QUORUM, n.to_string());
            Ok(())
        }
        _ => Err(MembershipError::Quorum(text, size)),
    }
}

fn settle_topology(attrs: &mut Attrs, size: u32) -> Result<(), MembershipError> {
    if let Some(k) = attrs.value(&TBON_FANOUT)
        && !attrs.is_given(&TBON_TOPO)
    {
        let topo = format!("kary:{k}");
        attrs.put(&TBON_TOPO, topo);
    }
    match scheme(attrs) {
        Scheme::Custom if size > 1 => {
            let text = attrs.value(&TBON_TOPO).unwrap_or_default();
            Err(MembershipError::Custom(text.to_owned()))
        }
        _ => Ok(()),
    }
}

/// The tree that the attributes name.
pub fn tree(attrs: &Attrs) -> Topology {
    Topology::new(scheme(attrs), count(attrs, &SIZE).max(1))
}

/// Its form is checked when it is set.
fn scheme(attrs: &Attrs) -> Scheme {
    let text = attrs.value(&TBON_TOPO).unwrap_or_default();
    text.parse().unwrap_or_default()
}

fn count(attrs: &Attrs, attr: &Attr) -> u32 {
    u32::try_from(attrs.number(attr)).unwrap_or(0)
}

fn settle_critical_ranks(attrs: &mut Attrs, tree: &Topology) -> Result<(), MembershipError> {
    if !attrs.is_given(&BROKER_CRITICAL_RANKS) {
        let routers: IdSet = tree.routers().collect();
        attrs.put(&BROKER_CRITICAL_RANKS, routers.to_string());
        return Ok(());
    }
    let text = attrs.value(&BROKER_CRITICAL_RANKS).unwrap_or_default();
    let fits = text.parse::<IdSet>();
    match fits.is_ok_and(|ranks| ranks.iter().all(|rank| rank < tree.size())) {
        true => Ok(()),
        false => Err(MembershipError::CriticalRanks(text.to_owned())),
    }
}

/// Limits of the links between brokers, which a change of the configuration may move.
pub fn check_links(attrs: &Attrs) -> Result<(), MembershipError> {
    if attrs.number(&TBON_CHILD_RCVHWM) == 1 {
        return Err(MembershipError::ChildRcvhwm);
    }
    let seconds = |attr: &Attr| {
        attrs
            .duration(attr)
            .map_or(f64::INFINITY, |time| time.as_secs_f64())
    };
    let (min, max) = (seconds(&TBON_TORPID_MIN), seconds(&TBON_TORPID_MAX));
    if min == 0.0 {
        return Err(MembershipError::TorpidMinZero);
    }
    if max != 0.0 && min >= max {
        return Err(MembershipError::TorpidMaxLess);
    }
    Ok(())
}

/// Sets which address to bind to, if neither the command line nor `[tbon]` has: the two
/// variables are an older way to say so, which the brokers of jobs inherit.
pub fn hint_from_environment(attrs: &mut Attrs, interface: Option<&str>, hostname: bool) {
    if attrs.is_given(&TBON_INTERFACE_HINT)
        || attrs.value(&TBON_INTERFACE_HINT) != TBON_INTERFACE_HINT.default
    {
        return;
    }
    if let Some(hint) = interface.or(hostname.then_some("hostname")) {
        attrs.put(&TBON_INTERFACE_HINT, hint);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Settles an instance of one broker; gives the value of `attr`, or the error.
    fn check(given: &[&str], attr: &Attr, want: &str) {
        let mut attrs = Attrs::default();
        for text in given {
            attrs.set_from_command_line(text).expect(text);
        }
        let got = match settle(&mut attrs) {
            Ok(()) => attrs.value(attr).unwrap_or("unset").to_owned(),
            Err(error) => error.to_string(),
        };
        assert_eq!(got, want, "{given:?}");
    }

    #[test]
    fn the_tree_of_one_broker_is_its_root() {
        check(&[], &TBON_LEVEL, "0");
        check(&["tbon.topo=binomial"], &TBON_MAXLEVEL, "0");
        check(&["tbon.topo=kary:0"], &TBON_DESCENDANTS, "0");
        check(&[], &BROKER_CRITICAL_RANKS, "0");
        check(&["broker.critical-ranks=0"], &BROKER_CRITICAL_RANKS, "0");
        check(
            &["broker.critical-ranks=0-1"],
            &BROKER_CRITICAL_RANKS,
            "invalid value for broker.critical-ranks='0-1'",
        );
    }

    #[test]
    fn a_fanout_is_a_topology_unless_one_is_given() {
        check(&["tbon.fanout=2"], &TBON_TOPO, "kary:2");
        check(
            &["tbon.fanout=2", "tbon.topo=mincrit"],
            &TBON_TOPO,
            "mincrit",
        );
    }

    #[test]
    fn no_quorum_is_waited_for_that_cannot_be() {
        check(&[], &BROKER_QUORUM, "1");
        check(&["broker.quorum=0"], &BROKER_QUORUM, "1");
        check(&["broker.quorum=0-0"], &BROKER_QUORUM, "1");
        check(
            &["broker.quorum=2"],
            &BROKER_QUORUM,
            "broker.quorum=2: the instance has only 1 broker(s)",
        );
    }

    #[test]
    fn each_broker_has_a_host() {
        check(&["hostname=h3"], &HOSTLIST, "h3");
        check(&["hostlist=h7"], &HOSTLIST, "h7");
        check(
            &["hostlist=h[0-1]"],
            &HOSTLIST,
            "hostlist=h[0-1]: must name 1 host(s)",
        );
    }

    #[test]
    fn other_ways_to_boot_are_refused() {
        check(
            &["broker.boot-method=single"],
            &BROKER_BOOT_METHOD,
            "single",
        );
        check(
            &["broker.boot-method=config"],
            &BROKER_BOOT_METHOD,
            "broker.boot-method=config: not supported in this version; must be single",
        );
    }

    #[test]
    fn limits_of_links_fit_together() {
        let max = &TBON_TORPID_MAX;
        check(&["tbon.torpid_max=0"], max, "0");
        check(
            &["tbon.torpid_min=0"],
            max,
            "tbon.torpid_min must be nonzero",
        );
        check(
            &["tbon.torpid_max=2s"],
            max,
            "tbon.torpid_max must be greater than torpid_min",
        );
        check(
            &["tbon.child_rcvhwm=1"],
            max,
            "tbon.child_rcvhwm must be 0 (unlimited) or >= 2",
        );
    }

    #[test]
    fn the_environment_hints_at_an_address_last() {
        for (given, interface, hostname, want) in [
            (None, Some("eth0"), true, "eth0"),
            (None, None, true, "hostname"),
            (None, None, false, "default-route"),
            (Some("tbon.interface-hint=ib0"), Some("eth0"), true, "ib0"),
        ] {
            let mut attrs = Attrs::default();
            if let Some(text) = given {
                attrs.set_from_command_line(text).expect(text);
            }
            hint_from_environment(&mut attrs, interface, hostname);
            assert_eq!(attrs.value(&TBON_INTERFACE_HINT), Some(want));
        }
    }
}

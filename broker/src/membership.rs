//! Attributes about the brokers of the instance and their tree, and what follows from them
//! (protocol/20 sections 1, 2 and 10): settled once, before the start.

use proto::attr::Attr;
use proto::attr::names::{
    BROKER_CRITICAL_RANKS, BROKER_QUORUM, HOSTLIST, RANK, SIZE, TBON_CHILD_RCVHWM,
    TBON_DESCENDANTS, TBON_FANOUT, TBON_INTERFACE_HINT, TBON_LEVEL, TBON_MAXLEVEL, TBON_TOPO,
    TBON_TORPID_MAX, TBON_TORPID_MIN, TBON_ZMQ_IO_THREADS,
};
use proto::data::topology::Scheme;
use proto::data::{Hostlist, IdSet, Topology};
use proto::form::quorum;

use crate::attrs::Attrs;

/// Reasons for which brokers cannot form an instance: the texts are the documentation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the texts are the documentation")]
pub enum MembershipError {
    #[error("Error parsing broker.quorum attribute: {0}: the instance has only {1} broker(s)")]
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

/// Place of this broker among the brokers of an instance.
#[derive(Debug)]
pub struct Member<'a> {
    /// Our rank.
    pub rank: u32,
    /// The tree of all.
    pub tree: &'a Topology,
    /// Shape.
    pub scheme: Scheme,
}

/// The shape of the tree that attributes ask for, else `default`. A launcher has no table
/// of hosts, from which a custom tree could be made.
pub fn scheme(attrs: &Attrs, default: Scheme, size: u32) -> Result<Scheme, MembershipError> {
    let fanout = attrs.value(&TBON_FANOUT).map(|k| format!("kary:{k}"));
    let is_asked_for = attrs.is_given(&TBON_TOPO) || attrs.value(&TBON_TOPO) != TBON_TOPO.default;
    let topo = attrs.value(&TBON_TOPO).filter(|_| is_asked_for);
    let Some(topo) = topo.map(str::to_owned).or(fanout) else {
        return Ok(default);
    };
    // Its form is checked when it is set.
    match topo.parse().unwrap_or_default() {
        Scheme::Custom if size > 1 && default != Scheme::Custom => {
            Err(MembershipError::Custom(topo))
        }
        scheme => Ok(scheme),
    }
}

/// Checks the attributes together, and sets those that follow from our place.
pub fn settle(attrs: &mut Attrs, member: &Member<'_>) -> Result<(), MembershipError> {
    let Member { rank, tree, scheme } = member;
    attrs.put(&RANK, rank.to_string());
    attrs.put(&SIZE, tree.size().to_string());
    attrs.put(&TBON_TOPO, scheme.to_string());
    attrs.put(&TBON_LEVEL, tree.level(*rank).to_string());
    attrs.put(&TBON_MAXLEVEL, tree.maxlevel().to_string());
    attrs.put(&TBON_DESCENDANTS, tree.descendants(*rank).to_string());
    if *rank > 0 {
        // All that the others say ends on rank 0, which alone has use for more.
        attrs.put(&TBON_ZMQ_IO_THREADS, "1");
    }
    settle_quorum(attrs, tree.size())?;
    settle_critical_ranks(attrs, tree)?;
    if let Some(text) = attrs.value(&HOSTLIST) {
        let hosts = text.parse::<Hostlist>();
        if hosts.map_or(0, |hosts| hosts.len()) != tree.size() as usize {
            return Err(MembershipError::Hostlist(text.to_owned(), tree.size()));
        }
    }
    check_links(attrs)
}

/// The size that is assumed where `broker.quorum` is given as ranks, which is out of date.
pub fn assumed_quorum(attrs: &Attrs) -> Option<u32> {
    let text = attrs.value(&BROKER_QUORUM)?;
    quorum(text).filter(|size| size.to_string() != text)
}

/// Number of ranks to wait for: all, unless an attribute sets it.
fn settle_quorum(attrs: &mut Attrs, size: u32) -> Result<(), MembershipError> {
    if !attrs.is_given(&BROKER_QUORUM) {
        attrs.put(&BROKER_QUORUM, size.to_string());
        return Ok(());
    }
    let text = attrs.value(&BROKER_QUORUM).unwrap_or_default().to_owned();
    match quorum(&text) {
        Some(n) if n <= size => {
            attrs.put(&BROKER_QUORUM, n.to_string());
            Ok(())
        }
        _ => Err(MembershipError::Quorum(text, size)),
    }
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

    /// Settles rank 1 of `size`; gives the value of `attr`, or the error.
    fn check(size: u32, given: &[&str], attr: &Attr, want: &str) {
        let mut attrs = Attrs::default();
        for text in given {
            attrs.set_from_command_line(text).expect(text);
        }
        let settled = scheme(&attrs, Scheme::default(), size).and_then(|scheme| {
            let tree = &Topology::new(scheme, size);
            let rank = 1.min(size - 1);
            settle(&mut attrs, &Member { rank, tree, scheme })
        });
        let got = match settled {
            Ok(()) => attrs.value(attr).unwrap_or("unset").to_owned(),
            Err(error) => error.to_string(),
        };
        assert_eq!(got, want, "{given:?}");
    }

    #[test]
    fn a_place_in_the_tree_follows_from_rank_and_shape() {
        check(1, &[], &TBON_LEVEL, "0");
        check(1, &["tbon.topo=binomial"], &TBON_MAXLEVEL, "0");
        check(4, &[], &TBON_TOPO, "kary:32");
        check(4, &["tbon.topo=kary:2"], &TBON_MAXLEVEL, "2");
        check(4, &["tbon.topo=kary:2"], &TBON_DESCENDANTS, "1");
        check(4, &["tbon.zmq_io_threads=4"], &TBON_ZMQ_IO_THREADS, "1");
        check(1, &["tbon.zmq_io_threads=4"], &TBON_ZMQ_IO_THREADS, "4");
        check(4, &["tbon.topo=kary:2"], &BROKER_CRITICAL_RANKS, "0-1");
        check(1, &["broker.critical-ranks=0"], &BROKER_CRITICAL_RANKS, "0");
        check(
            1,
            &["broker.critical-ranks=0-1"],
            &BROKER_CRITICAL_RANKS,
            "invalid value for broker.critical-ranks='0-1'",
        );
        check(
            2,
            &["tbon.topo=custom"],
            &TBON_TOPO,
            "error creating 'custom' topology: it has no table of hosts",
        );
    }

    #[test]
    fn a_fanout_is_a_topology_unless_one_is_given() {
        check(1, &["tbon.fanout=2"], &TBON_TOPO, "kary:2");
        let both = ["tbon.fanout=2", "tbon.topo=mincrit"];
        check(1, &both, &TBON_TOPO, "mincrit");
    }

    #[test]
    fn no_quorum_is_waited_for_that_cannot_be() {
        check(1, &[], &BROKER_QUORUM, "1");
        check(4, &[], &BROKER_QUORUM, "4");
        check(4, &["broker.quorum=1"], &BROKER_QUORUM, "1");
        check(1, &["broker.quorum=0"], &BROKER_QUORUM, "1");
        check(2, &["broker.quorum=0-1"], &BROKER_QUORUM, "2");
        check(
            1,
            &["broker.quorum=2"],
            &BROKER_QUORUM,
            "Error parsing broker.quorum attribute: 2: the instance has only 1 broker(s)",
        );
    }

    #[test]
    fn ranks_in_place_of_a_quorum_are_noticed() {
        for (text, want) in [
            ("1", None),
            ("0", Some(1)),
            ("0-3", Some(4)),
            ("9-10", None),
        ] {
            let mut attrs = Attrs::default();
            attrs.put(&BROKER_QUORUM, text);
            assert_eq!(assumed_quorum(&attrs), want, "{text}");
        }
    }

    #[test]
    fn each_broker_has_a_host() {
        check(1, &["hostlist=h7"], &HOSTLIST, "h7");
        check(
            1,
            &["hostlist=h[0-1]"],
            &HOSTLIST,
            "hostlist=h[0-1]: must name 1 host(s)",
        );
    }

    #[test]
    fn limits_of_links_fit_together() {
        let max = &TBON_TORPID_MAX;
        check(1, &["tbon.torpid_max=0"], max, "0");
        check(
            1,
            &["tbon.torpid_min=0"],
            max,
            "tbon.torpid_min must be nonzero",
        );
        check(
            1,
            &["tbon.torpid_max=2s"],
            max,
            "tbon.torpid_max must be greater than torpid_min",
        );
        check(
            1,
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

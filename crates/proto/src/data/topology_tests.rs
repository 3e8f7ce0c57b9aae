//! Trees by scheme and size, and the properties of each of them.

use proptest::prelude::*;

use super::*;

/// The parents of ranks 1 and up, and the highest level.
fn check(scheme: &str, parents: &[u32], maxlevel: u32) {
    let scheme: Scheme = scheme.parse().expect(scheme);
    let topology = Topology::new(scheme, parents.len() as u32 + 1);
    let got: Vec<u32> = (1..topology.size())
        .map(|rank| topology.parent(rank).unwrap())
        .collect();
    assert_eq!((got.as_slice(), topology.maxlevel()), (parents, maxlevel));
    check_tree(&topology);
}

/// Checks that all queries of the tree agree.
fn check_tree(topology: &Topology) {
    let size = topology.size();
    assert_eq!(topology.parent(0), None);
    assert_eq!(topology.descendants(0), size - 1);
    for rank in 0..size {
        let children = topology.children(rank);
        assert!(children.is_sorted());
        for child in children {
            assert_eq!(topology.parent(*child), Some(rank));
            assert_eq!(topology.level(*child), topology.level(rank) + 1);
        }
        let below = children
            .iter()
            .map(|child| topology.descendants(*child) + 1);
        assert_eq!(topology.descendants(rank), below.sum::<u32>());
        let line: Vec<u32> = std::iter::successors(Some(rank), |at| topology.parent(*at)).collect();
        assert_eq!(line.last(), Some(&0), "{rank} hangs below rank 0");
        for above in [1, line.len() / 2, line.len() - 1] {
            if let (Some(from), Some(child)) = (line.get(above), line.get(above.wrapping_sub(1))) {
                assert_eq!(topology.child_toward(*from, rank), Some(*child));
            }
        }
        assert_eq!(topology.child_toward(rank, rank), None);
    }
    let n_children: usize = (0..size).map(|rank| topology.children(rank).len()).sum();
    assert_eq!(n_children, size as usize - 1);
    assert_eq!(topology.child_toward(0, size), None);
    assert!(topology.children(size).is_empty() && topology.children(u32::MAX).is_empty());
}

#[test]
fn a_kary_tree_is_filled_from_the_left() {
    check("kary:2", &[0, 0, 1, 1, 2, 2, 3], 3);
    check("kary:3", &[0, 0, 0, 1, 1, 1, 2], 2);
    check("kary:32", &[0, 0, 0], 1);
    check("kary:1", &[0, 1, 2, 3], 4);
    check("kary:0", &[0, 0, 0, 0], 1);
    check("kary:2", &[], 0);
}

#[test]
fn routers_of_mincrit_share_the_other_ranks_in_turn() {
    check("mincrit:2", &[0, 0, 1, 2, 1, 2, 1], 2);
    check("mincrit:9", &[0, 0, 0], 1);
    check("mincrit", &[0, 0, 0], 1);
    check("mincrit:0", &[0, 0, 0], 1);
}

#[test]
fn mincrit_takes_as_few_routers_as_do() {
    for (size, n_routers) in [(1025, 0), (1026, 2), (2051, 2), (2052, 3), (10_000, 10)] {
        let topology = Topology::new(Scheme::Mincrit(0), size);
        assert_eq!(topology.routers().count(), n_routers + 1, "{size}");
    }
}

#[test]
fn a_binomial_tree_halves() {
    check("binomial", &[0, 0, 2, 0, 4, 4, 6], 3);
    check("binomial", &[0, 0, 2, 0], 2);
    check("binomial", &[0], 1);
}

#[test]
fn a_custom_tree_without_hosts_is_flat() {
    check("custom", &[0, 0, 0], 1);
}

#[test]
fn routers_are_rank_0_and_those_with_children() {
    let routers = |size| Topology::new(Scheme::Kary(2), size).routers().collect();
    let (of_4, of_1): (Vec<u32>, Vec<u32>) = (routers(4), routers(1));
    assert_eq!((of_4, of_1), (vec![0, 1], vec![0]));
}

fn check_hosts(hosts: &[(&str, Option<&str>)], expect: Result<&[u32], &str>) {
    let topology = Topology::of_hosts(hosts);
    let parents = topology.map(|topology| {
        check_tree(&topology);
        topology.parents[1..].to_vec()
    });
    let got = parents.map_err(|error| error.to_string());
    assert_eq!(got, expect.map(<[u32]>::to_vec).map_err(str::to_owned));
}

#[test]
fn hosts_say_who_their_parents_are() {
    check_hosts(&[("a", None)], Ok(&[]));
    // A parent may come later, and hosts without one are below rank 0.
    let hosts = [("a", None), ("b", Some("c")), ("c", None), ("d", Some("b"))];
    check_hosts(&hosts, Ok(&[2, 0, 1]));
    let hosts = [("a", Some("b")), ("b", None)];
    let text = "rank 0 (a) may not have a parent in a tree topology";
    check_hosts(&hosts, Err(text));
    let hosts = [("a", None), ("b", Some("x"))];
    check_hosts(&hosts, Err("invalid parent \"x\" for b (rank 1)"));
    let hosts = [("a", None), ("b", Some("b"))];
    check_hosts(&hosts, Err("invalid parent \"b\" for b (rank 1)"));
    let hosts = [("a", None), ("b", Some("c")), ("c", Some("b"))];
    let text = "parent \"c\" for b (rank 1) violates rule against cycles";
    check_hosts(&hosts, Err(text));
}

#[test]
fn schemes_print_as_they_are_read_and_say_what_is_wrong() {
    for text in [
        "kary:0",
        "kary:32",
        "mincrit",
        "mincrit:5",
        "binomial",
        "custom",
    ] {
        assert_eq!(text.parse::<Scheme>().unwrap().to_string(), text);
    }
    for (text, expect) in [
        ("flat", "unknown topology scheme 'flat'"),
        ("", "unknown topology scheme ''"),
        ("kary", "kary k value must be an integer >= 0"),
        ("kary:-1", "kary k value must be an integer >= 0"),
        ("kary:x", "kary k value must be an integer >= 0"),
        ("mincrit:x", "mincrit k value must be an integer >= 0"),
        ("binomial:3", "unknown binomial topology directive: '3'"),
        ("custom:x", "unknown custom topology directive: 'x'"),
    ] {
        assert_eq!(text.parse::<Scheme>().unwrap_err().to_string(), expect);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn every_scheme_gives_one_tree_of_any_size(which in 0..4, k in 0u32..40, size in 1u32..2000) {
        let scheme = match which {
            0 => Scheme::Kary(k),
            1 => Scheme::Mincrit(k),
            2 => Scheme::Binomial,
            _ => Scheme::Custom,
        };
        let topology = Topology::new(scheme, size);
        prop_assert_eq!(topology.size(), size);
        check_tree(&topology);
    }
}

//! Processes on the same node as ours, by the maps of launchers: that of RFC 34
//! (`{"version":1,"map":[[0,2,2,1]]}`), or that of hydra (`(vector,(0,2,2))`). Both are lists of
//! blocks: first node, nodes, processes on each, and how often the block comes.

/// The processes on the node of `rank`, of `size`, in order. A map that makes no sense shows
/// nobody but ourselves.
pub(crate) fn clique(map: &str, rank: u32, size: u32) -> Vec<u32> {
    let nodes = blocks(map).and_then(|blocks| nodes(&blocks, size));
    let alone = vec![rank];
    let Some(nodes) = nodes else {
        return alone;
    };
    let Some(own) = nodes.get(rank as usize) else {
        return alone;
    };
    let ranks = (0..size).zip(&nodes);
    ranks
        .filter(|(_, node)| *node == own)
        .map(|(rank, _)| rank)
        .collect()
}

/// A block: first node, nodes, processes on each, repetitions.
type Block = [u32; 4];

fn blocks(map: &str) -> Option<Vec<Block>> {
    let (list, open) = match map.split_once("\"map\":") {
        Some((_, list)) => (list, '['),
        None => (map.trim().strip_prefix("(vector,")?, '('),
    };
    // The text before a bracket is the bracket of the whole list or a comma.
    let mut blocks = Vec::new();
    for part in list.split(open) {
        let Some((numbers, _)) = part.split_once([']', ')']) else {
            continue;
        };
        let numbers: Result<Vec<u32>, _> =
            numbers.split(',').map(|text| text.trim().parse()).collect();
        blocks.push(match numbers.ok()?[..] {
            [first, nodes, each] => [first, nodes, each, 1],
            [first, nodes, each, times] => [first, nodes, each, times],
            _ => return None,
        });
    }
    Some(blocks)
}

/// The node of each of `size` processes.
fn nodes(blocks: &[Block], size: u32) -> Option<Vec<u32>> {
    let size = size as usize;
    let mut found = Vec::new();
    for [first, nodes, each, times] in blocks.iter().copied() {
        for node in (0..times).flat_map(|_| 0..nodes) {
            if found.len() >= size {
                break;
            }
            let node = first.checked_add(node)?;
            let room = (size - found.len()).min(each as usize);
            // A block of nothing leads nowhere, however often it comes.
            if room == 0 {
                return None;
            }
            found.resize(found.len() + room, node);
        }
    }
    (found.len() == size).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(map: &str, rank: u32, size: u32, expect: &[u32]) {
        assert_eq!(clique(map, rank, size), expect, "{map}");
    }

    #[test]
    fn processes_of_a_node_are_found_in_both_kinds_of_map() {
        check(r#"{"version":1,"map":[[0,1,4,1]]}"#, 2, 4, &[0, 1, 2, 3]);
        check(r#"{"version":1,"map":[[0,2,2,1]]}"#, 2, 4, &[2, 3]);
        check(r#"{"version":1,"map":[[0,2,1,2]]}"#, 1, 4, &[1, 3]);
        let two = r#"{"version":1,"map":[[0,2,1,1],[1,1,2,1]]}"#;
        check(two, 3, 4, &[1, 2, 3]);
        check("(vector,(0,2,2))", 0, 4, &[0, 1]);
        check("(vector,(0,1,1),(0,1,3))", 0, 4, &[0, 1, 2, 3]);
    }

    #[test]
    fn a_map_that_makes_no_sense_shows_nobody_else() {
        for map in [
            "",
            "(vector)",
            "(vector,(0,2))",
            "(vector,(0,2,x))",
            "(vector,(0,4000000000,0))",
            "(vector,(4294967295,3,1))",
            "(vector,(0,1,2))",
            r#"{"version":1,"map":[]}"#,
            r#"{"version":1,"map":[[0,4294967295,0,4294967295]]}"#,
        ] {
            check(map, 2, 4, &[2]);
        }
        check("(vector,(0,1,4294967295))", 2, 4, &[0, 1, 2, 3]);
        check("(vector,(0,1,4))", 7, 4, &[7]);
    }
}

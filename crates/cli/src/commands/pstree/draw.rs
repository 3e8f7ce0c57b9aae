//! Trees as lines of text.

/// A node and all below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Branch {
    /// Text of the node.
    pub label: String,
    /// Index of its row of details.
    pub row: usize,
    /// Below it, from top to bottom.
    pub children: Vec<Branch>,
}

/// Connector between a node and those below it.
#[derive(Debug, PartialEq, Eq)]
pub struct Connectors {
    /// To a node that others follow.
    pub tee: &'static str,
    /// To the last one.
    pub elbow: &'static str,
    /// Past those below a node that others follow.
    pub bar: &'static str,
    /// Past those below the last one.
    pub space: &'static str,
}

/// The usual.
pub const WIDE: Connectors = Connectors {
    tee: "├── ",
    elbow: "└── ",
    bar: "│   ",
    space: "    ",
};

/// For deep trees.
pub const COMPACT: Connectors = Connectors {
    tee: "├─",
    elbow: "└─",
    bar: "│ ",
    space: "  ",
};

/// For terminals without line drawing.
pub const ASCII: Connectors = Connectors {
    tee: "|-- ",
    elbow: "`-- ",
    bar: "|   ",
    space: "    ",
};

/// The lines of some trees, each with the row of details that belongs to it. Leaves of the same
/// label side by side are one line if `combine` says so.
pub fn lines(trees: &[Branch], connectors: &Connectors, combine: bool) -> Vec<(usize, String)> {
    let mut lines = Vec::new();
    for (label, tree) in siblings(trees, combine) {
        lines.push((tree.row, label));
        below(tree, "", connectors, combine, &mut lines);
    }
    lines
}

fn below(
    branch: &Branch,
    before: &str,
    connectors: &Connectors,
    combine: bool,
    lines: &mut Vec<(usize, String)>,
) {
    let children = siblings(&branch.children, combine);
    let last = children.len().saturating_sub(1);
    for (at, (label, child)) in children.into_iter().enumerate() {
        let (connector, pass) = if at == last {
            (connectors.elbow, connectors.space)
        } else {
            (connectors.tee, connectors.bar)
        };
        lines.push((child.row, format!("{before}{connector}{label}")));
        let before = format!("{before}{pass}");
        below(child, &before, connectors, combine, lines);
    }
}

/// Nodes side by side with their labels, those that are alike as one.
fn siblings(branches: &[Branch], combine: bool) -> Vec<(String, &Branch)> {
    let mut all: Vec<(usize, &Branch)> = Vec::new();
    for branch in branches {
        let is_like = |(_, other): &&mut (usize, &Branch)| {
            let are_leaves = branch.children.is_empty() && other.children.is_empty();
            combine && are_leaves && other.label == branch.label
        };
        match all.iter_mut().find(is_like) {
            Some((count, _)) => *count += 1,
            None => all.push((1, branch)),
        }
    }
    let labelled = all.into_iter().map(|(count, branch)| {
        let label = match count {
            1 => branch.label.clone(),
            count => format!("{count}*[{}]", branch.label),
        };
        (label, branch)
    });
    labelled.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn branch(label: &str, children: Vec<Branch>) -> Branch {
        Branch {
            label: label.to_owned(),
            row: 0,
            children,
        }
    }

    fn leaf(label: &str) -> Branch {
        branch(label, Vec::new())
    }

    /// A root with two instances, one of which has three jobs.
    fn check(connectors: &Connectors, combine: bool, expect: &str) {
        let inner = branch("flux", vec![leaf("a"), leaf("b"), leaf("a")]);
        let outer = branch("flux", vec![leaf("c")]);
        let tree = branch(".", vec![inner, outer, leaf("flux")]);
        let lines = lines(&[tree], connectors, combine);
        let lines: Vec<String> = lines.into_iter().map(|(_, line)| line).collect();
        assert_eq!(lines.join("\n"), expect.trim());
    }

    #[test]
    fn leaves_that_are_alike_are_one_line() {
        check(
            &WIDE,
            true,
            "
.
├── flux
│   ├── 2*[a]
│   └── b
├── flux
│   └── c
└── flux",
        );
    }

    #[test]
    fn they_are_not_if_that_is_not_wanted() {
        check(
            &ASCII,
            false,
            "
.
|-- flux
|   |-- a
|   |-- b
|   `-- a
|-- flux
|   `-- c
`-- flux",
        );
    }

    #[test]
    fn connectors_may_be_short() {
        check(
            &COMPACT,
            true,
            "
.
├─flux
│ ├─2*[a]
│ └─b
├─flux
│ └─c
└─flux",
        );
    }

    #[test]
    fn trees_side_by_side_have_no_connectors() {
        let trees = [leaf("a"), branch("b", vec![leaf("c")]), leaf("a")];
        let lines = lines(&trees, &WIDE, true);
        let lines: Vec<String> = lines.into_iter().map(|(_, line)| line).collect();
        assert_eq!(lines, ["2*[a]", "b", "└── c"]);
        assert!(super::lines(&[], &WIDE, true).is_empty());
    }
}

//! Cores and GPUs of a machine in the XML of hwloc 2, as `lstopo` and `resource.topo-get` write
//! it. Looks at the tags that count and at nothing else. Pure.

use std::collections::BTreeMap;

use proto::data::IdSet;
use proto::data::rset::Node;

/// Prefixes of the names of GPUs. One GPU is shown once by each runtime that is there, so the
/// runtime that shows most of them counts.
const GPU_PREFIXES: &[&str] = &["cuda", "rsmi", "ze", "opencl", "nvml"];

/// The type of co-processors among devices of the operating system.
const COPROCESSOR: &str = "5";

/// Resources of a host. Its host is empty when the file does not name it.
pub fn node(xml: &str) -> Result<Node, String> {
    if !xml.contains("<topology") {
        return Err("not an hwloc topology".to_owned());
    }
    let (mut n_cores, mut host) = (0_u32, "");
    let mut n_gpus: BTreeMap<&str, u32> = BTreeMap::new();
    for tag in tags(xml) {
        match (tag.name, tag.attribute("type")) {
            ("object", Some("Core")) => n_cores = n_cores.saturating_add(1),
            ("object", Some("OSDev")) if tag.attribute("osdev_type") == Some(COPROCESSOR) => {
                let name = tag.attribute("name").unwrap_or_default();
                let prefixes = GPU_PREFIXES.iter().copied();
                if let Some(prefix) = prefixes.into_iter().find(|prefix| name.starts_with(prefix)) {
                    *n_gpus.entry(prefix).or_default() += 1;
                }
            }
            ("info", _) if tag.attribute("name") == Some("HostName") => {
                host = tag.attribute("value").unwrap_or_default();
            }
            _ => {}
        }
    }
    if n_cores == 0 {
        return Err("the topology has no core".to_owned());
    }
    let mut node = Node::with_cores(host, IdSet::first_n(n_cores));
    node.gpus = IdSet::first_n(n_gpus.into_values().max().unwrap_or(0));
    Ok(node)
}

/// A tag that begins an element.
struct Tag<'x> {
    name: &'x str,
    attributes: &'x str,
}

impl<'x> Tag<'x> {
    /// The value of an attribute as it stands there.
    fn attribute(&self, name: &str) -> Option<&'x str> {
        let mut rest = self.attributes;
        loop {
            let (before, after) = rest.split_once('=')?;
            let quote = after.chars().next().filter(|c| matches!(c, '"' | '\''))?;
            let (value, more) = after[1..].split_once(quote)?;
            if before.trim() == name {
                return Some(value);
            }
            rest = more;
        }
    }
}

fn tags(xml: &str) -> impl Iterator<Item = Tag<'_>> {
    xml.split('<').skip(1).filter_map(|piece| {
        let tag = piece.split('>').next()?.trim_end_matches('/');
        let (name, attributes) = tag.split_once(char::is_whitespace)?;
        Some(Tag { name, attributes })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(xml: &str, expect: &str) {
        let outcome = node(xml).map(|node| format!("{} {node}", node.host));
        assert_eq!(outcome.unwrap_or_else(|error| error), expect, "{xml}");
    }

    #[test]
    fn cores_are_counted_and_gpus_once() {
        let machine = r#"<object type="Machine" os_index="0"><info name="HostName" value="fox3"/>"#;
        let core = r#"<object type="Core" os_index="9"><object type="PU" os_index="0"/></object>"#;
        let gpu = |name: &str| {
            format!(r#"<object type="OSDev" name="{name}" subtype="X" osdev_type="5"/>"#)
        };
        let close = "</object></topology>";
        let open = r#"<topology version="2.0">"#;
        check(
            &format!("{open}{machine}{core}{core}{close}"),
            "fox3 core[0-1]",
        );
        let gpus: String = ["cuda0", "opencl0d0", "cuda1", "nvml0"].map(gpu).concat();
        check(
            &format!("{open}{machine}{core}{gpus}{close}"),
            "fox3 core0,gpu[0-1]",
        );
        let card = r#"<object type="OSDev" name="card0" osdev_type="1"/>"#;
        check(&format!("{open}{core}{card}{close}"), " core0");
    }

    #[test]
    fn what_is_no_machine_is_refused() {
        check("", "not an hwloc topology");
        check(
            "<topology><object type=\"Machine\"/>",
            "the topology has no core",
        );
        check("<topology><object type=\"Core", "the topology has no core");
        check("<topology><object type=Core>", "the topology has no core");
    }
}

//! A machine in the XML of hwloc 2, as far as it is known here: packages, cores,
//! processors and the memory of NUMA nodes (`resource.topo-get`, protocol/13 section 3). Its
//! cores are in the order in which R numbers them. Pure.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use proto::data::IdSet;

use proto::data::cpus::{Cpu, by_place};

/// A NUMA node.
#[derive(Debug, Clone)]
pub struct Memory {
    /// Number to the kernel.
    pub id: u32,
    /// The processors that are near to it.
    pub cpus: IdSet,
    /// Size.
    pub bytes: u64,
}

/// The XML of a machine with these processors and this memory.
pub fn xml(host: &str, cpus: &[Cpu], memory: &[Memory]) -> String {
    let all: IdSet = cpus.iter().map(|cpu| cpu.id).collect();
    let nodes: IdSet = memory.iter().map(|node| node.id).collect();
    let mut out = Writer {
        text: String::from(HEAD),
        ..Writer::default()
    };
    let root = format!(
        " allowed_cpuset=\"{}\" allowed_nodeset=\"{}\"",
        bitmap(&all),
        bitmap(&nodes)
    );
    out.open("Machine", 0, &all, &nodes, &root);
    out.info("Backend", "Linux");
    out.info("HostName", host);
    let mut packages: Vec<Vec<&Cpu>> = Vec::new();
    for cpu in by_place(cpus) {
        match packages.last_mut() {
            Some(package) if package[0].package == cpu.package => package.push(cpu),
            _ => packages.push(vec![cpu]),
        }
    }
    let of_package = |package: &[&Cpu]| -> IdSet { package.iter().map(|cpu| cpu.id).collect() };
    let places: Vec<IdSet> = packages.iter().map(|package| of_package(package)).collect();
    for node in memory.iter().filter(|node| !places.contains(&node.cpus)) {
        out.memory(node);
    }
    for (package, here) in packages.iter().zip(&places) {
        let near = memory.iter().filter(|node| node.cpus == *here);
        let near: Vec<&Memory> = near.collect();
        let nodeset: IdSet = match near.is_empty() {
            true => nodes.clone(),
            false => near.iter().map(|node| node.id).collect(),
        };
        out.open("Package", package[0].package, here, &nodeset, "");
        near.iter().for_each(|node| out.memory(node));
        out.cores(package, &nodeset);
        out.close();
    }
    out.close();
    out.text.push_str("</topology>\n");
    out.text
}

const HEAD: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
    <!DOCTYPE topology SYSTEM \"hwloc2.dtd\">\n<topology version=\"2.0\">\n";

#[derive(Default)]
struct Writer {
    text: String,
    depth: usize,
    /// The number of the last object.
    last: u32,
}

impl Writer {
    /// Begins an object; `more` are further attributes.
    fn open(&mut self, kind: &str, id: u32, cpus: &IdSet, nodes: &IdSet, more: &str) {
        self.depth += 1;
        self.last += 1;
        let (indent, last) = (self.indent(), self.last);
        let (cpus, nodes) = (bitmap(cpus), bitmap(nodes));
        // Writing into a text cannot fail.
        let _ = writeln!(
            self.text,
            "{indent}<object type=\"{kind}\" os_index=\"{id}\" cpuset=\"{cpus}\" \
             complete_cpuset=\"{cpus}\"{more} nodeset=\"{nodes}\" complete_nodeset=\"{nodes}\" \
             gp_index=\"{last}\">"
        );
    }

    fn close(&mut self) {
        let indent = self.indent();
        let _ = writeln!(self.text, "{indent}</object>");
        self.depth -= 1;
    }

    fn info(&mut self, name: &str, value: &str) {
        let indent = self.indent();
        let value = value.replace('&', "&amp;").replace('<', "&lt;");
        let value = value.replace('"', "&quot;");
        let _ = writeln!(
            self.text,
            "{indent}  <info name=\"{name}\" value=\"{value}\"/>"
        );
    }

    fn memory(&mut self, node: &Memory) {
        let bytes = format!(" local_memory=\"{}\"", node.bytes);
        self.open(
            "NUMANode",
            node.id,
            &node.cpus,
            &IdSet::from(node.id),
            &bytes,
        );
        self.close();
    }

    fn cores(&mut self, cpus: &[&Cpu], nodes: &IdSet) {
        let mut cores: BTreeMap<u32, IdSet> = BTreeMap::new();
        for cpu in cpus {
            let core = cpu.siblings.first().unwrap_or(cpu.id);
            cores.entry(core).or_default().insert(cpu.id);
        }
        for (core, threads) in &cores {
            self.open("Core", *core, threads, nodes, "");
            for thread in threads.iter() {
                self.open("PU", thread, &IdSet::from(thread), nodes, "");
                self.close();
            }
            self.close();
        }
    }

    fn indent(&self) -> String {
        "  ".repeat(self.depth)
    }
}

/// Words of 32 bits, the highest first: `0x00000001,0x0,0x000000ff`.
fn bitmap(ids: &IdSet) -> String {
    let mut words: BTreeMap<u32, u32> = BTreeMap::new();
    for id in ids.iter() {
        *words.entry(id / 32).or_default() |= 1 << (id % 32);
    }
    let Some((highest, _)) = words.last_key_value() else {
        return "0x0".to_owned();
    };
    let word = |at: u32| match words.get(&at) {
        Some(word) => format!("0x{word:08x}"),
        None => "0x0".to_owned(),
    };
    let texts: Vec<String> = (0..=*highest).rev().map(word).collect();
    texts.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_of_processors_are_words() {
        for (ids, expect) in [
            ("", "0x0"),
            ("0-1", "0x00000003"),
            ("31-32", "0x00000001,0x80000000"),
            ("0,64", "0x00000001,0x0,0x00000001"),
        ] {
            assert_eq!(bitmap(&ids.parse().unwrap()), expect);
        }
    }

    #[test]
    fn a_machine_of_two_packages_is_nested() {
        let cpu = |id: u32, package| Cpu {
            id,
            siblings: IdSet::from_range(id & !1, id | 1),
            package,
        };
        let cpus: Vec<Cpu> = vec![cpu(0, 7), cpu(1, 7), cpu(2, 9), cpu(3, 9)];
        let memory = |id, cpus: &str| Memory {
            id,
            cpus: cpus.parse().unwrap(),
            bytes: 4096,
        };
        let xml = xml("a\"<b", &cpus, &[memory(0, "0-1"), memory(1, "0-3")]);
        let shape: Vec<String> = xml
            .lines()
            .filter_map(|line| {
                let (indent, rest) = line.split_once("<object type=\"")?;
                let mut words = rest.split('"');
                let (kind, id) = (words.next()?, words.nth(1)?);
                Some(format!("{indent}{kind}{id}"))
            })
            .collect();
        assert_eq!(
            shape,
            [
                "  Machine0",
                "    NUMANode1",
                "    Package7",
                "      NUMANode0",
                "      Core0",
                "        PU0",
                "        PU1",
                "    Package9",
                "      Core2",
                "        PU2",
                "        PU3",
            ]
        );
        assert!(xml.contains("value=\"a&quot;&lt;b\""));
        assert_eq!(
            xml.matches("<object").count(),
            xml.matches("</object>").count()
        );
    }
}
